/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_FAULT_H
#define LEAT_BASE_FAULT_H

/*
 * Fault points: named places where a test can have the process die, or stand still. LEAT_FAULT=NAME:ACTION[:N] in the
 * environment acts at the N-th time (1 unless given) that the place is passed; ACTION is kill (SIGKILL) or stall (five
 * seconds). Only in builds with --enable-developer; elsewhere nothing is left of them.
 */
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#ifdef LEAT_DEVELOPER
void leat_fault(const char *name);
#else
#define leat_fault(name) ((void)0)
#endif

/* All names, sorted, ended by NULL; empty unless this is a developer's build. */
extern const char *const leat_fault_names[];

#endif
