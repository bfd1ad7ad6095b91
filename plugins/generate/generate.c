/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic payments, for trying things out and for measuring.
 *
 * An event is a pure function of (seed, partition, number), so a position is all that a restart needs and no batch size
 * changes anything. To keep it one although duplicates and anomalies depend on what came before:
 *
 *  - of every `period` positions exactly one, at a random place, sends an earlier event again, so the number of new events
 *    before a position is arithmetic;
 *  - users take turns: in each round every user of the partition has one event, in an order of its own for each round
 *    (number -> (a * number + b) mod users, with a coprime to users). So in round r a user has had r events before.
 *
 * Amounts of a user have triangular noise around the user's own mean, which ends at 2.45 deviations. Anomalies are 12 to 20
 * deviations above it, and only for users that have had WARM_UP events, so that a running z-score can tell the two apart.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include <leat/plugin.h>

enum { WARM_UP = 30, RECENT = 64, BYTES_EACH = 256 };
enum { ID, USER, AMOUNT, CURRENCY, COUNTRY, MERCHANT, TS, PLANTED, N_FIELDS };

static const char *const field_names[N_FIELDS] = { "id", "user", "amount", "currency", "country", "merchant", "ts", "planted" };

static const struct {
	const char *name, *currency;
} countries[8] = {
	{ "DE", "EUR" }, { "FR", "EUR" }, { "ES", "EUR" }, { "IT", "EUR" },
	{ "GB", "GBP" }, { "US", "USD" }, { "JP", "JPY" }, { "BR", "BRL" },
};

static const char *const merchants[16] = { "grocer", "bakery", "fuel",  "books",  "cinema", "rail",  "airline", "hotel",
	                                   "phone",  "power",  "music", "garden", "shoes",  "sport", "toys",    "doctor" };

struct user {
	char text[12]; /* not terminated */
	uint8_t text_n;
	uint8_t country;
	double mean; /* of the amount, in cents */
	double deviation;
};

struct generate {
	int64_t seed, rate, count, partitions, keys, burst;
	double anomalies, duplicates;
	const char *start;

	int64_t start_us; /* LEAT_NO_TIME: when a partition is first opened */
	int64_t anomaly_period, duplicate_period; /* one in so many; 0: none */
	struct user *user;
	struct leat_member member[N_FIELDS];
};

struct leat_reader {
	int32_t partition;
	uint64_t stream; /* what makes this partition's events differ from another's */
	int64_t users;   /* that belong to this partition: those whose number leaves `partition` when divided by `partitions` */
	int64_t position, end;
	int64_t start_us;
	int64_t paced_from_us, paced_from; /* at that time that position was due */
	int64_t round, step, shift;        /* the order of the users in the round that was used last */
};

/* All of a record in one piece of the arena. */
struct event {
	struct leat_map map;
	struct leat_member member[N_FIELDS];
	char id[40];
	char user[16];
};

/* ---- chance: splitmix64's finisher over a counter (Steele, Lea, Flood 2014) -------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The `what` says which of an event's properties is drawn, so that they are independent of each other. */
enum draw { DRAW_EVENT = 1, DRAW_ANOMALY = 2, DRAW_DUPLICATE = 3, DRAW_ORDER = 4, DRAW_RESENT = 5 };

static uint64_t draw(uint64_t stream, enum draw what, int64_t number)
{
	return mix(mix(stream + (uint64_t)what * UINT64_C(0xd1342543de82ef95)) ^ (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15));
}

static double draw_unit(uint64_t bits)
{
	return (double)(bits & 0xffff) / 65535.0;
}

/* The place in the block of `period` numbers where it happens. */
static int64_t place_in_block(uint64_t stream, enum draw what, int64_t block, int64_t period)
{
	return (int64_t)(draw(stream, what, block) % (uint64_t)period);
}

static bool is_chosen(uint64_t stream, enum draw what, int64_t number, int64_t period)
{
	return period > 0 && place_in_block(stream, what, number / period, period) == number % period;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int64_t greatest_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Index into self->user of the user whose turn it is. */
static size_t find_user(const struct generate *self, struct leat_reader *r, int64_t number)
{
	int64_t round = number / r->users;

	if (round != r->round) {
		uint64_t chance = draw(r->stream, DRAW_ORDER, round);

		r->round = round;
		r->shift = (int64_t)(chance % (uint64_t)r->users);
		for (r->step = (int64_t)((chance >> 32) % (uint64_t)r->users); greatest_divisor(r->users, r->step) != 1; r->step++)
			;
	}
	return (size_t)((r->step * (number % r->users) + r->shift) % r->users * self->partitions + r->partition);
}

/* Time between events is even; without a rate it is a millisecond. */
static int64_t event_time(const struct generate *self, const struct leat_reader *r, int64_t number)
{
	int64_t rate = self->rate == 0 ? 1000 : self->rate, among_all = number * self->partitions + r->partition;

	return r->start_us + among_all / rate * 1000000 + among_all % rate * 1000000 / rate;
}

static size_t print_id(char *out, int32_t partition, int64_t number)
{
	char digits[24];
	size_t n = 0, length = 1;

	out[0] = 'p';
	if (partition < 10)
		out[length++] = (char)('0' + partition);
	else
		length += (size_t)sprintf(out + 1, "%" PRId32, partition);
	out[length++] = '-';
	for (; number > 0 || n < 8; number /= 10)
		digits[n++] = (char)('0' + number % 10);
	while (n > 0)
		out[length++] = digits[--n];
	return length;
}

static double make_amount(const struct user *user, uint64_t chance, bool is_planted)
{
	double noise = draw_unit(chance) + draw_unit(chance >> 16) - 1; /* triangular: deviation 1/sqrt(6) */
	double deviations = is_planted ? 12 + 8 * draw_unit(chance) : noise * 2.449489742783178;

	return (double)(int64_t)(user->mean + deviations * user->deviation + 0.5) / 100;
}

static void push_event(const struct generate *self, struct leat_reader *r, int64_t number, struct leat_context *ctx)
{
	const struct user *user = &self->user[find_user(self, r, number)];
	uint64_t chance = draw(r->stream, DRAW_EVENT, number);
	bool is_planted = number >= WARM_UP * r->users && is_chosen(r->stream, DRAW_ANOMALY, number, self->anomaly_period);
	struct event *e = leat_allocate(ctx, sizeof *e);
	struct leat_record record;

	memcpy(e->member, self->member, sizeof e->member);
	memcpy(e->user, user->text, sizeof user->text);
	e->member[ID].value = leat_borrow(e->id, print_id(e->id, r->partition, number));
	e->member[USER].value = leat_borrow(e->user, user->text_n);
	e->member[AMOUNT].value = leat_real(make_amount(user, chance, is_planted));
	e->member[CURRENCY].value = leat_borrow(countries[user->country].currency, 3);
	e->member[COUNTRY].value = leat_borrow(countries[user->country].name, 2);
	e->member[MERCHANT].value = leat_borrow(merchants[chance >> 60], strlen(merchants[chance >> 60]));
	e->member[TS].value = leat_integer(event_time(self, r, number));
	memset(&e->map, 0, sizeof e->map);
	e->map.member = e->member;
	e->map.n = is_planted ? N_FIELDS : PLANTED;

	memset(&record, 0, sizeof record);
	record.value.type = LEAT_MAP;
	record.value.n = e->map.n;
	record.value.as.map = &e->map;
	record.key = e->member[USER].value;
	record.time_us = e->member[TS].value.as.integer;
	record.arrival_us = leat_now(ctx);
	record.origin.partition = r->partition;
	record.origin.offset = r->position;
	leat_push_record(ctx, &record, r->position + 1);
}

/* The event at the reader's position: the next new one, or once in a while a recent one again. */
static void push_position(const struct generate *self, struct leat_reader *r, struct leat_context *ctx)
{
	int64_t period = self->duplicate_period, fresh = r->position;

	if (period > 0) {
		int64_t block = r->position / period, place = place_in_block(r->stream, DRAW_DUPLICATE, block, period);

		fresh -= block + (place < r->position % period);
		if (place == r->position % period && fresh > 0) {
			int64_t back = (int64_t)(draw(r->stream, DRAW_RESENT, block) % (uint64_t)(fresh < RECENT ? fresh : RECENT));

			push_event(self, r, fresh - 1 - back, ctx);
			r->position++;
			return;
		}
	}
	push_event(self, r, fresh, ctx);
	r->position++;
}

/* ---- the source -------------------------------------------------------------------------------------------------- */

static enum leat_status read_start(struct generate *self, struct leat_error *err)
{
	struct tm tm;
	int n = 0;

	self->start_us = LEAT_NO_TIME;
	if (strcmp(self->start, "now") == 0)
		return LEAT_OK;
	memset(&tm, 0, sizeof tm);
	if (sscanf(self->start, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
	           &n) != 6 || n == 0 || self->start[n] != '\0') {
		leat_error_set(err, LEAT_FATAL, 0, "\"%s\" is not a time, expected one like 2026-01-31T12:00:00Z or now", self->start);
		return leat_error_at(err, "start");
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	self->start_us = (int64_t)timegm(&tm) * 1000000;
	return LEAT_OK;
}

static void make_users(struct generate *self)
{
	for (int64_t i = 0; i < self->keys; i++) {
		uint64_t chance = mix(mix((uint64_t)self->seed) ^ (uint64_t)i);
		struct user *user = &self->user[i];
		char text[24];

		user->text_n = (uint8_t)snprintf(text, sizeof text, "u%06" PRId64, i);
		memcpy(user->text, text, sizeof user->text);
		user->country = (uint8_t)(chance >> 61);
		user->mean = 2000 + 18000 * draw_unit(chance);
		user->deviation = user->mean * (0.08 + 0.08 * draw_unit(chance >> 16));
	}
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct generate *self = self_;
	enum leat_status status = read_start(self, err);

	if (status != LEAT_OK)
		return status;
	if (self->keys < self->partitions) {
		leat_error_set(err, LEAT_FATAL, 0, "%" PRId64 " keys are too few for %" PRId64 " partitions, each needs one", self->keys,
		               self->partitions);
		return leat_error_at(err, "keys");
	}
	self->anomaly_period = self->anomalies > 0 ? (int64_t)(1 / self->anomalies + 0.5) : 0;
	self->duplicate_period = self->duplicates > 0 ? (int64_t)(1 / self->duplicates + 0.5) : 0;
	for (size_t i = 0; i < N_FIELDS; i++) {
		self->member[i].name = field_names[i];
		self->member[i].name_n = (uint32_t)strlen(field_names[i]);
		self->member[i].symbol = leat_intern(ctx, field_names[i]);
	}
	self->member[PLANTED].value = leat_bool(true);
	self->user = calloc((size_t)self->keys, sizeof *self->user);
	if (self->user == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "could not get memory for %" PRId64 " keys", self->keys);
	make_users(self);
	return LEAT_OK;
}

static void destroy(void *self_)
{
	struct generate *self = self_;

	free(self->user);
}

static enum leat_status partitions(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	const struct generate *self = self_;

	(void)err;
	for (int32_t i = 0; i < self->partitions; i++)
		leat_partition(ctx, i);
	return LEAT_OK;
}

static enum leat_status open_reader(void *self_, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                    struct leat_context *ctx, struct leat_error *err)
{
	const struct generate *self = self_;
	struct leat_reader *r = calloc(1, sizeof *r);

	if (r == NULL)
		return leat_error_set(err, LEAT_RETRY, 0, "could not get memory for partition %" PRId32, partition);
	r->partition = partition;
	r->stream = mix(mix((uint64_t)self->seed) + (uint64_t)partition);
	r->users = self->keys / self->partitions + (partition < self->keys % self->partitions);
	r->round = -1;
	r->position = from == NULL ? 0 : from->offset;
	r->end = self->count == 0 ? INT64_MAX : self->count / self->partitions + (partition < self->count % self->partitions);
	r->paced_from_us = leat_now(ctx);
	r->paced_from = r->position;
	r->start_us = self->start_us != LEAT_NO_TIME ? self->start_us : r->paced_from_us;
	/* With `start: now` the time of the first event has to come along, or a restart would make other events. */
	if (from != NULL && self->start_us == LEAT_NO_TIME)
		(void)sscanf(from->note, "start %" SCNd64, &r->start_us);
	*reader = r;
	return LEAT_OK;
}

/* Positions that are due by now. After ten seconds without a poll the clock has jumped or the machine slept: start over. */
static int64_t count_due(const struct generate *self, struct leat_reader *r, int64_t now_us)
{
	double each_us = 1e6 * (double)self->partitions / (double)self->rate;
	double due = (double)(now_us - r->paced_from_us) / each_us - (double)(r->position - r->paced_from);

	if (due * each_us > 10e6 || due * each_us < -10e6) {
		r->paced_from_us = now_us;
		r->paced_from = r->position;
		return 1;
	}
	return (int64_t)due;
}

static enum leat_status poll_reader(void *self_, struct leat_reader *r, size_t max_bytes, struct leat_context *ctx,
                                    struct leat_error *err)
{
	const struct generate *self = self_;
	int64_t n = (int64_t)(max_bytes / BYTES_EACH) + 1;

	(void)err;
	if (r->position >= r->end)
		return LEAT_END;
	if (n > self->burst)
		n = self->burst;
	if (n > r->end - r->position)
		n = r->end - r->position;
	if (self->rate > 0) {
		int64_t due = count_due(self, r, leat_now(ctx)), each_us = 1000000 * self->partitions / self->rate;

		if (due <= 0) {
			leat_wait(ctx, each_us < 1000 ? 1000 : each_us);
			return LEAT_AGAIN;
		}
		if (n > due)
			n = due;
	}
	for (; n > 0; n--)
		push_position(self, r, ctx);
	return LEAT_OK;
}

static enum leat_status commit(void *self_, struct leat_reader *r, struct leat_position *position, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)self_;
	(void)ctx;
	(void)err;
	(void)snprintf(position->note, sizeof position->note, "start %" PRId64, r->start_us);
	return LEAT_OK;
}

static int64_t lag(void *self_, struct leat_reader *r)
{
	(void)self_;
	return r->end == INT64_MAX ? -1 : r->end - r->position;
}

static void close_reader(void *self_, struct leat_reader *r)
{
	(void)self_;
	free(r);
}

/* What makes the events of a partition; how many and how fast may change. */
static void identity(const void *self, struct leat_buffer *text)
{
	const struct generate *g = self;
	char words[160];

	(void)snprintf(words, sizeof words, "of seed %lld, %lld users in %lld partitions", (long long)g->seed, (long long)g->keys,
	               (long long)g->partitions);
	leat_buffer_text(text, words);
}

static const struct leat_option options[] = {
	LEAT_OPTION(INTEGER, struct generate, seed, "seed", "Another seed, other events.", .preset = "1", .minimum = 0,
	            .maximum = 1e15),
	LEAT_OPTION(INTEGER, struct generate, rate, "rate", "Events a second, over all partitions; 0 is as fast as possible.",
	            .preset = "0", .minimum = 0, .maximum = 1e8),
	LEAT_OPTION(INTEGER, struct generate, count, "count", "Events in all, then the source ends; 0 is without end.", .preset = "0",
	            .minimum = 0, .maximum = 1e15),
	LEAT_OPTION(INTEGER, struct generate, partitions, "partitions", "Partitions to share the users among.", .preset = "1",
	            .minimum = 1, .maximum = 1024),
	LEAT_OPTION(INTEGER, struct generate, keys, "keys", "Number of users.", .preset = "1000", .minimum = 1, .maximum = 1e7),
	LEAT_OPTION(REAL, struct generate, anomalies, "anomalies",
	            "Share of events with an amount far outside the user's own, marked planted; taken as one in a whole number.",
	            .preset = "0.001", .minimum = 0, .maximum = 0.5),
	LEAT_OPTION(REAL, struct generate, duplicates, "duplicates",
	            "Share of events that are a recent one again, with the same id; taken as one in a whole number.", .preset = "0.001",
	            .minimum = 0, .maximum = 0.5),
	LEAT_OPTION(TEXT, struct generate, start, "start", "Event time of the first event, such as 2026-01-31T12:00:00Z, or now.",
	            .preset = "2026-01-01T00:00:00Z"),
	LEAT_OPTION(INTEGER, struct generate, burst, "burst", "Most events handed over at once, also when catching up.",
	            .preset = "1000", .minimum = 1, .maximum = 100000),
	{ 0 },
};

static const struct leat_source_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct generate),
	.options = options,
	.can_replay = true,
	.is_decoded = true,
	.create = create,
	.partitions = partitions,
	.open = open_reader,
	.poll = poll_reader,
	.commit = commit,
	.lag = lag,
	.close = close_reader,
	.destroy = destroy,
	.identity = identity,
};

LEAT_PLUGIN(.name = "generate", .version = "1.0", .summary = "Synthetic payments with planted anomalies and duplicates.",
            .licence = "Apache-2.0", .source = &ops);
