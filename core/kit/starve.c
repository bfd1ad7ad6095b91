/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object calls others through slots, which the loader fills from its relocations (ELF gABI, "Dynamic Linking"). The slots of
 * the allocation functions are found again and filled with ours. Plugins are linked with -z relro, so that their pages have to
 * be made writable for it.
 */
#define _GNU_SOURCE 1 /* dl_iterate_phdr() */
#include "kit/starve.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t n_asked, fails_at;

static bool is_refused(void)
{
	return ++n_asked == fails_at;
}

static void *ask_malloc(size_t n)
{
	return is_refused() ? NULL : malloc(n);
}

static void *ask_calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : calloc(n, size);
}

static void *ask_realloc(void *p, size_t n)
{
	return is_refused() ? NULL : realloc(p, n);
}

static char *ask_strdup(const char *s)
{
	return is_refused() ? NULL : strdup(s);
}

static char *ask_strndup(const char *s, size_t n)
{
	return is_refused() ? NULL : strndup(s, n);
}

size_t leat_starve_count(void)
{
	return n_asked;
}

void leat_starve_fail(size_t n)
{
	fails_at = n_asked + n;
}

#if defined(__x86_64__) || defined(__aarch64__)

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOBAL = R_X86_64_GLOB_DAT };
#else
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOBAL = R_AARCH64_GLOB_DAT };
#endif

struct object {
	uintptr_t address; /* asked for */
	uintptr_t base;
	const ElfW(Dyn) *dynamic; /* NULL: not found */
	size_t n_filled;
};

/* The union, as ISO C has no way from a function to an address; here they are the same. */
static uintptr_t function_named(const char *name)
{
	static const struct {
		const char *name;
		union {
			void *(*malloc)(size_t);
			void *(*calloc)(size_t, size_t);
			void *(*realloc)(void *, size_t);
			char *(*strdup)(const char *);
			char *(*strndup)(const char *, size_t);
			uintptr_t address;
		} is;
	} functions[] = {
		{ "malloc", { .malloc = ask_malloc } },    { "calloc", { .calloc = ask_calloc } },
		{ "realloc", { .realloc = ask_realloc } }, { "strdup", { .strdup = ask_strdup } },
		{ "strndup", { .strndup = ask_strndup } },
	};

	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strcmp(functions[i].name, name) == 0)
			return functions[i].is.address;
	return 0;
}

static int find_object(struct dl_phdr_info *info, size_t size, void *opaque)
{
	struct object *object = opaque;
	const ElfW(Dyn) *dynamic = NULL;
	bool is_it = false;

	(void)size;
	for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && object->address >= start && object->address - start < part->p_memsz)
			is_it = true;
		if (part->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)start;
	}
	if (is_it) {
		object->base = info->dlpi_addr;
		object->dynamic = dynamic;
	}
	return is_it;
}

/* glibc has made addresses of these already. */
static uintptr_t entry(const struct object *object, ElfW(Sxword) tag)
{
	for (const ElfW(Dyn) *d = object->dynamic; d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return (uintptr_t)d->d_un.d_ptr;
	return 0;
}

static bool fill(uintptr_t slot, uintptr_t function)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = slot - slot % page;

	if (mprotect((void *)start, slot + sizeof function - start, PROT_READ | PROT_WRITE) != 0)
		return false;
	memcpy((void *)slot, &function, sizeof function);
	return true;
}

static void fill_slots(struct object *object, ElfW(Sxword) table, ElfW(Sxword) size)
{
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)entry(object, DT_SYMTAB);
	const char *names = (const char *)entry(object, DT_STRTAB);
	const ElfW(Rela) *rela = (const ElfW(Rela) *)entry(object, table);
	size_t n = entry(object, size) / sizeof *rela;

	for (size_t i = 0; rela != NULL && i < n; i++) {
		uintptr_t function;

		if (ELF64_R_TYPE(rela[i].r_info) != JUMP_SLOT && ELF64_R_TYPE(rela[i].r_info) != GLOBAL)
			continue;
		function = function_named(names + symbol[ELF64_R_SYM(rela[i].r_info)].st_name);
		if (function != 0)
			object->n_filled += fill(object->base + rela[i].r_offset, function);
	}
}

bool leat_starve_begin(const void *address)
{
	struct object object = { .address = (uintptr_t)address }, ours = { .address = (uintptr_t)&n_asked };

	/* In our own we would call ourselves. */
	if (dl_iterate_phdr(find_object, &object) == 0 || dl_iterate_phdr(find_object, &ours) == 0 || object.base == ours.base ||
	    object.dynamic == NULL)
		return false;
	fill_slots(&object, DT_JMPREL, DT_PLTRELSZ);
	fill_slots(&object, DT_RELA, DT_RELASZ);
	return object.n_filled > 0;
}

#else

bool leat_starve_begin(const void *address)
{
	(void)address;
	(void)ask_malloc;
	(void)ask_calloc;
	(void)ask_realloc;
	(void)ask_strdup;
	(void)ask_strndup;
	return false;
}

#endif
