/* SPDX-License-Identifier: Apache-2.0 */

/*
 * As little as the work takes: simdjson's parser, which checks the whole text, hash tables in memory, and for the result the text
 * as it came with the score put in at its end. Nothing is ever written to a disk.
 */

#include "score.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace {

constexpr int64_t within_us = 600 * INT64_C(1000000);
constexpr int64_t warmup = 30;
constexpr double most = 1e6;

struct totals {
	int64_t n = 0;
	double mean = 0, squares = 0;
};

struct payment {
	std::string_view id, user;
	double amount = 0;
};

struct forgotten_at {
	int64_t time_us;
	const std::string *name; /* of the set, whose elements stay where they are */
};

} // namespace

struct score {
	simdjson::dom::parser parser;
	std::string text, name, user, result;
	std::unordered_set<std::string> seen;
	std::deque<forgotten_at> order;
	std::unordered_map<std::string, totals> users;
};

static bool parse(score *s, const void *text, size_t n, payment *p)
{
	simdjson::dom::element event, amount;
	int64_t ts;

	s->text.reserve(n + simdjson::SIMDJSON_PADDING);
	s->text.assign(static_cast<const char *>(text), n);
	if (s->parser.parse(s->text.data(), n, false).get(event) != simdjson::SUCCESS || !event.is_object())
		return false;
	if (event["id"].get(p->id) != simdjson::SUCCESS || event["user"].get(p->user) != simdjson::SUCCESS ||
	    event["ts"].get(ts) != simdjson::SUCCESS || event["amount"].get(amount) != simdjson::SUCCESS)
		return false;
	return amount.get(p->amount) == simdjson::SUCCESS;
}

static bool is_seen(score *s, const payment &p, int64_t now_us)
{
	while (!s->order.empty() && s->order.front().time_us <= now_us) {
		s->seen.erase(s->seen.find(*s->order.front().name));
		s->order.pop_front();
	}
	s->name.assign(p.user).append(1, '\0').append(p.id);
	auto added = s->seen.insert(s->name);
	if (added.second)
		s->order.push_back({ now_us + within_us, &*added.first });
	return !added.second;
}

/* As leat has it where the deviation is 0. */
static double score_of(const totals &t, double amount)
{
	double distance = std::fabs(amount - t.mean), deviation = std::sqrt(t.squares / static_cast<double>(t.n - 1));

	if (distance <= 1e-12 * std::fabs(t.mean))
		return 0;
	return deviation > 0 ? std::fmin(most, distance / deviation) : most;
}

static void add(totals *t, double amount)
{
	double delta = amount - t->mean;

	t->mean += delta / static_cast<double>(++t->n);
	t->squares += delta * (amount - t->mean);
}

static void write(score *s, const totals &t, double amount)
{
	char number[32];

	s->result.assign(s->text, 0, s->text.rfind('}')).append(",\"score\":");
	if (t.n < warmup) {
		s->result.append("null}");
		return;
	}
	auto end = std::to_chars(number, number + sizeof number, score_of(t, amount));
	s->result.append(number, end.ptr).append(1, '}');
}

struct score *score_create()
{
	return new score;
}

void score_destroy(struct score *s)
{
	delete s;
}

const char *score_event(struct score *s, const void *text, size_t n, int64_t now_us, size_t *n_result)
{
	payment p;

	if (!parse(s, text, n, &p) || is_seen(s, p, now_us))
		return nullptr;
	s->user.assign(p.user);
	totals *t = &s->users[s->user];
	write(s, *t, p.amount);
	add(t, p.amount);
	*n_result = s->result.size();
	return s->result.data();
}
