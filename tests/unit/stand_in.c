/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/stand_in.h"

#include <leat/plugin.h>

#define STAND_IN(...) { .magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT, \
	                .version = "1", .summary = "Stands in for the real one.", __VA_ARGS__ }

/* ---- what is never called, but has to be there ------------------------------------------------------------------- */

static enum leat_status partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status open_reader(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                    struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)partition, (void)from, (void)reader, (void)ctx, (void)err;
	return LEAT_RETRY;
}

static enum leat_status poll_reader(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx,
                                    struct leat_error *err)
{
	(void)self, (void)reader, (void)max_bytes, (void)ctx, (void)err;
	return LEAT_AGAIN;
}

static void close_reader(void *self, struct leat_reader *reader)
{
	(void)self, (void)reader;
}

static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)record, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status encode(const void *self, const struct leat_record *record, struct leat_buffer *effect, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)self, (void)record, (void)effect, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status claim(void *self, const struct leat_claim *c, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	(void)self, (void)c, (void)found, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)delivery, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status decode(void *self, const char *bytes, size_t n, struct leat_value *out, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)self, (void)bytes, (void)n, (void)out, (void)ctx, (void)err;
	return LEAT_REJECT;
}

static enum leat_status encode_value(void *self, const struct leat_value *value, struct leat_buffer *out, struct leat_context *ctx,
                                     struct leat_error *err)
{
	(void)self, (void)value, (void)out, (void)ctx, (void)err;
	return LEAT_REJECT;
}

#define SOURCE_HOOKS .size = sizeof(struct leat_source_ops), .partitions = partitions, .open = open_reader, .poll = poll_reader, \
	.close = close_reader
static enum leat_guarantee transactional(const void *self)
{
	(void)self;
	return LEAT_TRANSACTIONAL;
}

#define SINK_HOOKS .size = sizeof(struct leat_sink_ops), .encode = encode, .claim = claim, .deliver = deliver

/* ---- sources and sinks ------------------------------------------------------------------------------------------- */

struct options {
	const char *brokers, *topic, *path, *table, *command;
	struct leat_texts upsert;
	const struct leat_template *key;
	int64_t rate, count, seed;
};

#define OPTION(type_, member_, flags_) LEAT_OPTION(type_, struct options, member_, #member_, "As the real one.", .flags = (flags_))

static const struct leat_option kafka_options[] = {
	OPTION(TEXT, brokers, LEAT_OPTION_REQUIRED), OPTION(TEXT, topic, LEAT_OPTION_REQUIRED), { 0 },
};
static const struct leat_source_ops kafka_source = { SOURCE_HOOKS, .instance_size = sizeof(struct options), .options = kafka_options,
	                                             .can_replay = true };
static const struct leat_sink_ops kafka_sink = { SINK_HOOKS, .guarantee = transactional, .instance_size = sizeof(struct options), .options = kafka_options,
	                                         .is_encoded = true };
static const struct leat_plugin kafka = STAND_IN(.name = "kafka", .source = &kafka_source, .sink = &kafka_sink);

static const struct leat_option file_options[] = { OPTION(TEXT, path, LEAT_OPTION_REQUIRED), { 0 } };
static const struct leat_source_ops file_source = { SOURCE_HOOKS, .instance_size = sizeof(struct options), .options = file_options };
static const struct leat_sink_ops file_sink = { SINK_HOOKS, .guarantee = transactional, .instance_size = sizeof(struct options), .options = file_options,
	                                        .is_encoded = true };
static const struct leat_plugin file = STAND_IN(.name = "file", .source = &file_source, .sink = &file_sink);

static const struct leat_option generate_options[] = {
	LEAT_OPTION(INTEGER, struct options, rate, "rate", "As the real one.", .minimum = 0, .maximum = 1e8),
	LEAT_OPTION(INTEGER, struct options, count, "count", "As the real one.", .minimum = 0, .maximum = 1e15),
	LEAT_OPTION(INTEGER, struct options, seed, "seed", "As the real one.", .minimum = 0, .maximum = 1e15),
	{ 0 },
};
static const struct leat_source_ops generate_source = { SOURCE_HOOKS, .instance_size = sizeof(struct options),
	                                                .options = generate_options, .is_decoded = true };
static const struct leat_plugin generate = STAND_IN(.name = "generate", .source = &generate_source);

static const struct leat_option postgres_options[] = {
	OPTION(TEXT, table, LEAT_OPTION_REQUIRED), OPTION(TEXTS, upsert, 0), { 0 },
};
static const struct leat_sink_ops postgres_sink = { SINK_HOOKS, .guarantee = transactional, .instance_size = sizeof(struct options), .options = postgres_options,
	                                            .is_encoded = true };
static const struct leat_plugin postgres = STAND_IN(.name = "postgres", .sink = &postgres_sink);

static const struct leat_option redis_options[] = { OPTION(TEXT, command, 0), OPTION(TEMPLATE, key, 0), { 0 } };
static const struct leat_sink_ops redis_sink = { SINK_HOOKS, .guarantee = transactional, .instance_size = sizeof(struct options), .options = redis_options,
	                                         .is_encoded = true };
static const struct leat_plugin redis = STAND_IN(.name = "redis", .sink = &redis_sink);

static const struct leat_sink_ops stdout_sink = { SINK_HOOKS, .is_encoded = true };
static const struct leat_plugin to_stdout = STAND_IN(.name = "stdout", .sink = &stdout_sink);

/* ---- operators --------------------------------------------------------------------------------------------------- */

struct dedup {
	int64_t within_us;
};

static const struct leat_option dedup_options[] = {
	LEAT_OPTION(DURATION, struct dedup, within_us, "within", "As the real one.", .preset = "10m", .minimum = 1e3,
	            .maximum = 365 * 86400e6),
	{ 0 },
};
static const struct leat_operator_ops dedup_ops = { .size = sizeof dedup_ops, .instance_size = sizeof(struct dedup),
	                                            .options = dedup_options, .process = process, .keeps_records = true };
static const struct leat_plugin dedup = STAND_IN(.name = "dedup", .op = &dedup_ops);

static const struct leat_operator_ops plain_ops = { .size = sizeof plain_ops, .process = process };
static const struct leat_operator_ops filter_ops = { .size = sizeof filter_ops, .process = process, .keeps_records = true };
static const struct leat_plugin filter = STAND_IN(.name = "filter", .op = &filter_ops);
static const struct leat_plugin map = STAND_IN(.name = "map", .op = &plain_ops);
static const struct leat_plugin aggregate = STAND_IN(.name = "aggregate", .op = &plain_ops);

struct lua {
	const char *script;
};

static const struct leat_option lua_options[] = {
	LEAT_OPTION(TEXT, struct lua, script, "script", "As the real one.", .flags = LEAT_OPTION_REQUIRED | LEAT_OPTION_PATH), { 0 },
};
static const char *const lua_ports[] = { "out", "alerts", NULL };
static const struct leat_operator_ops lua_ops = { .size = sizeof lua_ops, .instance_size = sizeof(struct lua), .options = lua_options,
	                                          .ports = lua_ports, .process = process };
static const struct leat_plugin lua = STAND_IN(.name = "lua", .op = &lua_ops);

/* ---- picky ------------------------------------------------------------------------------------------------------- */

int stand_in_alive;

struct picky {
	const char *refuse; /* what create() says, at the option `where` */
	const char *where;
	bool is_away; /* what check() says */
	struct leat_texts ports;
	struct leat_pairs parts;
	const char **list;
	leat_symbol symbol;
};

static const struct leat_option picky_options[] = {
	LEAT_OPTION(TEXT, struct picky, refuse, "refuse", "Reason that create() gives.", .flags = 0),
	LEAT_OPTION(TEXT, struct picky, where, "where", "Option that it names.", .flags = 0),
	LEAT_OPTION(BOOL, struct picky, is_away, "away", "Whether check() fails.", .flags = 0),
	LEAT_OPTION(TEXTS, struct picky, ports, "ports", "Ports besides out.", .flags = 0),
	LEAT_OPTION(PAIRS, struct picky, parts, "parts", "To point at.", .flags = 0),
	{ 0 },
};

static enum leat_status create_picky(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct picky *p = self;
	size_t i;

	stand_in_alive++;
	leat_table_ttl(ctx, 0, 1000000);
	p->symbol = leat_intern(ctx, "picked");
	p->list = calloc(p->ports.n + 2, sizeof *p->list);
	if (p->list == NULL)
		abort();
	p->list[0] = "out";
	for (i = 0; i < p->ports.n; i++)
		p->list[i + 1] = p->ports.item[i];
	if (p->refuse != NULL) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "%s", p->refuse);
		return leat_error_at(err, p->where != NULL ? p->where : "");
	}
	return LEAT_OK;
}

static enum leat_status check_picky(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct picky *p = self;

	(void)ctx;
	if (!p->is_away)
		return LEAT_OK;
	(void)leat_error_set(err, LEAT_RETRY, 0, "could not connect to 127.0.0.1:1: connection refused");
	return leat_error_at(err, "away");
}

static const char *const *list_picky_ports(const void *self)
{
	const struct picky *p = self;

	return p->list;
}

static void destroy_picky(void *self)
{
	struct picky *p = self;

	free(p->list);
	stand_in_alive--;
}

static const struct leat_table_spec picky_tables[] = {
	{ .name = "seen", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "What was seen." }, { 0 },
};
static const struct leat_operator_ops picky_ops = { .size = sizeof picky_ops, .instance_size = sizeof(struct picky),
	                                            .options = picky_options, .tables = picky_tables, .process = process,
	                                            .create = create_picky, .check = check_picky, .list_ports = list_picky_ports,
	                                            .destroy = destroy_picky };
static const struct leat_plugin picky = STAND_IN(.name = "picky", .op = &picky_ops);

/* An operator that claims an option of the host's for itself. */
struct greedy {
	const char *key;
};

static const struct leat_option greedy_options[] = {
	LEAT_OPTION(TEXT, struct greedy, key, "key", "Not its to read.", .flags = 0), { 0 },
};
static const struct leat_operator_ops greedy_ops = { .size = sizeof greedy_ops, .instance_size = sizeof(struct greedy),
	                                             .options = greedy_options, .process = process };
static const struct leat_plugin greedy = STAND_IN(.name = "greedy", .op = &greedy_ops);

static const char *const join_inputs[] = { "left", "right", NULL };
static const struct leat_operator_ops join_ops = { .size = sizeof join_ops, .process = process, .inputs = join_inputs };
static const struct leat_plugin join = STAND_IN(.name = "join", .op = &join_ops);

/* ---- codecs ------------------------------------------------------------------------------------------------------ */

static const struct leat_codec_ops codec_ops = { .size = sizeof codec_ops, .decode = decode, .encode = encode_value };
static const struct leat_plugin json = STAND_IN(.name = "json", .codec = &codec_ops);

struct leat_registry *stand_in_registry_without_file(void)
{
	static const struct leat_plugin *const all[] = { &kafka, &generate, &postgres, &redis, &to_stdout, &dedup, &filter, &map, &aggregate,
		                                         &lua, &picky, &greedy, &join, &json };
	struct leat_registry *registry = leat_registry_create();
	size_t i;

	for (i = 0; i < sizeof all / sizeof *all; i++)
		leat_registry_add(registry, all[i]);
	return registry;
}

struct leat_registry *stand_in_registry(void)
{
	struct leat_registry *registry = stand_in_registry_without_file();

	leat_registry_add(registry, &file);
	return registry;
}
