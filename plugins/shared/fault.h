/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARED_FAULT_H
#define SHARED_FAULT_H

/*
 * The host's fault points (core/base/fault.h has what they are, fault.c the list), for the plugins that come with it, and
 * only in its builds with --enable-developer. There the program has the function; a program that has not, such as a test
 * without the host, leaves the weak symbol NULL. True: go on as if the system had refused, or the connection were lost.
 */
#include <stdbool.h>
#include <stddef.h>

#ifdef LEAT_FAULT_POINTS
extern bool leat_fault_fails(const char *name) __attribute__((weak));
#define fault_fails(name) (leat_fault_fails != NULL && leat_fault_fails(name))
enum { HAS_FAULTS = 1 };
#else
#define fault_fails(name) (false)
enum { HAS_FAULTS = 0 };
#endif

#endif
