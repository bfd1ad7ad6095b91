/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>

void leat_thread_name(const char *format, ...)
{
	char name[16];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(name, sizeof name, format, arguments);
	va_end(arguments);
	(void)prctl(PR_SET_NAME, name);
}
