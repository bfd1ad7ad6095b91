/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_FENCE_H
#define FILE_FENCE_H

#include "../shared/bug.h"
#include "file.h"

/*
 * What stands beside a file that is written exactly once: `path.fence`, one line that says how far the file is committed,
 * and `path.lock`, which whoever writes the file holds. The fence is always replaced as a whole, so there is the old one
 * or the new one, never a part of it.
 */

/* ROTATING: the file is becoming path.1; REMOVING: it is going away, because no old files are kept. */
enum file_phase { FILE_STEADY, FILE_ROTATING, FILE_REMOVING };

struct file_mark {
	struct leat_fence fence;
	int64_t length; /* bytes of the file that are committed; what is beyond never was */
	uint64_t tail;  /* file_hash() of the last bytes before `length` */
	enum file_phase phase;
};

struct file_fence {
	const char *path; /* of the file */
	char owner[256];  /* "pipeline/sink" */
	bool has_lock;
	int lock;
};

/* `path` with something behind it; freed by the caller. */
char *file_beside(const char *path, const char *suffix);
enum leat_status file_write_all(int fd, const char *bytes, size_t n); /* errno says why LEAT_RETRY */
/* Errors of the disk are for good (E8), one that is full is not. */
enum leat_status file_fault(struct leat_error *err, int code, const char *what, const char *path);
/* Makes the names in the folder of `path` durable. */
enum leat_status file_sync_folder(const char *path, struct leat_error *err);

bool file_fence_exists(const char *path);
/* Locks the file of `path` for us; LEAT_RETRY when somebody else has it. Nothing to do when it is locked already. */
enum leat_status file_fence_open(struct file_fence *self, const char *path, const struct leat_claim *claim, struct leat_error *err);
void file_fence_close(struct file_fence *self);
/* LEAT_FATAL when it is damaged or somebody else's. */
enum leat_status file_fence_read(const struct file_fence *self, struct file_mark *mark, bool *is_there, struct leat_error *err);
/* LEAT_RETRY: the old one is still there. LEAT_FATAL: nobody knows which one is. */
enum leat_status file_fence_write(const struct file_fence *self, const struct file_mark *mark, struct leat_error *err);

#endif
