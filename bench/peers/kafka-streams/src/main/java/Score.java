// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/**
 * The work of bench/pipelines/score.yaml on Kafka Streams, exactly once: validates payments, drops what has come within ten
 * minutes, and adds how many deviations the amount is away from the user's mean so far. Messages have to be partitioned by user, so
 * nothing is sent through another topic. Further settings of Kafka Streams come as NAME=VALUE.
 *
 * Usage: Score BROKERS INPUT OUTPUT APPLICATION-ID STATE-FOLDER [NAME=VALUE ...]
 */
public final class Score implements Processor<String, byte[], String, byte[]> {
	private static final Duration WITHIN = Duration.ofMinutes(10);
	private static final long WARMUP = 30;
	private static final double MOST = 1e6;

	private final ObjectMapper mapper = new ObjectMapper();
	private ProcessorContext<String, byte[]> context;
	private WindowStore<String, byte[]> seen;
	private KeyValueStore<String, byte[]> totals;

	@Override
	public void init(ProcessorContext<String, byte[]> context) {
		this.context = context;
		seen = context.getStateStore("seen");
		totals = context.getStateStore("totals");
	}

	@Override
	public void process(Record<String, byte[]> record) {
		ObjectNode event = parse(record.value());
		if (event == null || isSeen(event.get("user").textValue() + '\0' + event.get("id").textValue(), record.timestamp()))
			return;
		score(event);
		context.forward(record.withValue(event.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8)));
	}

	/** The event, null if it is none. */
	private ObjectNode parse(byte[] text) {
		try {
			JsonNode node = text == null ? null : mapper.readTree(text);
			boolean isValid = node instanceof ObjectNode && node.path("id").isTextual() && node.path("user").isTextual()
				&& node.path("ts").isIntegralNumber() && node.path("amount").isNumber();
			return isValid ? (ObjectNode)node : null;
		} catch (IOException e) {
			return null;
		}
	}

	private boolean isSeen(String id, long time) {
		try (WindowStoreIterator<byte[]> before = seen.fetch(id, Math.max(0, time - WITHIN.toMillis() + 1), time)) {
			if (before.hasNext())
				return true;
		}
		seen.put(id, new byte[0], time);
		return false;
	}

	private void score(ObjectNode event) {
		String user = event.get("user").textValue();
		double amount = event.get("amount").doubleValue();
		byte[] old = totals.get(user);
		ByteBuffer from = ByteBuffer.wrap(old == null ? new byte[24] : old);
		long n = from.getLong();
		double mean = from.getDouble(), squares = from.getDouble(), distance = amount - mean;

		if (n < WARMUP)
			event.putNull("score");
		else
			event.put("score", scoreOf(Math.abs(distance), Math.sqrt(squares / (n - 1)), mean));
		mean += distance / ++n;
		squares += distance * (amount - mean);
		totals.put(user, ByteBuffer.allocate(24).putLong(n).putDouble(mean).putDouble(squares).array());
	}

	/** As leat has it where the deviation is 0. */
	private static double scoreOf(double distance, double deviation, double mean) {
		if (distance <= 1e-12 * Math.abs(mean))
			return 0;
		return deviation == 0 ? MOST : Math.min(MOST, distance / deviation);
	}

	private static Topology topology(String input, String output) {
		var text = Serdes.String();
		var bytes = Serdes.ByteArray();
		var windows = Stores.persistentWindowStore("seen", WITHIN, WITHIN, false);

		return new Topology()
			.addSource("payments", text.deserializer(), bytes.deserializer(), input)
			.addProcessor("score", Score::new, "payments")
			.addStateStore(Stores.windowStoreBuilder(windows, text, bytes).withCachingEnabled(), "score")
			.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("totals"), text, bytes).withCachingEnabled(),
				"score")
			.addSink("results", output, text.serializer(), bytes.serializer(), "score");
	}

	public static void main(String[] arguments) {
		var settings = new Properties();

		settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
		settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[3]);
		settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
		settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
		settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
		settings.put("auto.offset.reset", "earliest");
		for (int i = 5; i < arguments.length; i++) {
			String[] setting = arguments[i].split("=", 2);
			settings.put(setting[0], setting[1]);
		}
		var streams = new KafkaStreams(topology(arguments[1], arguments[2]), settings);
		Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
		streams.setStateListener((now, before) -> {
			if (now == KafkaStreams.State.RUNNING)
				System.out.println("ready");
			else if (now == KafkaStreams.State.ERROR)
				Runtime.getRuntime().halt(1);
		});
		streams.start();
	}
}
