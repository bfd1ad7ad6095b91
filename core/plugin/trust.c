/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/trust.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* `is_file`: the file itself; `may_be_sticky`: a folder that is not the file's own. */
static enum leat_status check_one(const char *path, bool is_file, bool may_be_sticky, struct leat_error *err)
{
	char what[LEAT_ERROR_TEXT / 2];
	struct stat st;

	if (lstat(path, &st) != 0)
		return leat_error_set(err, LEAT_RETRY, errno, "could not look at \"%s\": %s", path, strerror(errno));
	if (is_file)
		(void)snprintf(what, sizeof what, "it");
	else
		(void)snprintf(what, sizeof what, "its folder \"%.200s\"", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return leat_error_set(err, LEAT_FATAL, EPERM, "%s belongs to user %u, who is neither root nor us (%u)", what,
		                      (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(may_be_sticky && (st.st_mode & S_ISVTX)))
		return leat_error_set(err, LEAT_FATAL, EPERM, "%s may be written by %s (mode %04o)", what,
		                      (st.st_mode & S_IWOTH) ? "others" : "its group", (unsigned)(st.st_mode & 07777));
	return LEAT_OK;
}

enum leat_status leat_trust_check(const char *path, struct leat_error *err)
{
	char *folder = leat_copy_text(path);
	enum leat_status status = check_one(path, true, false, err);
	bool is_own = true;
	char *slash;

	while (status == LEAT_OK && (slash = strrchr(folder, '/')) != NULL) {
		*slash = '\0';
		status = check_one(folder[0] == '\0' ? "/" : folder, false, !is_own, err);
		is_own = false;
	}
	free(folder);
	return status;
}
