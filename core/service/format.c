/* SPDX-License-Identifier: Apache-2.0 */
#include "service/format.h"

#include <stdio.h>

#include "data/json.h"

void leat_format_put(struct leat_buffer *out, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n <= 0)
		return;
	va_start(args, format);
	(void)vsnprintf(leat_buffer_reserve(out, (size_t)n + 1), (size_t)n + 1, format, args);
	va_end(args);
	out->n += (size_t)n;
}

void leat_format_json(struct leat_buffer *out, const char *s)
{
	if (s == NULL)
		leat_buffer_text(out, "null");
	else
		leat_json_quote(out, s, strlen(s));
}

/* The bounds are where rounding would show one digit more: 999.95k is 1.00M. */
void leat_format_count(struct leat_buffer *out, double n)
{
	if (n < 999.5)
		leat_format_put(out, "%.0f", n);
	else if (n < 99950)
		leat_format_put(out, "%.1fk", n / 1e3);
	else if (n < 999500)
		leat_format_put(out, "%.0fk", n / 1e3);
	else if (n < 99.95e6)
		leat_format_put(out, "%.2fM", n / 1e6);
	else if (n < 999.5e6)
		leat_format_put(out, "%.0fM", n / 1e6);
	else
		leat_format_put(out, "%.2fG", n / 1e9);
}

void leat_format_latency(struct leat_buffer *out, double us)
{
	if (us < 999.5)
		leat_format_put(out, "%.0f us", us);
	else if (us < 9950)
		leat_format_put(out, "%.1f ms", us / 1e3);
	else if (us < 999500)
		leat_format_put(out, "%.0f ms", us / 1e3);
	else
		leat_format_put(out, "%.1f s", us / 1e6);
}

void leat_format_behind(struct leat_buffer *out, double us)
{
	if (us < 60e6)
		leat_format_latency(out, us);
	else
		leat_format_elapsed(out, (int64_t)us);
}

void leat_format_elapsed(struct leat_buffer *out, int64_t us)
{
	long long s = us / 1000000;

	if (s < 60)
		leat_format_put(out, "%llds", s);
	else if (s < 3600)
		leat_format_put(out, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		leat_format_put(out, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		leat_format_put(out, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}
