/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the events of a key into sessions: events that are less than `gap` apart belong together. Each goes on at once with what is
 * known of its session by then; when the watermark is `gap` past a session's last event, its summary goes out of `closed`.
 *
 * Events may come in any order, so a key may have several sessions open, and one event may turn out to join two.
 *
 *  Z1  Open sessions of a key are `gap` or more apart.
 *  Z2  Each open session has a timer that is due no later than the session's end, which is `gap` after its last event.
 *  Z3  When an event is looked at, none of its key that the watermark has passed the end of is open: not even where the timer has
 *      still to fire, as some of very many that are due at once do after the next events.
 */
#include <leat/plugin.h>

#include "../shared/clash.h"
#include "../shared/value.h"
#include "../shared/when.h"

enum { OUT, CLOSED, LATE };
enum { ID, START, NUMBER, N_MARKS };
enum { END, EVENTS, N_NAMES };
enum { MAX_KEYS = 16 };

static const char *const ports[] = { "out", "closed", "late", NULL };

struct sessionize {
	int64_t gap;
	leat_symbol mark[N_MARKS];

	leat_symbol name[N_NAMES];
	leat_symbol key[MAX_KEYS]; /* fields of a summary, n_keys of them */
	size_t n_keys;
};

struct session {
	int64_t first_us, last_us;
	int64_t events;
	int64_t born_us; /* time of the event that opened it: with the key, what it is known by */
};

static const struct leat_table_spec tables[] = {
	{ .name = "sessions", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Open sessions of a key, by their first event." },
	{ 0 },
};

static enum leat_status check_marks(const struct sessionize *self, const char *const *names, struct leat_error *err)
{
	if (self->mark[ID] == self->mark[START] || self->mark[ID] == self->mark[NUMBER]) {
		leat_error_set(err, LEAT_FATAL, 0, "two fields would have the name that \"id\" gives, expected another for one of them");
		return leat_error_at(err, "id");
	}
	if (self->mark[START] == self->mark[NUMBER]) {
		leat_error_set(err, LEAT_FATAL, 0, "two fields would have the name that \"start\" gives, expected another for one of them");
		return leat_error_at(err, "start");
	}
	for (int i = 0; i < N_NAMES; i++)
		if (self->name[i] == self->mark[ID] || self->name[i] == self->mark[START])
			return clash(err, self->name[i] == self->mark[ID] ? "id" : "start", names[i]);
	return LEAT_OK;
}

/* That a field of the key would be overwritten: in a summary, or in an event, where it is the whole path that counts. */
static bool is_taken(const struct sessionize *self, const struct leat_path *field)
{
	leat_symbol name = field->symbol[field->n - 1];

	for (size_t i = 0; i < self->n_keys; i++)
		if (self->key[i] == name)
			return true;
	return name == self->mark[ID] || name == self->mark[START] || name == self->name[END] || name == self->name[EVENTS]
	       || (field->n == 1 && name == self->mark[NUMBER]);
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	static const char *const names[N_NAMES] = { "session_end", "session_events" };
	struct sessionize *self = self_;
	const struct leat_path *field;

	for (int i = 0; i < N_NAMES; i++)
		self->name[i] = leat_intern(ctx, names[i]);
	if (check_marks(self, names, err) != LEAT_OK)
		return LEAT_FATAL;
	for (; (field = leat_key_field(ctx, self->n_keys)) != NULL; self->n_keys++) {
		if (self->n_keys == MAX_KEYS) {
			leat_error_set(err, LEAT_FATAL, 0, "a key of more than %d fields", (int)MAX_KEYS);
			return leat_error_at(err, "key");
		}
		if (is_taken(self, field))
			return clash(err, "key", field->text);
		self->key[self->n_keys] = field->symbol[field->n - 1];
	}
	return LEAT_OK;
}

/* ---- sessions in the table --------------------------------------------------------------------------------------- */

static struct session read_session(const struct leat_ordered_entry *entry)
{
	const struct leat_value *item = entry->value.as.list->item;

	return (struct session){
		.first_us = entry->order, .last_us = item[0].as.integer, .events = item[1].as.integer, .born_us = item[2].as.integer,
	};
}

static void put_session(const struct leat_value *key, const struct session *s, struct leat_context *ctx)
{
	const struct leat_value item[] = { leat_integer(s->last_us), leat_integer(s->events), leat_integer(s->born_us) };
	const struct leat_ordered_entry entry = { .order = s->first_us, .value = leat_list_of(ctx, item, 3) };

	leat_ordered_put(ctx, 0, key, &entry);
}

static enum leat_status watch_session(const struct sessionize *self, const struct leat_value *key, const struct session *s,
                                      struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .due_us = s->last_us + self->gap, .key = *key };

	return leat_timer_set(ctx, &timer, err);
}

/* Takes out the sessions that an event of that time belongs to, one or two of them (Z1), and makes one of them, which keeps the
 * name of the first. False: there is none. */
static bool take_session(const struct sessionize *self, const struct leat_value *key, int64_t time_us, struct session *out,
                         struct leat_context *ctx)
{
	const struct leat_ordered_entry *entry;
	size_t n = leat_ordered_scan(ctx, 0, key, INT64_MIN, time_us + self->gap, &entry);
	bool is_found = false;

	for (size_t i = 0; i < n; i++) {
		struct session s = read_session(&entry[i]);

		if (s.last_us <= time_us - self->gap)
			continue;
		if (!is_found)
			*out = s;
		else
			out->events += s.events;
		out->last_us = s.last_us;
		is_found = true;
		leat_ordered_erase(ctx, 0, key, s.first_us, s.first_us + 1);
	}
	return is_found;
}

/* ---- what goes out ----------------------------------------------------------------------------------------------- */

/* Of the key and the session's first known time: 16 digits, the same in each run. */
static struct leat_value name_session(const struct leat_value *key, const struct session *s, struct leat_context *ctx)
{
	struct leat_value both = leat_list_of(ctx, (struct leat_value[]){ *key, leat_integer(s->born_us) }, 2);
	char text[17];

	(void)snprintf(text, sizeof text, "%016llx", (unsigned long long)value_hash(&both));
	return leat_text(ctx, text, 16);
}

static void emit_marked(const struct sessionize *self, const struct leat_record *record, const struct session *s, struct leat_context *ctx)
{
	const struct leat_member member[N_MARKS] = {
		[ID] = { .symbol = self->mark[ID], .value = name_session(&record->key, s, ctx) },
		[START] = { .symbol = self->mark[START], .value = leat_time(s->first_us) },
		[NUMBER] = { .symbol = self->mark[NUMBER], .value = leat_integer(s->events) },
	};

	leat_emit_value(ctx, OUT, record, leat_map_with(ctx, &record->value, member, N_MARKS));
}

static void emit_closed(const struct sessionize *self, const struct leat_value *key, const struct session *s, struct leat_context *ctx)
{
	struct leat_member member[MAX_KEYS + 4];
	const struct leat_member more[] = {
		{ .symbol = self->mark[ID], .value = name_session(key, s, ctx) },
		{ .symbol = self->mark[START], .value = leat_time(s->first_us) },
		{ .symbol = self->name[END], .value = leat_time(s->last_us) },
		{ .symbol = self->name[EVENTS], .value = leat_integer(s->events) },
	};
	struct leat_record record = {
		.key = *key,
		.time_us = s->last_us + self->gap - 1,
		.arrival_us = leat_now(ctx),
		.origin.source = LEAT_NO_SOURCE,
	};

	for (size_t i = 0; i < self->n_keys; i++)
		member[i] = (struct leat_member){ .symbol = self->key[i], .value = self->n_keys == 1 ? *key : key->as.list->item[i] };
	memcpy(member + self->n_keys, more, sizeof more);
	record.value = leat_map_with(ctx, NULL, member, self->n_keys + sizeof more / sizeof more[0]);
	leat_emit(ctx, CLOSED, &record);
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/* False: it is open then. */
static bool close_session(const struct sessionize *self, const struct leat_value *key, const struct session *s, int64_t now_us,
                          struct leat_context *ctx)
{
	if (s->last_us + self->gap > now_us)
		return false;
	emit_closed(self, key, s, ctx);
	leat_ordered_erase(ctx, 0, key, s->first_us, s->first_us + 1);
	return true;
}

/* Z3 */
static void catch_up(const struct sessionize *self, const struct leat_value *key, int64_t watermark_us, struct leat_context *ctx)
{
	const struct leat_ordered_entry *entry;
	size_t n = 0;

	if (watermark_us >= INT64_MIN + self->gap)
		n = leat_ordered_scan(ctx, 0, key, INT64_MIN, watermark_us - self->gap + 1, &entry);
	for (size_t i = 0; i < n; i++) {
		struct session s = read_session(&entry[i]);

		(void)close_session(self, key, &s, watermark_us, ctx);
	}
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct sessionize *self = self_;
	struct session s = { 0 };
	enum leat_status status;
	int64_t time_us = 0;
	bool is_open;

	if (record->key.type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no key whose sessions it could belong to");
	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	status = when_of(record, self->gap, &time_us, err);
	if (status != LEAT_OK)
		return status;
	catch_up(self, &record->key, leat_watermark(ctx), ctx);
	is_open = take_session(self, &record->key, time_us, &s, ctx);
	if (!is_open && time_us + self->gap <= leat_watermark(ctx)) {
		leat_emit(ctx, LATE, record);
		return LEAT_OK;
	}
	if (!is_open)
		s = (struct session){ .first_us = time_us, .last_us = time_us, .born_us = time_us };
	s.first_us = time_us < s.first_us ? time_us : s.first_us;
	s.last_us = time_us > s.last_us ? time_us : s.last_us;
	s.events++;
	put_session(&record->key, &s, ctx);
	emit_marked(self, record, &s, ctx);
	return is_open ? LEAT_OK : watch_session(self, &record->key, &s, ctx, err);
}

/* A session that has had events since its timer was set gets another one. */
static enum leat_status timer(void *self_, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	const struct sessionize *self = self_;
	const struct leat_ordered_entry *entry;
	size_t n = leat_ordered_scan(ctx, 0, &due->key, INT64_MIN, INT64_MAX, &entry);
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		struct session s = read_session(&entry[i]);

		if (!close_session(self, &due->key, &s, due->due_us, ctx))
			status = watch_session(self, &due->key, &s, ctx, err);
	}
	return status;
}

static const struct leat_option options[] = {
	LEAT_OPTION(DURATION, struct sessionize, gap, "gap", "Event time without an event of the key after which its session is over.",
	            .flags = LEAT_OPTION_REQUIRED, .minimum = 1, .maximum = 31536e9),
	LEAT_OPTION(NAME, struct sessionize, mark[ID], "id", "Field for what the session is known by.", .preset = "session"),
	LEAT_OPTION(NAME, struct sessionize, mark[START], "start", "Field for the time of its first event.", .preset = "session_start"),
	LEAT_OPTION(NAME, struct sessionize, mark[NUMBER], "number", "Field for the event's number within it, from 1.",
	            .preset = "session_number"),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct sessionize),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.process = process,
	.timer = timer,
};

LEAT_PLUGIN(.name = "sessionize", .version = "1.0", .summary = "Tells which session of its key an event belongs to.",
            .licence = "Apache-2.0", .op = &ops);
