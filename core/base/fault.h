/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_FAULT_H
#define LEAT_BASE_FAULT_H

/*
 * Fault points: named places where a test can have the process die, stand still, or find that a step has failed.
 * LEAT_FAULT=NAME:ACTION[:N] in the environment acts at the N-th time (1 unless given) that the place is passed, and says so
 * on standard error; several are separated by commas. ACTION is kill (SIGKILL), stall (five seconds), or error, where a step
 * can fail. Only in builds with --enable-developer; elsewhere nothing is left of them.
 *
 * Plugins reach them through plugins/shared/fault.h.
 */
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <stdbool.h>

#include <leat/error.h>

#ifdef LEAT_DEVELOPER
void leat_fault(const char *name);
/* True: the caller goes on as if its system had refused, errno is EIO. Plugins find it in the program. */
__attribute__((visibility("default"))) bool leat_fault_fails(const char *name);
/* The same as a status: LEAT_OK, or the one that the list has, with the reason. */
enum leat_status leat_fault_error(const char *name, struct leat_error *err);
#else
#define leat_fault(name) ((void)0)
#define leat_fault_fails(name) (false)
#define leat_fault_error(name, err) (LEAT_OK)
#endif

struct leat_fault_point {
	const char *name;
	enum leat_status error; /* what comes of the action error: LEAT_OK: there is none, LEAT_FATAL: the process ends, else it goes on */
};

/* All of them, sorted, ended by one without a name; none unless this is a developer's build. */
extern const struct leat_fault_point leat_fault_points[];

#endif
