/* SPDX-License-Identifier: Apache-2.0 */

/* Where reading begins: what the option `start` means, and what a partition's position is then. */

#include <ctype.h>
#include <time.h>

#include "kafka.h"

/* `n` digits as a number within [low, high]; moves *p behind them. */
static bool take_number(const char **p, int n, int low, int high, int *out)
{
	int number = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		number = number * 10 + (**p - '0');
	}
	*out = number;
	return number >= low && number <= high;
}

static bool take(const char **p, char a, char b)
{
	if (**p != a && **p != b)
		return false;
	(*p)++;
	return true;
}

/* Digits behind a point, beyond milliseconds ignored. */
static bool take_fraction(const char **p, int *ms)
{
	int unit = 100;

	*ms = 0;
	if (**p != '.')
		return true;
	if (!isdigit((unsigned char)*++*p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		*ms += (**p - '0') * unit;
	return true;
}

static bool take_zone(const char **p, int *seconds)
{
	int sign = **p == '-' ? -1 : 1;
	int hours, minutes;

	*seconds = 0;
	if (take(p, 'Z', 'z'))
		return true;
	if (!take(p, '+', '-') || !take_number(p, 2, 0, 23, &hours) || !take(p, ':', ':') || !take_number(p, 2, 0, 59, &minutes))
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* RFC 3339, 5.6: 2026-01-31T09:30:00.250+01:00; with a space for the T, as it allows. */
static bool parse_rfc3339(const char *p, int64_t *time_ms)
{
	struct tm t = { 0 };
	int year, month, day, ms, zone;

	if (!take_number(&p, 4, 1970, 9999, &year) || !take(&p, '-', '-') || !take_number(&p, 2, 1, 12, &month) || !take(&p, '-', '-') ||
	    !take_number(&p, 2, 1, 31, &day) || (!take(&p, 'T', 't') && !take(&p, ' ', ' ')) ||
	    !take_number(&p, 2, 0, 23, &t.tm_hour) || !take(&p, ':', ':') || !take_number(&p, 2, 0, 59, &t.tm_min) ||
	    !take(&p, ':', ':') || !take_number(&p, 2, 0, 60, &t.tm_sec) || !take_fraction(&p, &ms) ||
	    !take_zone(&p, &zone) || *p != '\0')
		return false;
	t.tm_year = year - 1900;
	t.tm_mon = month - 1;
	t.tm_mday = day;
	*time_ms = ((int64_t)timegm(&t) - zone) * 1000 + ms;
	return *time_ms >= 0 && t.tm_mday == day; /* the 30th of February has become another day */
}

bool kafka_start_parse(const char *text, enum kafka_start *start, int64_t *start_ms)
{
	char *end;

	if (strcmp(text, "stored") == 0) {
		*start = KAFKA_STORED;
	} else if (strcmp(text, "earliest") == 0) {
		*start = KAFKA_EARLIEST;
	} else if (strcmp(text, "latest") == 0) {
		*start = KAFKA_LATEST;
	} else if (text[0] != '\0' && strlen(text) <= 15 && strspn(text, "0123456789") == strlen(text)) {
		*start = KAFKA_TIME;
		*start_ms = strtoll(text, &end, 10);
	} else if (parse_rfc3339(text, start_ms)) {
		*start = KAFKA_TIME;
	} else {
		return false;
	}
	return true;
}

static rd_kafka_topic_partition_list_t *list_one(const struct kafka_source *source, int32_t partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, source->common.topic, partition)->offset = offset;
	return list;
}

/* The group's position; place->offset is -1 when it has none. */
static enum leat_status find_stored(struct kafka_source *source, int32_t partition, struct kafka_place *place,
                                    struct leat_error *err)
{
	rd_kafka_topic_partition_list_t *list = list_one(source, partition, RD_KAFKA_OFFSET_INVALID);
	rd_kafka_resp_err_t code = rd_kafka_committed(source->notebook.client.rk, list, KAFKA_PATIENCE_MS);
	const rd_kafka_topic_partition_t *stored = &list->elems[0];
	char note[sizeof((struct leat_position *)0)->note] = "";

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = stored->err;
	if (stored->metadata != NULL && stored->metadata_size < sizeof note)
		memcpy(note, stored->metadata, stored->metadata_size);
	place->offset = stored->offset >= 0 ? stored->offset : -1;
	place->has_anchor = kafka_anchor_read(note, &place->anchor);
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_client_error(&source->client, code, "read the group's offsets", err);
	return LEAT_OK;
}

static enum leat_status find_time(struct kafka_source *source, int32_t partition, int64_t *offset, struct leat_error *err)
{
	rd_kafka_topic_partition_list_t *list = list_one(source, partition, source->start_ms);
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(source->client.rk, list, KAFKA_PATIENCE_MS);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = list->elems[0].err;
	*offset = list->elems[0].offset; /* negative: all records are older */
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_client_error(&source->client, code, "find the start time", err);
	return LEAT_OK;
}

static bool is_new(struct kafka_source *source, int32_t partition)
{
	bool is;

	(void)pthread_mutex_lock(&source->lock);
	is = source->has_positions || (source->has_looked && partition >= source->n_first);
	(void)pthread_mutex_unlock(&source->lock);
	return is;
}

static enum leat_status find_end(struct kafka_source *source, int32_t partition, bool is_low, int64_t *offset,
                                 struct leat_error *err)
{
	int64_t low, high;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(source->client.rk, source->common.topic, partition, &low, &high,
	                                                            KAFKA_PATIENCE_MS);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_client_error(&source->client, code, "read the range", err);
	*offset = is_low ? low : high;
	return LEAT_OK;
}

enum leat_status kafka_start_find(struct kafka_source *source, int32_t partition, struct kafka_place *place,
                                  struct leat_context *ctx,
                                  struct leat_error *err)
{
	enum kafka_start start = source->start;
	enum leat_status status = LEAT_OK;
	bool is_sure;

	*place = (struct kafka_place){ .offset = -1 };
	if (start == KAFKA_STORED) {
		status = find_stored(source, partition, place, err);
		if (status == LEAT_OK && place->offset >= 0)
			return kafka_anchor_check(&source->client, partition, place, &is_sure, err);
		if (status != LEAT_OK)
			return status;
		leat_log(ctx, LEAT_INFO, "group \"%s\" has no offset for partition %d, reading it from its beginning", source->group,
		         (int)partition);
		start = KAFKA_EARLIEST;
	} else if (is_new(source, partition)) {
		start = KAFKA_EARLIEST; /* what came in while nobody looked belongs to us */
	}
	if (start == KAFKA_TIME)
		status = find_time(source, partition, &place->offset, err);
	if (status == LEAT_OK && place->offset < 0)
		status = find_end(source, partition, start == KAFKA_EARLIEST, &place->offset, err);
	return status;
}
