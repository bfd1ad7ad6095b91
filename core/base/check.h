/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_CHECK_H
#define LEAT_BASE_CHECK_H

/* Our own bug, never the user's: always compiled, prints the place and aborts. */
#define leat_check(x) ((x) ? (void)0 : leat_check_broken(#x, __FILE__, __LINE__, __func__))

_Noreturn void leat_check_broken(const char *what, const char *file, int line, const char *function);

#endif
