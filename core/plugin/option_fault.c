/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in a plugin's own table of options: its author should meet them on the first load, not a user years later. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plugin/option_read.h"
#include "plugin/option_words.h"
#include "plugin/options.h"

static const char *fault_of_choices(const struct leat_option *o)
{
	if (o->type != LEAT_OPTION_CHOICE)
		return o->choices != NULL ? "has choices but is no choice" : NULL;
	return o->choices == NULL || o->choices[0] == NULL ? "has no choices" : NULL;
}

static const char *fault_of_flags(const struct leat_option *o)
{
	if ((o->flags & LEAT_OPTION_SECRET) && o->type != LEAT_OPTION_TEXT)
		return "is secret but no text";
	if ((o->flags & LEAT_OPTION_PATH) && o->type != LEAT_OPTION_TEXT)
		return "is a path but no text";
	if ((o->flags & LEAT_OPTION_REQUIRED) && o->preset != NULL)
		return "is required and has a preset";
	if ((o->flags & LEAT_OPTION_SECRET) && o->preset != NULL)
		return "is secret and has a preset";
	if (o->flags & ~(LEAT_OPTION_REQUIRED | LEAT_OPTION_SECRET | LEAT_OPTION_PATH))
		return "has a flag that this host does not know";
	return NULL;
}

static const char *fault_of_option(const struct leat_option *o, size_t instance_size)
{
	const char *fault;

	if (o->name[0] == '\0')
		return "has an empty name";
	if (!leat_option_type_is_known(o->type))
		return "has a type that this host does not know";
	if (o->prose == NULL || o->prose[0] == '\0')
		return "has no prose";
	if (strchr(o->prose, '\n') != NULL)
		return "has prose of several lines";
	if (o->offset > instance_size || instance_size - o->offset < leat_option_member_size(o->type))
		return "fills a member outside the instance";
	if (o->minimum > o->maximum)
		return "has a minimum above its maximum";
	if ((fault = fault_of_choices(o)) != NULL)
		return fault;
	return fault_of_flags(o);
}

/* Fills an instance with nothing but the option's preset, and takes over what is reported. */
static bool has_bad_preset(const struct leat_option *option, size_t instance_size, struct leat_error *err)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_report *report = leat_report_create();
	struct leat_option_fill fill = { .arena = arena, .symbols = symbols, .report = report, .folder = ".", .owner = "preset" };
	void *instance = leat_allocate_zeroed(1, instance_size);
	bool is_bad = false;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (!leat_option_read_preset(option, (struct leat_place){ 0 }, &fill, (char *)instance + option->offset)) {
		static const char severity[] = "error: ";

		is_bad = true;
		out = open_memstream(&text, &n);
		if (out != NULL) {
			leat_report_print(report, out);
			(void)fclose(out);
		}
		if (text != NULL)
			text[strcspn(text, "\n")] = '\0';
		if (text != NULL && strncmp(text, severity, strlen(severity)) == 0)
			memmove(text, text + strlen(severity), strlen(text) + 1 - strlen(severity));
		(void)leat_error_set(err, LEAT_FATAL, 0, "the preset of an option is not of its type: %s", text != NULL ? text : "");
		free(text);
	}
	free(instance);
	leat_report_destroy(report);
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
	return is_bad;
}

static bool is_named_before(const struct leat_option *table, const struct leat_option *option)
{
	for (; table < option; table++)
		if (strcmp(table->name, option->name) == 0)
			return true;
	return false;
}

bool leat_options_fault(const struct leat_option *table, size_t instance_size, struct leat_error *err)
{
	for (const struct leat_option *o = table; o != NULL && o->name != NULL; o++) {
		const char *fault = fault_of_option(o, instance_size);

		if (fault == NULL && is_named_before(table, o))
			fault = "is there twice";
		if (fault != NULL) {
			(void)leat_error_set(err, LEAT_FATAL, 0, "option \"%s\" %s", o->name, fault);
			return true;
		}
		if (o->preset != NULL && has_bad_preset(o, instance_size, err))
			return true;
	}
	return false;
}
