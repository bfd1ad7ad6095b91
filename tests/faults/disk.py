# SPDX-License-Identifier: Apache-2.0
"""A disk that keeps what was synced and nothing else, and one on which syncs fail: syncs.c, and what its journal says."""

import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PAGE = 4096


def build(folder):
    """Compiles syncs.c, returns the library's path."""
    library = folder / "syncs.so"
    compiler = os.environ.get("CC", "cc").split()
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, *warnings, "-O1", "-g", "-shared", "-fPIC", "-o", library, HERE / "syncs.c", "-ldl"], check=True)
    return library


class Disk:
    """Of the state folder of one pipeline. `chance` decides what becomes of bytes that were written and not synced."""

    def __init__(self, library, run, chance):
        self.folder = (run.folder / "state").resolve()
        self.aside = run.folder.resolve() / "syncs"
        self.journal, self.links, self.trouble = self.aside / "journal", self.aside / "links", self.aside / "trouble"
        self.chance = chance
        self.folder.mkdir()
        self.aside.mkdir()
        self.forget()
        run.environment.update({
            "LD_PRELOAD": str(library),
            "LEAT_SYNCS_FOLDER": str(self.folder),
            "LEAT_SYNCS_JOURNAL": str(self.aside),
            "LEAT_SYNCS_TROUBLE": str(self.trouble),
        })

    def fail_syncs(self, ending):
        """Of files whose path ends so, with EIO, until heal()."""
        self.make_trouble(f"fail {ending} 0")

    def die_at_sync(self, ending, least=0):
        """What was written and is about to be synced is the last that leat did. At least so many bytes."""
        self.make_trouble(f"kill {ending} {least}")

    def make_trouble(self, text):
        new = self.aside / "new"
        new.write_text(text)
        new.rename(self.trouble)

    def heal(self):
        self.trouble.unlink()

    def forget(self):
        """What is in the folder now is durable."""
        shutil.rmtree(self.links, ignore_errors=True)
        self.links.mkdir()
        lines = []
        for path, inner, names in os.walk(self.folder):
            lines.append("folder " + path.removeprefix(str(self.folder)))
            lines += [f"inner {name}" for name in inner]
            for name in names:
                inode = os.stat(os.path.join(path, name)).st_ino
                os.link(os.path.join(path, name), self.links / str(inode))
                lines.append(f"entry {inode} {name}")
            lines.append("end")
            lines += [f"file {os.stat(os.path.join(path, name)).st_ino} {os.stat(os.path.join(path, name)).st_size}" for name in names]
        self.journal.write_text("".join(line + "\n" for line in lines))

    def read_journal(self):
        """What is durable: {inode: size} of files, {path: {name: inode, or None for a folder}} of folders."""
        sizes, folders, entries = {}, {}, {}
        for line in self.journal.read_text().splitlines():
            word, *rest = line.split(" ", 1)
            if word == "folder":
                path, entries = rest[0], {}
            elif word == "entry":
                inode, name = rest[0].split(" ", 1)
                entries[name] = int(inode)
            elif word == "inner":
                entries[rest[0]] = None
            elif word == "end":
                folders[path] = entries
            else:
                inode, size = map(int, rest[0].split(" "))
                sizes[inode] = max(size, sizes.get(inode, 0))
        return sizes, folders

    def cut_short(self, data, size):
        """What is left of bytes that were not synced: the first ones."""
        return data[:self.chance.randint(size, len(data))]

    def with_holes(self, data, size):
        """Pages are written in any order: one that was not is as it was, with nothing but zeros behind what was synced.

        Of three or more the first and the last have been written and one between them has not, or a hole might be no hole.
        """
        left, pages = bytearray(data), range(size // PAGE * PAGE, len(data), PAGE)
        for page in self.chance.sample(pages[1:-1], self.chance.randint(1, len(pages) - 2)) if len(pages) > 2 else ():
            left[page:page + PAGE] = bytes(PAGE)
        return bytes(left)

    def durable_bytes(self, inode, size, tear):
        data = (self.links / str(inode)).read_bytes()
        assert len(data) >= size, f"syncs.c counts on files that grow, {inode} had {size} bytes and has {len(data)}"
        return tear(data, size)

    def lose_what_was_not_synced(self, tear=None, keeps_folders=True):
        """As a power cut, when the process is dead. Returns how many bytes of the store's log were not synced.

        `keeps_folders`: a folder is durable as soon as it is made, though it may be so without what is in it.
        """
        sizes, folders = self.read_journal()
        left, n_unsynced = self.aside / "left", 0
        shutil.rmtree(left, ignore_errors=True)
        for path, inner, _ in os.walk(self.folder):
            inside = path.removeprefix(str(self.folder))
            entries = folders.get(inside, {})
            if not keeps_folders:
                inner[:] = [name for name in inner if name in entries]
            to = left / inside.removeprefix("/")
            to.mkdir(mode=0o700)
            for name, inode in entries.items():
                if inode is not None:
                    size = sizes.get(inode, 0)
                    (to / name).write_bytes(self.durable_bytes(inode, size, tear or self.cut_short))
                    n_unsynced += (self.links / str(inode)).stat().st_size - size if name.endswith(".log") else 0
        shutil.rmtree(self.folder)
        left.rename(self.folder)
        self.forget()
        return n_unsynced
