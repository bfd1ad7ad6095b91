/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From options to librdkafka's settings. Those that a pipeline file may set through `client` are on a list: librdkafka has
 * some that load libraries or run commands (plugin.library.paths, ssl.engine.location, sasl.kerberos.kinit.cmd), and
 * others that would break what leat promises (acks, auto.offset.reset, enable.auto.commit).
 */

#include "kafka.h"

const char *const kafka_protocols[] = { "plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL };
const char *const kafka_mechanisms[] = { "plain", "scram-sha-256", "scram-sha-512", NULL };

static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };

struct allowed {
	const char *name;
	unsigned roles;
};

static const struct allowed allowed[] = {
	{ "batch.num.messages", KAFKA_SINK },
	{ "batch.size", KAFKA_SINK },
	{ "broker.address.family", KAFKA_SOURCE | KAFKA_SINK },
	{ "broker.address.ttl", KAFKA_SOURCE | KAFKA_SINK },
	{ "client.id", KAFKA_SOURCE | KAFKA_SINK },
	{ "client.rack", KAFKA_SOURCE },
	{ "compression.level", KAFKA_SINK },
	{ "connections.max.idle.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "fetch.error.backoff.ms", KAFKA_SOURCE },
	{ "fetch.min.bytes", KAFKA_SOURCE },
	{ "linger.ms", KAFKA_SINK },
	{ "max.partition.fetch.bytes", KAFKA_SOURCE },
	{ "metadata.max.age.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "queue.buffering.max.kbytes", KAFKA_SINK },
	{ "queue.buffering.max.messages", KAFKA_SINK },
	{ "queued.min.messages", KAFKA_SOURCE },
	{ "receive.message.max.bytes", KAFKA_SOURCE | KAFKA_SINK },
	{ "reconnect.backoff.max.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "reconnect.backoff.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "request.timeout.ms", KAFKA_SINK },
	{ "retry.backoff.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "socket.connection.setup.timeout.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "socket.keepalive.enable", KAFKA_SOURCE | KAFKA_SINK },
	{ "socket.receive.buffer.bytes", KAFKA_SOURCE | KAFKA_SINK },
	{ "socket.send.buffer.bytes", KAFKA_SOURCE | KAFKA_SINK },
	{ "socket.timeout.ms", KAFKA_SOURCE | KAFKA_SINK },
	{ "ssl.cipher.suites", KAFKA_SOURCE | KAFKA_SINK },
	{ "sticky.partitioning.linger.ms", KAFKA_SINK },
	{ "topic.metadata.refresh.interval.ms", KAFKA_SOURCE | KAFKA_SINK },
};

/* On top of librdkafka's own. A broker that is back should be noticed soon, hence the short back-off. */
static const struct kafka_setting presets[] = {
	{ "allow.auto.create.topics", "false" },
	{ "log.connection.close", "false" },
	{ "reconnect.backoff.max.ms", "2000" },
	{ "socket.keepalive.enable", "true" },
	{ "socket.nagle.disable", "true" },
	{ NULL, NULL },
};

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters have to be put in, taken out or changed; at most `limit` + 1. */
static size_t distance(const char *a, const char *b, size_t limit)
{
	size_t row[64];
	size_t n = strlen(b);

	if (n >= sizeof row / sizeof *row)
		return limit + 1;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			row[j] = smaller(change, smaller(row[j], row[j - 1]) + 1);
		}
	}
	return row[n] > limit ? limit + 1 : row[n];
}

static const char *nearest_allowed(const char *name, enum kafka_role role)
{
	const char *nearest = NULL;
	size_t best = strlen(name) / 3 + 1; /* a third of the letters may differ */

	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		size_t d = distance(name, allowed[i].name, best);

		if ((allowed[i].roles & role) != 0 && d < best) {
			best = d;
			nearest = allowed[i].name;
		}
	}
	return nearest;
}

static bool is_allowed(const char *name, enum kafka_role role)
{
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (strcmp(allowed[i].name, name) == 0)
			return (allowed[i].roles & role) != 0;
	return false;
}

/* `option`: of the pipeline file, at fault when librdkafka does not take the value. */
static enum leat_status set(rd_kafka_conf_t *conf, const char *name, const char *value, const char *option,
                            struct leat_error *err)
{
	char said[LEAT_ERROR_TEXT / 2];

	if (rd_kafka_conf_set(conf, name, value, said, sizeof said) == RD_KAFKA_CONF_OK)
		return LEAT_OK;
	(void)leat_error_set(err, LEAT_FATAL, 0, "librdkafka cannot take setting \"%s\": %s", name, said);
	return leat_error_at(err, option);
}

static enum leat_status set_client(rd_kafka_conf_t *conf, const struct leat_pairs *client, enum kafka_role role,
                                   struct leat_error *err)
{
	for (size_t i = 0; i < client->n; i++) {
		const char *name = client->item[i].name;
		const char *nearest;

		if (is_allowed(name, role)) {
			if (set(conf, name, client->item[i].text, "client", err) != LEAT_OK)
				return LEAT_FATAL;
			continue;
		}
		nearest = nearest_allowed(name, role);
		(void)leat_error_set(err, LEAT_FATAL, 0, "kafka %s does not allow client setting \"%s\"%s%s%s",
		                     role == KAFKA_SOURCE ? "source" : "sink", name, nearest != NULL ? "; did you mean \"" : "",
		                     nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
		return leat_error_at(err, "client");
	}
	return LEAT_OK;
}

static enum leat_status set_security(rd_kafka_conf_t *conf, const struct kafka_options *options, struct leat_error *err)
{
	const struct {
		const char *option, *name, *value;
	} texts[] = {
		{ "username", "sasl.username", options->username },
		{ "password", "sasl.password", options->password },
		{ "ca_file", "ssl.ca.location", options->ca_file },
		{ "certificate_file", "ssl.certificate.location", options->certificate_file },
		{ "key_file", "ssl.key.location", options->key_file },
		{ "key_password", "ssl.key.password", options->key_password },
	};
	bool is_sasl = strncmp(kafka_protocols[options->protocol], "sasl", 4) == 0;

	if (is_sasl && (options->username == NULL || options->password == NULL)) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "security_protocol \"%s\" requires options \"username\" and \"password\"",
		                     kafka_protocols[options->protocol]);
		return leat_error_at(err, "security_protocol");
	}
	if (set(conf, "security.protocol", kafka_protocols[options->protocol], "security_protocol", err) != LEAT_OK)
		return LEAT_FATAL;
	if (is_sasl && set(conf, "sasl.mechanism", mechanisms[options->mechanism], "sasl_mechanism", err) != LEAT_OK)
		return LEAT_FATAL;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].value != NULL && set(conf, texts[i].name, texts[i].value, texts[i].option, err) != LEAT_OK)
			return LEAT_FATAL;
	return LEAT_OK;
}

enum leat_status kafka_configure(const struct kafka_options *options, enum kafka_role role, const struct kafka_setting *settings,
                                 rd_kafka_conf_t **conf, struct leat_error *err)
{
	rd_kafka_conf_t *made;

	if (rd_kafka_version() < 0x02000000)
		return leat_error_set(err, LEAT_FATAL, 0, "librdkafka is version %s, this plugin requires 2.0.0", rd_kafka_version_str());
	made = rd_kafka_conf_new();
	for (const struct kafka_setting *s = presets; s->name != NULL; s++)
		if (set(made, s->name, s->value, "", err) != LEAT_OK)
			goto fail;
	for (const struct kafka_setting *s = settings; s->name != NULL; s++)
		if (set(made, s->name, s->value, "", err) != LEAT_OK)
			goto fail;
	if (set(made, "bootstrap.servers", options->brokers, "brokers", err) != LEAT_OK ||
	    set_security(made, options, err) != LEAT_OK || set_client(made, &options->client, role, err) != LEAT_OK)
		goto fail;
	*conf = made;
	return LEAT_OK;
fail:
	rd_kafka_conf_destroy(made);
	return LEAT_FATAL;
}

void kafka_put_identity(const struct kafka_options *options, struct leat_buffer *text)
{
	leat_buffer_text(text, "topic \"");
	leat_buffer_text(text, options->topic);
	leat_buffer_byte(text, '"');
}
