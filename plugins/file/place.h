/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_PLACE_H
#define FILE_PLACE_H

#include <sys/stat.h>

#include "file.h"

/*
 * The note of a position: which file it was in, and what stood before it. The inode alone would not do, it is used again
 * once a file is removed.
 */
struct file_place {
	uint64_t inode;
	int64_t base;  /* the position of the file's first byte */
	int64_t at;    /* the byte that the note was made for; the position beside it may be a later one */
	uint32_t hash; /* of some bytes before it */
};

/* Leaves the note as it was when the bytes are gone: then that one says so later. */
void file_place_print(int fd, uint64_t inode, int64_t base, int64_t at, char note[56]);
bool file_place_parse(const char *note, struct file_place *place);
/* The same inode, and the same bytes before `at`? */
bool file_place_is_in(const struct file_place *place, int fd, const struct stat *is);
/* The name that a file of this inode has now, in the folder of `path` and beginning as `path` does. Freed by the caller,
 * NULL when there is none. */
char *file_place_find(const char *path, uint64_t inode);
/* How many such files were written to since `is` was, not counting that one. */
size_t file_place_count_newer(const char *path, const struct stat *is);

#endif
