/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writes the events of Nexmark, persons, auctions and bids of an auction site, as JSON lines: the same ones for the same options.
 * Proportions, ids, hot keys and lengths of auctions follow the generator of github.com/nexmark/nexmark (package
 * com.github.nexmark.flink.generator), which goes back to Tucker, Tufte, Papadimos and Maier, "NEXMark: a benchmark for queries
 * over data streams" (2002). Different are: times count microseconds, so that no two events have the same one up to a million a
 * second; the first event is so early that midnight falls into the run, for queries by day; and numbers come from one seed.
 *
 * The number of an event is all: it says which kind the event is, its time, and which persons and auctions there are by then. Out of
 * order are numbers, as there: each `--disorder N` events are one group, and come in another, fixed order.
 */

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERSONS = 1, AUCTIONS = 3, BIDS = 46, ROUND = PERSONS + AUCTIONS + BIDS };
enum { FIRST_ID = 1000, FIRST_CATEGORY = 10, CATEGORIES = 5 };
enum { ACTIVE_PERSONS = 1000, AUCTIONS_IN_FLIGHT = 100, LEAD = 10 /* ids that are used before they are there */ };
enum { HOT_BATCH = 100, HOT_AUCTION = 2, HOT_SELLER = 4, HOT_BIDDER = 4, HOT_CHANNEL = 2 }; /* one in so many is not hot */
enum { CHANNELS = 10000, SCATTER = 953 /* a prime */ };
enum { MAX_FILES = 64, MAX_TEXT = 512 };

#define MIDNIGHT_US INT64_C(1436918400000000) /* 2015-07-15 */
#define BEFORE_US INT64_C(50000000)

struct generator {
	uint64_t count, rate, disorder, state;
	FILE *file[MAX_FILES];
	int n_files;
};

/* splitmix64, by Sebastiano Vigna. */
static uint64_t draw(struct generator *g)
{
	uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t draw_below(struct generator *g, uint64_t n)
{
	return draw(g) % n;
}

static const char *draw_text(struct generator *g, char *text, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		text[i] = (char)('a' + draw_below(g, 26));
	text[n] = '\0';
	return text;
}

/* So much that the event has about `size` bytes besides the names of its fields, as its other fields have `has`. */
static const char *draw_extra(struct generator *g, char *text, uint64_t size, uint64_t has)
{
	uint64_t spread = size > has ? (size - has) / 5 : 0;

	return draw_text(g, text, spread == 0 ? 0 : size - has - spread + draw_below(g, 2 * spread));
}

/* From a dollar to a million, in cents; their logarithm is uniform. */
static uint64_t draw_price(struct generator *g)
{
	double uniform = (double)(draw(g) >> 11) * 0x1p-53;

	return (uint64_t)llround(pow(10.0, uniform * 6.0) * 100.0);
}

/* Of the last person and auction up to event number `number`, counted from 0. */
static uint64_t last_person(uint64_t number)
{
	return number / ROUND * PERSONS;
}

static uint64_t last_auction(uint64_t number)
{
	uint64_t offset = number % ROUND;

	if (offset < PERSONS)
		return number < ROUND ? 0 : number / ROUND * AUCTIONS - 1;
	return number / ROUND * AUCTIONS + (offset < PERSONS + AUCTIONS ? offset - PERSONS : AUCTIONS - 1);
}

static uint64_t draw_person(struct generator *g, uint64_t number)
{
	uint64_t there = last_person(number) + 1;
	uint64_t active = there < ACTIVE_PERSONS ? there : ACTIVE_PERSONS;

	return there - active + draw_below(g, active + LEAD);
}

static uint64_t draw_auction(struct generator *g, uint64_t number)
{
	uint64_t last = last_auction(number);
	uint64_t first = last > AUCTIONS_IN_FLIGHT ? last - AUCTIONS_IN_FLIGHT : 0;

	return first + draw_below(g, last - first + 1 + LEAD);
}

static int64_t time_of(const struct generator *g, uint64_t number)
{
	return MIDNIGHT_US - BEFORE_US + (int64_t)(number * 1000000 / g->rate);
}

static void put_person(struct generator *g, FILE *to, uint64_t number)
{
	static const char *const first[] = { "Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hana", "Ines", "Jon", "Kim" };
	static const char *const last[] = { "Abt", "Berg", "Costa", "Dietz", "Evers", "Falk", "Grau", "Holm", "Ito" };
	static const char *const city[] = { "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle",
		                            "Kent", "Cheyenne" };
	static const char *const state[] = { "AZ", "CA", "ID", "OR", "WA", "WY" };
	char text[MAX_TEXT], extra[MAX_TEXT];

	(void)fprintf(to, "{\"type\":\"person\",\"date_time\":%" PRId64 ",\"id\":%" PRIu64, time_of(g, number),
	              last_person(number) + FIRST_ID);
	(void)fprintf(to, ",\"name\":\"%s", first[draw_below(g, 11)]);
	(void)fprintf(to, " %s\"", last[draw_below(g, 9)]);
	(void)fprintf(to, ",\"email_address\":\"%s@mail.com\"", draw_text(g, text, 7));
	(void)fprintf(to, ",\"credit_card\":\"%016" PRIu64 "\"", draw_below(g, UINT64_C(10000000000000000)));
	(void)fprintf(to, ",\"city\":\"%s\"", city[draw_below(g, 10)]);
	(void)fprintf(to, ",\"state\":\"%s\"", state[draw_below(g, 6)]);
	(void)fprintf(to, ",\"extra\":\"%s\"}\n", draw_extra(g, extra, 200, 64));
}

static uint64_t draw_seller(struct generator *g, uint64_t number)
{
	return draw_below(g, HOT_SELLER) > 0 ? last_person(number) / HOT_BATCH * HOT_BATCH : draw_person(g, number);
}

/* On the average an auction ends when so many others have begun as are in flight at a time. */
static int64_t draw_length(struct generator *g)
{
	uint64_t average = (uint64_t)AUCTIONS_IN_FLIGHT * ROUND / AUCTIONS * 1000000 / g->rate;

	return (int64_t)(1 + draw_below(g, 2 * average + 1));
}

static void put_auction(struct generator *g, FILE *to, uint64_t number)
{
	int64_t time = time_of(g, number);
	char text[MAX_TEXT], extra[MAX_TEXT];
	uint64_t bid = draw_price(g);

	(void)fprintf(to, "{\"type\":\"auction\",\"date_time\":%" PRId64 ",\"id\":%" PRIu64, time, last_auction(number) + FIRST_ID);
	(void)fprintf(to, ",\"item_name\":\"%s\"", draw_text(g, text, 3 + draw_below(g, 18)));
	(void)fprintf(to, ",\"description\":\"%s\"", draw_text(g, text, 3 + draw_below(g, 98)));
	(void)fprintf(to, ",\"initial_bid\":%" PRIu64 ",\"reserve\":%" PRIu64, bid, bid + draw_price(g));
	(void)fprintf(to, ",\"expires\":%" PRId64, time + draw_length(g));
	(void)fprintf(to, ",\"seller\":%" PRIu64, draw_seller(g, number) + FIRST_ID);
	(void)fprintf(to, ",\"category\":%u", FIRST_CATEGORY + (unsigned)draw_below(g, CATEGORIES));
	(void)fprintf(to, ",\"extra\":\"%s\"}\n", draw_extra(g, extra, 500, 110));
}

static uint64_t draw_bidder(struct generator *g, uint64_t number)
{
	/* The second of the batch: the hot bidder is not the hot seller. */
	return draw_below(g, HOT_BIDDER) > 0 ? last_person(number) / HOT_BATCH * HOT_BATCH + 1 : draw_person(g, number);
}

static void put_channel(struct generator *g, FILE *to)
{
	static const char *const hot[] = { "Google", "Facebook", "Baidu", "Apple" };
	uint64_t i;

	if (draw_below(g, HOT_CHANNEL) > 0) {
		i = draw_below(g, 4);
		(void)fprintf(to, ",\"channel\":\"%s\",\"url\":\"https://www.nexmark.com/%s/item.htm?query=1\"", hot[i], hot[i]);
		return;
	}
	i = draw_below(g, CHANNELS);
	(void)fprintf(to, ",\"channel\":\"channel-%u\",\"url\":\"https://www.nexmark.com/item.htm?query=1&channel_id=%u\"", (unsigned)i,
	              (unsigned)(i * SCATTER * SCATTER % CHANNELS));
}

static void put_bid(struct generator *g, FILE *to, uint64_t number)
{
	uint64_t auction = draw_below(g, HOT_AUCTION) > 0 ? last_auction(number) / HOT_BATCH * HOT_BATCH : draw_auction(g, number);
	char extra[MAX_TEXT];

	(void)fprintf(to, "{\"type\":\"bid\",\"date_time\":%" PRId64 ",\"auction\":%" PRIu64, time_of(g, number), auction + FIRST_ID);
	(void)fprintf(to, ",\"bidder\":%" PRIu64, draw_bidder(g, number) + FIRST_ID);
	(void)fprintf(to, ",\"price\":%" PRIu64, draw_price(g));
	put_channel(g, to);
	(void)fprintf(to, ",\"extra\":\"%s\"}\n", draw_extra(g, extra, 100, 32));
}

static void put_event(struct generator *g, uint64_t place)
{
	uint64_t number = place / g->disorder * g->disorder + place * SCATTER % g->disorder;
	uint64_t offset = number % ROUND;
	FILE *to = g->file[place % (uint64_t)g->n_files];

	if (offset < PERSONS)
		put_person(g, to, number);
	else if (offset < PERSONS + AUCTIONS)
		put_auction(g, to, number);
	else
		put_bid(g, to, number);
}

static void usage(FILE *to)
{
	(void)fputs("bench/nexmark/generate [--events N] [--rate N] [--disorder N] [--seed N] FILE ...\n"
	            "N events (1000000) of which the times are such that there are so many a second (10000, up to a million), each N of\n"
	            "them out of order (100; 1: in order; no multiple of 953), dealt to the files in turn.\n",
	            to);
}

static void open_files(struct generator *g, char **path, int n)
{
	for (int i = 0; i < n; i++) {
		g->file[i] = fopen(path[i], "w");
		if (g->file[i] == NULL) {
			perror(path[i]);
			exit(1);
		}
	}
	g->n_files = n;
}

static void parse(struct generator *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "events", required_argument, NULL, 'e' }, { "rate", required_argument, NULL, 'r' },
		{ "disorder", required_argument, NULL, 'd' }, { "seed", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'e': g->count = strtoull(optarg, NULL, 10); break;
		case 'r': g->rate = strtoull(optarg, NULL, 10); break;
		case 'd': g->disorder = strtoull(optarg, NULL, 10); break;
		case 's': g->state = strtoull(optarg, NULL, 10); break;
		default: usage(c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind == argc || argc - optind > MAX_FILES || g->rate < 1 || g->rate > 1000000 || g->disorder < 1 ||
	    g->disorder % SCATTER == 0) {
		usage(stderr);
		exit(2);
	}
	open_files(g, argv + optind, argc - optind);
}

int main(int argc, char **argv)
{
	static struct generator g = { .count = 1000000, .rate = 10000, .disorder = 100, .state = 1 };
	int status = 0;

	parse(&g, argc, argv);
	for (uint64_t i = 0; i < g.count; i++)
		put_event(&g, i);
	for (int i = 0; i < g.n_files; i++) {
		if (fclose(g.file[i]) != 0) {
			perror("could not write");
			status = 1;
		}
	}
	return status;
}
