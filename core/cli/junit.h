/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_JUNIT_H
#define LEAT_CLI_JUNIT_H

#include <leat/buffer.h>
#include <leat/error.h>

/* Results as JUnit XML, the form that most systems for continuous integration read. Zeroed, it is empty. */
struct leat_junit {
	struct leat_buffer cases;
	size_t n, n_failed;
};

/* `failure` NULL: it passed. */
void leat_junit_add(struct leat_junit *junit, const char *file, const char *name, const struct leat_buffer *failure);
enum leat_status leat_junit_write(const struct leat_junit *junit, const char *path, struct leat_error *err);
void leat_junit_finish(struct leat_junit *junit);

#endif
