/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_THREAD_H
#define LEAT_BASE_THREAD_H

/* Names the calling thread for `top -H`, `perf` and debuggers. The kernel keeps the first 15 bytes. */
__attribute__((format(printf, 1, 2))) void leat_thread_name(const char *format, ...);

#endif
