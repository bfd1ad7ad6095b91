/* SPDX-License-Identifier: Apache-2.0 */
#include "base/report.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct finding {
	struct leat_place place;
	bool is_error;
	size_t order; /* as found: keeps what stands at one place in the order it was found in */
	char *text;
};

struct leat_report {
	struct finding *finding;
	size_t n;
	size_t capacity;
	size_t n_errors;
};

struct leat_report *leat_report_create(void)
{
	return leat_allocate_zeroed(1, sizeof(struct leat_report));
}

void leat_report_destroy(struct leat_report *report)
{
	size_t i;

	if (report == NULL)
		return;
	for (i = 0; i < report->n; i++)
		free(report->finding[i].text);
	free(report->finding);
	free(report);
}

static const char *file_of(const struct finding *f)
{
	return f->place.file == NULL ? "" : f->place.file;
}

static bool is_same(const struct finding *a, const struct finding *b)
{
	return a->is_error == b->is_error && a->place.line == b->place.line && a->place.column == b->place.column &&
	       strcmp(file_of(a), file_of(b)) == 0 && strcmp(a->text, b->text) == 0;
}

static __attribute__((format(printf, 4, 0))) void add(struct leat_report *report, struct leat_place place, bool is_error,
                                                      const char *format, va_list args)
{
	struct finding f = {.place = place, .is_error = is_error, .order = report->n};
	va_list again;
	size_t i;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	f.text = leat_allocate_bytes(n > 0 ? (size_t)n + 1 : 1);
	f.text[0] = '\0';
	if (n > 0)
		(void)vsnprintf(f.text, (size_t)n + 1, format, again);
	va_end(again);
	for (i = 0; i < report->n; i++)
		if (is_same(&report->finding[i], &f)) {
			free(f.text);
			return;
		}
	report->finding = leat_grow(report->finding, report->n, &report->capacity, sizeof *report->finding);
	report->finding[report->n++] = f;
	report->n_errors += is_error;
}

void leat_report_error(struct leat_report *report, struct leat_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, place, true, format, args);
	va_end(args);
}

void leat_report_warning(struct leat_report *report, struct leat_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, place, false, format, args);
	va_end(args);
}

size_t leat_report_errors(const struct leat_report *report)
{
	return report->n_errors;
}

static int by_place(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;
	int files = strcmp(file_of(a), file_of(b));

	if (files != 0)
		return files;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void sort(struct leat_report *report)
{
	if (report->n > 1)
		qsort(report->finding, report->n, sizeof *report->finding, by_place);
}

static const char *severity(const struct finding *f)
{
	return f->is_error ? "error" : "warning";
}

void leat_report_print(struct leat_report *report, FILE *out)
{
	size_t i;

	sort(report);
	for (i = 0; i < report->n; i++) {
		const struct finding *f = &report->finding[i];

		if (f->place.file != NULL)
			(void)fprintf(out, "%s:", f->place.file);
		if (f->place.line > 0)
			(void)fprintf(out, "%u:", f->place.line);
		if (f->place.line > 0 && f->place.column > 0)
			(void)fprintf(out, "%u:", f->place.column);
		(void)fprintf(out, "%s%s: %s\n", f->place.file != NULL || f->place.line > 0 ? " " : "", severity(f), f->text);
	}
}

static void print_quoted(FILE *out, const char *s)
{
	(void)fputc('"', out);
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20)
			(void)fprintf(out, "\\u%04x", (unsigned)*s);
		else
			(void)fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	(void)fputc('"', out);
}

void leat_report_print_json(struct leat_report *report, FILE *out)
{
	size_t i;

	sort(report);
	(void)fputc('[', out);
	for (i = 0; i < report->n; i++) {
		const struct finding *f = &report->finding[i];

		(void)fputs(i > 0 ? ",\n {\"file\":" : "{\"file\":", out);
		print_quoted(out, file_of(f));
		(void)fprintf(out, ",\"line\":%u,\"column\":%u,\"severity\":\"%s\",\"message\":", f->place.line, f->place.column, severity(f));
		print_quoted(out, f->text);
		(void)fputc('}', out);
	}
	(void)fputs("]\n", out);
}
