/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/options.h"
#include "unit/fixture.h"
#include "unit/unit.h"

struct all {
	bool flag;
	int64_t rate;
	double share;
	const char *topic;
	int64_t wait_us;
	int64_t most;
	int start;
	struct leat_texts brokers;
	struct leat_pairs client;
	const struct leat_path *field;
	struct leat_paths fields;
	leat_symbol into;
	const struct leat_template *key;
	struct leat_templates columns;
	const char *password;
	const char *script;
	struct leat_aggregates totals;
};

static const char *const starts[] = { "earliest", "latest", "stored", NULL };

static const struct leat_option table[] = {
	LEAT_OPTION(BOOL, struct all, flag, "flag", "A flag.", .preset = "yes"),
	LEAT_OPTION(INTEGER, struct all, rate, "rate", "Events a second.", .preset = "100", .minimum = 1, .maximum = 1000000),
	LEAT_OPTION(REAL, struct all, share, "share", "A share.", .preset = "0.5", .minimum = 0, .maximum = 1),
	LEAT_OPTION(TEXT, struct all, topic, "topic", "The topic.", .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(DURATION, struct all, wait_us, "wait", "How long.", .preset = "20ms", .minimum = 1e3, .maximum = 3.6e9),
	LEAT_OPTION(SIZE, struct all, most, "most", "How much.", .preset = "64KiB"),
	LEAT_OPTION(CHOICE, struct all, start, "start", "Where to begin.", .preset = "latest", .choices = starts),
	LEAT_OPTION(TEXTS, struct all, brokers, "brokers", "Where.", .preset = "[a:1, b:2]"),
	LEAT_OPTION(PAIRS, struct all, client, "client", "Settings of the client."),
	LEAT_OPTION(FIELD, struct all, field, "field", "A field."),
	LEAT_OPTION(FIELDS, struct all, fields, "fields", "Fields."),
	LEAT_OPTION(NAME, struct all, into, "into", "A name.", .preset = "score"),
	LEAT_OPTION(TEMPLATE, struct all, key, "key", "A template."),
	LEAT_OPTION(TEMPLATES, struct all, columns, "columns", "Templates."),
	LEAT_OPTION(TEXT, struct all, password, "password", "A secret.", .flags = LEAT_OPTION_SECRET),
	LEAT_OPTION(TEXT, struct all, script, "script", "A path.", .flags = LEAT_OPTION_PATH),
	LEAT_OPTION(AGGREGATES, struct all, totals, "totals", "Aggregates."),
	{ 0 },
};

/* ---- settings by hand ----------------------------------------------------------------------------------------------- */

static const struct leat_place at_node = { "p.yaml", 3, 3 };

static struct leat_setting scalar(const char *name, const char *text, unsigned line)
{
	return (struct leat_setting){ .kind = LEAT_SETTING_SCALAR,
		                      .name = name,
		                      .text = text,
		                      .name_place = { "p.yaml", line, 5 },
		                      .place = { "p.yaml", line, 12 } };
}

static struct leat_setting quoted(const char *name, const char *text, unsigned line)
{
	struct leat_setting s = scalar(name, text, line);

	s.is_quoted = true;
	return s;
}

static struct leat_setting nest(const char *name, enum leat_setting_kind kind, const struct leat_setting *item, size_t n,
                                unsigned line)
{
	struct leat_setting s = scalar(name, NULL, line);

	s.kind = kind;
	s.item = item;
	s.n = n;
	return s;
}

struct filled {
	struct all self;
	bool is_good;
	char *report;
	struct leat_arena *arena;
	struct leat_symbols *symbols;
};

static struct filled fill_in(const char *folder, const struct leat_setting *item, size_t n)
{
	static const char *const common[] = { "type", "input", NULL };
	struct filled f = { .arena = leat_arena_create(), .symbols = leat_symbols_create() };
	struct leat_report *report = leat_report_create();
	struct leat_option_fill fill = { .arena = f.arena,
		                         .symbols = f.symbols,
		                         .report = report,
		                         .folder = folder,
		                         .owner = "kafka source",
		                         .common = common };
	struct leat_setting map = { .kind = LEAT_SETTING_MAP, .name = "n", .name_place = at_node, .item = item, .n = n };
	size_t size;
	FILE *out = open_memstream(&f.report, &size);

	ck_assert_ptr_nonnull(out);
	f.is_good = leat_options_fill(&f.self, table, &map, &fill);
	ck_assert_int_eq(f.is_good, leat_report_errors(report) == 0);
	leat_report_print(report, out);
	(void)fclose(out);
	leat_report_destroy(report);
	return f;
}

static void finish(struct filled *f)
{
	free(f->report);
	leat_symbols_destroy(f->symbols);
	leat_arena_unref(f->arena);
}

#define FILL(...) \
	fill_in("/etc/leat", (const struct leat_setting[]){ __VA_ARGS__ }, \
	        sizeof((const struct leat_setting[]){ __VA_ARGS__ }) / sizeof(struct leat_setting))

/* The report, with a topic given so that it is not asked for. */
#define ASSERT_REPORT(expected, ...)                                      \
	do {                                                              \
		struct filled f_ = FILL(scalar("topic", "t", 1), __VA_ARGS__); \
		ck_assert_str_eq(f_.report, expected);                    \
		finish(&f_);                                              \
	} while (0)

/* ---- what is right -------------------------------------------------------------------------------------------------- */

START_TEST(presets_fill_what_the_file_leaves_out)
{
	struct filled f = FILL(scalar("topic", "payments", 4), scalar("type", "kafka", 5));

	ck_assert_str_eq(f.report, "");
	ck_assert(f.self.flag);
	ck_assert_int_eq(f.self.rate, 100);
	ck_assert_double_eq(f.self.share, 0.5);
	ck_assert_str_eq(f.self.topic, "payments");
	ck_assert_int_eq(f.self.wait_us, 20000);
	ck_assert_int_eq(f.self.most, 65536);
	ck_assert_int_eq(f.self.start, 1);
	ck_assert_uint_eq(f.self.brokers.n, 2);
	ck_assert_str_eq(f.self.brokers.item[0], "a:1");
	ck_assert_str_eq(f.self.brokers.item[1], "b:2");
	ck_assert_uint_eq(f.self.client.n, 0);
	ck_assert_ptr_null(f.self.field);
	ck_assert_uint_eq(f.self.into, leat_symbols_find(f.symbols, "score", 5));
	ck_assert_ptr_null(f.self.key);
	ck_assert_ptr_null(f.self.password);
	finish(&f);
}
END_TEST

START_TEST(every_type_is_read_into_its_member)
{
	const struct leat_setting brokers[] = { scalar(NULL, "x:1", 9), scalar(NULL, "9092", 9), quoted(NULL, "z", 9) };
	const struct leat_setting client[] = { scalar("acks", "all", 10), scalar("linger.ms", "5", 10) };
	const struct leat_setting columns[] = { scalar("id", "{id}", 11) };
	struct filled f = FILL(scalar("flag", "off", 1), scalar("rate", "1000000", 2), scalar("share", "1e-3", 3),
	                       quoted("topic", "5", 4), scalar("wait", "1h", 5), scalar("most", "10MB", 6), quoted("start", "stored", 7),
	                       nest("brokers", LEAT_SETTING_LIST, brokers, 3, 9), nest("client", LEAT_SETTING_MAP, client, 2, 10),
	                       scalar("field", "user.country", 11), scalar("fields", "one", 12), scalar("into", "z", 13),
	                       scalar("key", "user:{user}", 14), nest("columns", LEAT_SETTING_MAP, columns, 1, 15),
	                       scalar("password", "hidden", 16), scalar("script", "rules/score.lua", 17));

	ck_assert_str_eq(f.report, "");
	ck_assert(!f.self.flag);
	ck_assert_int_eq(f.self.rate, 1000000);
	ck_assert_double_eq(f.self.share, 0.001);
	ck_assert_str_eq(f.self.topic, "5");
	ck_assert_int_eq(f.self.wait_us, 3600000000);
	ck_assert_int_eq(f.self.most, 10000000);
	ck_assert_int_eq(f.self.start, 2);
	ck_assert_uint_eq(f.self.brokers.n, 3);
	ck_assert_str_eq(f.self.brokers.item[1], "9092");
	ck_assert_uint_eq(f.self.client.n, 2);
	ck_assert_str_eq(f.self.client.item[1].name, "linger.ms");
	ck_assert_str_eq(f.self.client.item[1].text, "5");
	ck_assert_uint_eq(f.self.field->n, 2);
	ck_assert_uint_eq(f.self.fields.n, 1);
	ck_assert_uint_eq(f.self.into, leat_symbols_find(f.symbols, "z", 1));
	ck_assert_ptr_nonnull(f.self.key);
	ck_assert_uint_eq(f.self.columns.n, 1);
	ck_assert_str_eq(f.self.columns.item[0].name, "id");
	ck_assert_str_eq(f.self.password, "hidden");
	ck_assert_str_eq(f.self.script, "/etc/leat/rules/score.lua");
	finish(&f);
}
END_TEST

START_TEST(aggregates_say_which_function_of_what)
{
	const struct leat_setting totals[] = { scalar("n", "count()", 2), scalar("top", "topn(a.b, 2 + 1, lower(c))", 3),
		                               scalar("p", "quantile(a * 2, 0.99)", 4) };
	struct filled f = FILL(scalar("topic", "t", 1), nest("totals", LEAT_SETTING_MAP, totals, 3, 2));
	const struct leat_aggregate *a = f.self.totals.item;

	ck_assert_str_eq(f.report, "");
	ck_assert_uint_eq(f.self.totals.n, 3);
	ck_assert_uint_eq(a[0].name, leat_symbols_find(f.symbols, "n", 1));
	ck_assert(a[0].function == LEAT_AGGREGATE_COUNT && a[0].argument == NULL && a[0].field == NULL && a[0].label == NULL);
	ck_assert_str_eq(a[1].text, "top");
	ck_assert_str_eq(a[1].source, "topn(a.b, 2 + 1, lower(c))");
	ck_assert(a[1].function == LEAT_AGGREGATE_TOPN && a[1].argument != NULL && a[1].label != NULL);
	ck_assert_str_eq(a[1].field->text, "a.b");
	ck_assert_double_eq(a[1].constant, 3);
	ck_assert(a[2].function == LEAT_AGGREGATE_QUANTILE && a[2].argument != NULL && a[2].field == NULL);
	ck_assert_double_eq(a[2].constant, 0.99);
	finish(&f);
}
END_TEST

START_TEST(an_absolute_path_stays_as_it_is)
{
	struct filled f = FILL(scalar("topic", "t", 1), scalar("script", "/srv/x.lua", 2));

	ck_assert_str_eq(f.self.script, "/srv/x.lua");
	finish(&f);
}
END_TEST

/* ---- what is wrong -------------------------------------------------------------------------------------------------- */

START_TEST(an_unknown_option_is_named_with_the_nearest_one)
{
	ASSERT_REPORT("p.yaml:7:5: error: kafka source has no option \"topc\"; did you mean \"topic\"?\n", scalar("topc", "t", 7));
	ASSERT_REPORT("p.yaml:7:5: error: kafka source has no option \"inptu\"; did you mean \"input\"?\n", scalar("inptu", "t", 7));
	ASSERT_REPORT("p.yaml:7:5: error: kafka source has no option \"pasword_file\"; did you mean \"password_file\"?\n",
	              scalar("pasword_file", "t", 7));
	ASSERT_REPORT("p.yaml:7:5: error: kafka source has no option \"zzzzzz\"\n", scalar("zzzzzz", "t", 7));
	ASSERT_REPORT("p.yaml:7:5: error: kafka source has no option \"script_file\"\n", scalar("script_file", "t", 7));
}
END_TEST

START_TEST(a_value_of_another_type_or_out_of_range_is_told_with_what_is_expected)
{
	const struct leat_setting list[] = { scalar(NULL, "x", 2) };

	ASSERT_REPORT("p.yaml:2:12: error: option \"rate\" must be an integer from 1 to 1000000, not \"fast\"\n",
	              scalar("rate", "fast", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"rate\" must be an integer from 1 to 1000000, not \"0\"\n", scalar("rate", "0", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"rate\" must be an integer from 1 to 1000000, not \"1.5\"\n",
	              scalar("rate", "1.5", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"rate\" must be an integer from 1 to 1000000, not the text \"5\"\n",
	              quoted("rate", "5", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"rate\" must be an integer from 1 to 1000000, not \"99999999999999999999\"\n",
	              scalar("rate", "99999999999999999999", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"flag\" must be true or false, not \"maybe\"\n", scalar("flag", "maybe", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"share\" must be a number from 0 to 1, not \"1.01\"\n", scalar("share", "1.01", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"share\" must be a number from 0 to 1, not \"nan\"\n", scalar("share", "nan", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"wait\" must be a duration such as 20ms or 5s from 1ms to 1h, not \"5\"\n",
	              scalar("wait", "5", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"wait\" must be a duration such as 20ms or 5s from 1ms to 1h, not \"61m\"\n",
	              scalar("wait", "61m", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"most\" must be a size such as 64KiB or 10MB, not \"10 MB\"\n",
	              scalar("most", "10 MB", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"start\" must be one of earliest, latest, stored, not \"erliest\"; did you mean "
	              "\"earliest\"?\n",
	              scalar("start", "erliest", 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"wait\" must be a duration such as 20ms or 5s from 1ms to 1h, not a list\n",
	              nest("wait", LEAT_SETTING_LIST, list, 1, 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"script\" must be a text, but has no value\n", scalar("script", NULL, 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"client\" must be a map of texts, not a list\n",
	              nest("client", LEAT_SETTING_LIST, list, 1, 2));
	ASSERT_REPORT("p.yaml:2:12: error: option \"brokers\" must be a text or a list of texts, not a map\n",
	              nest("brokers", LEAT_SETTING_MAP, NULL, 0, 2));
}
END_TEST

START_TEST(all_mistakes_are_told_in_one_run)
{
	struct filled f = FILL(scalar("rate", "x", 5), scalar("flag", "y", 6), scalar("fast", "1", 7), scalar("rate", "1", 8));

	ck_assert_str_eq(f.report, "p.yaml:3:3: error: kafka source needs the option \"topic\"\n"
	                           "p.yaml:5:12: error: option \"rate\" must be an integer from 1 to 1000000, not \"x\"\n"
	                           "p.yaml:6:12: error: option \"flag\" must be true or false, not \"y\"\n"
	                           "p.yaml:7:5: error: kafka source has no option \"fast\"\n"
	                           "p.yaml:8:5: error: option \"rate\" is given twice\n");
	finish(&f);
}
END_TEST

START_TEST(a_mistake_inside_a_list_or_map_stands_at_its_item)
{
	const struct leat_setting brokers[] = { scalar(NULL, "x", 8), nest(NULL, LEAT_SETTING_LIST, NULL, 0, 9) };
	const struct leat_setting client[] = { scalar("a", NULL, 11), scalar("b", "c", 12) };

	ASSERT_REPORT("p.yaml:9:12: error: option \"brokers\" must be a text or a list of texts, not a list\n",
	              nest("brokers", LEAT_SETTING_LIST, brokers, 2, 7));
	ASSERT_REPORT("p.yaml:11:12: error: option \"client\" must be a map of texts, but has no value\n",
	              nest("client", LEAT_SETTING_MAP, client, 2, 10));
}
END_TEST

START_TEST(a_mistake_in_an_aggregate_stands_at_its_column)
{
	const struct leat_setting totals[] = { scalar("a", "sum(b, c)", 2), scalar("b", "quantile(x, 99)", 3), scalar("c", NULL, 4),
		                               scalar("d", "maxx(x)", 5), quoted("e", "sum(x", 6) };

	ASSERT_REPORT("p.yaml:2:12: error: option \"totals\": sum() takes a number, as in sum(amount)\n"
	              "p.yaml:3:24: error: option \"totals\": the quantile must be a constant from 0 to 1\n"
	              "p.yaml:4:12: error: option \"totals\" must be a map of names to aggregates such as sum(amount), but has no value\n"
	              "p.yaml:5:12: error: option \"totals\": there is no aggregate \"maxx\"; did you mean \"max\"?\n"
	              "p.yaml:6:12: error: option \"totals\": sum( has no \")\" at column 6; where { } are around it, a function with a "
	              "comma goes in quotes\n",
	              nest("totals", LEAT_SETTING_MAP, totals, 5, 2));
}
END_TEST

START_TEST(what_a_compiler_refuses_is_told_at_its_column)
{
	struct filled plain = FILL(scalar("topic", "t", 1), scalar("key", "user:{user", 2));
	struct filled in_quotes = FILL(scalar("topic", "t", 1), quoted("key", "user:{user", 2));

	ck_assert_msg(strncmp(plain.report, "p.yaml:2:17: error: option \"key\": ", 34) == 0, "%s", plain.report);
	ck_assert_ptr_null(strstr(plain.report, "column"));
	ck_assert_msg(strncmp(in_quotes.report, "p.yaml:2:12: error: option \"key\": ", 34) == 0, "%s", in_quotes.report);
	ck_assert_ptr_nonnull(strstr(in_quotes.report, "at column 6"));
	finish(&plain);
	finish(&in_quotes);
}
END_TEST

/* ---- secrets -------------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/leat-test-XXXXXX";

static void write_secret(const char *text, mode_t mode)
{
	char path[64];
	FILE *out;

	(void)snprintf(path, sizeof path, "%s/secret", folder);
	(void)unlink(path);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	(void)fputs(text, out);
	(void)fclose(out);
	ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(a_secret_comes_from_a_file_beside_the_pipeline_without_its_newline)
{
	const struct leat_setting item[] = { scalar("topic", "t", 1), scalar("password_file", "secret", 2) };
	struct filled f;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_secret(" pass word \n", 0600);
	f = fill_in(folder, item, 2);
	ck_assert_str_eq(f.report, "");
	ck_assert_str_eq(f.self.password, " pass word ");
	finish(&f);
	write_secret("two\nlines\r\n", 0440);
	f = fill_in(folder, item, 2);
	ck_assert_str_eq(f.self.password, "two\nlines");
	finish(&f);
	write_secret("", 0400);
	f = fill_in(folder, item, 2);
	ck_assert_str_eq(f.self.password, "");
	finish(&f);
	remove_scratch(folder);
}
END_TEST

START_TEST(a_secret_file_that_others_may_read_is_refused_and_its_text_is_not_shown)
{
	const struct leat_setting item[] = { scalar("topic", "t", 1), scalar("password_file", "secret", 2) };
	struct filled f;
	char expected[256];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_secret("hunter2\n", 0644);
	f = fill_in(folder, item, 2);
	(void)snprintf(expected, sizeof expected,
	               "p.yaml:2:12: error: cannot use \"%s/secret\" for option \"password\": others may read it (mode 0644, "
	               "expected 0600)\n",
	               folder);
	ck_assert_str_eq(f.report, expected);
	ck_assert_ptr_null(f.self.password);
	finish(&f);
	remove_scratch(folder);
}
END_TEST

START_TEST(a_secret_file_that_is_not_there_or_no_file_is_told)
{
	struct filled f = FILL(scalar("topic", "t", 1), scalar("password_file", "/nowhere/secret", 2));

	ck_assert_str_eq(f.report, "p.yaml:2:12: error: could not read the file of option \"password\", \"/nowhere/secret\": "
	                           "No such file or directory\n");
	finish(&f);
	f = FILL(scalar("topic", "t", 1), scalar("password_file", "/", 2));
	ck_assert_str_eq(f.report, "p.yaml:2:12: error: cannot use \"/\" for option \"password\": it is not a regular file\n");
	finish(&f);
}
END_TEST

START_TEST(a_secret_and_its_file_exclude_each_other)
{
	ASSERT_REPORT("p.yaml:3:5: error: options \"password\" and \"password_file\" exclude each other\n", scalar("password", "a", 2),
	              scalar("password_file", "b", 3));
}
END_TEST

/* ---- scalars -------------------------------------------------------------------------------------------------------- */

START_TEST(durations_and_sizes_have_units_and_do_not_overflow)
{
	int64_t n = -1;

	ck_assert(leat_parse_duration("250us", &n) && n == 250);
	ck_assert(leat_parse_duration("10m", &n) && n == 600000000);
	ck_assert(leat_parse_duration("7d", &n) && n == INT64_C(604800000000));
	ck_assert(leat_parse_duration("0", &n) && n == 0);
	ck_assert(!leat_parse_duration("", &n) && !leat_parse_duration("ms", &n) && !leat_parse_duration("-1s", &n));
	ck_assert(!leat_parse_duration("1.5s", &n) && !leat_parse_duration("1 s", &n) && !leat_parse_duration("1S", &n));
	ck_assert(!leat_parse_duration("106751992d", &n));
	ck_assert(leat_parse_duration("106751991d", &n));
	ck_assert(leat_parse_size("512", &n) && n == 512);
	ck_assert(leat_parse_size("1GiB", &n) && n == 1 << 30);
	ck_assert(leat_parse_size("3MB", &n) && n == 3000000);
	ck_assert(!leat_parse_size("9223372036854775808", &n) && !leat_parse_size("1kib", &n) && !leat_parse_size("8388608TiB", &n));
}
END_TEST

/* ---- faults of tables ----------------------------------------------------------------------------------------------- */

static void assert_fault(const char *expected, struct leat_option option)
{
	const struct leat_option faulty[] = { option, { 0 } };
	struct leat_error err;

	ck_assert(leat_options_fault(faulty, sizeof(struct all), &err));
	ck_assert_str_eq(err.text, expected);
}

START_TEST(a_faulty_table_is_found_when_it_is_loaded)
{
	const struct leat_option twice[] = { table[0], table[1], table[0], { 0 } };
	struct leat_error err;

	ck_assert(!leat_options_fault(table, sizeof(struct all), &err));
	ck_assert(!leat_options_fault(NULL, 0, &err));
	ck_assert(leat_options_fault(twice, sizeof(struct all), &err));
	ck_assert_str_eq(err.text, "option \"flag\" is there twice");
	assert_fault("option \"x\" has no prose", (struct leat_option){ .name = "x", .type = LEAT_OPTION_BOOL });
	assert_fault("option \"x\" has a type that this host does not know",
	             (struct leat_option){ .name = "x", .type = (enum leat_option_type)99, .prose = "P." });
	assert_fault("option \"x\" fills a member outside the instance",
	             (struct leat_option){ .name = "x", .type = LEAT_OPTION_TEXT, .offset = sizeof(struct all) - 4, .prose = "P." });
	assert_fault("option \"x\" has no choices", (struct leat_option){ .name = "x", .type = LEAT_OPTION_CHOICE, .prose = "P." });
	assert_fault("option \"x\" is secret but no text",
	             (struct leat_option){ .name = "x", .type = LEAT_OPTION_BOOL, .flags = LEAT_OPTION_SECRET, .prose = "P." });
	assert_fault("option \"x\" has a minimum above its maximum",
	             (struct leat_option){ .name = "x", .type = LEAT_OPTION_INTEGER, .minimum = 2, .maximum = 1, .prose = "P." });
	assert_fault("the preset of an option is not of its type: option \"x\" must be an integer, not \"ten\"",
	             (struct leat_option){ .name = "x", .type = LEAT_OPTION_INTEGER, .preset = "ten", .prose = "P." });
	assert_fault("the preset of an option is not of its type: option \"x\" must be a map of texts, not \"a\"",
	             (struct leat_option){ .name = "x", .type = LEAT_OPTION_PAIRS, .preset = "a", .prose = "P." });
}
END_TEST

static void assert_description(const char *expected, const struct leat_option *option)
{
	struct leat_buffer words = { 0 };

	leat_option_describe(option, &words);
	leat_buffer_byte(&words, '\0');
	ck_assert_str_eq(words.data, expected);
	leat_buffer_finish(&words);
}

START_TEST(an_option_is_described_with_its_range)
{
	const struct leat_option open_ended = {
		.name = "x", .type = LEAT_OPTION_SIZE, .minimum = 1024, .maximum = (double)INT64_MAX
	};
	const struct leat_option below = { .name = "x", .type = LEAT_OPTION_REAL, .minimum = -DBL_MAX, .maximum = 1.5 };

	assert_description("bool", &table[0]);
	assert_description("integer, 1 to 1000000", &table[1]);
	assert_description("duration, 1ms to 1h", &table[4]);
	assert_description("size", &table[5]);
	assert_description("one of earliest, latest, stored", &table[6]);
	assert_description("size, at least 1KiB", &open_ended);
	assert_description("number, at most 1.5", &below);
}
END_TEST

int main(void)
{
	return leat_test_main("options", (const TTest *[]){
		presets_fill_what_the_file_leaves_out,
		every_type_is_read_into_its_member,
		an_absolute_path_stays_as_it_is,
		an_unknown_option_is_named_with_the_nearest_one,
		a_value_of_another_type_or_out_of_range_is_told_with_what_is_expected,
		all_mistakes_are_told_in_one_run,
		a_mistake_inside_a_list_or_map_stands_at_its_item,
		what_a_compiler_refuses_is_told_at_its_column,
		aggregates_say_which_function_of_what,
		a_mistake_in_an_aggregate_stands_at_its_column,
		a_secret_comes_from_a_file_beside_the_pipeline_without_its_newline,
		a_secret_file_that_others_may_read_is_refused_and_its_text_is_not_shown,
		a_secret_file_that_is_not_there_or_no_file_is_told,
		a_secret_and_its_file_exclude_each_other,
		durations_and_sizes_have_units_and_do_not_overflow,
		a_faulty_table_is_found_when_it_is_loaded,
		an_option_is_described_with_its_range,
		NULL,
	});
}
