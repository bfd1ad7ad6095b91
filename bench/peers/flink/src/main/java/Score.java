// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Optional;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The work of bench/pipelines/score.yaml on Flink's local mini-cluster, exactly once: validates payments, drops what has come within
 * ten minutes, and adds how many deviations the amount is away from the user's mean so far. Messages have to have the user as their
 * key, so each is parsed once. It goes on from the newest checkpoint in its folder. Further settings of Flink come as NAME=VALUE.
 *
 * Usage: Score BROKERS INPUT OUTPUT NAME STATE-FOLDER [NAME=VALUE ...]
 */
public final class Score extends KeyedProcessFunction<String, Tuple2<String, byte[]>, Tuple2<String, byte[]>> {
	private static final Duration WITHIN = Duration.ofMinutes(10);
	private static final long WARMUP = 30;
	private static final double MOST = 1e6;
	private static final TypeInformation<Tuple2<String, byte[]>> MESSAGE = Types.TUPLE(Types.STRING, Types.PRIMITIVE_ARRAY(Types.BYTE));

	private transient ObjectMapper mapper;
	private transient MapState<String, Boolean> seen;
	private transient ValueState<Tuple3<Long, Double, Double>> totals;

	@Override
	public void open(OpenContext context) {
		var ids = new MapStateDescriptor<String, Boolean>("seen", Types.STRING, Types.BOOLEAN);

		mapper = new ObjectMapper();
		ids.enableTimeToLive(StateTtlConfig.newBuilder(WITHIN).build());
		seen = getRuntimeContext().getMapState(ids);
		totals = getRuntimeContext().getState(new ValueStateDescriptor<>("totals", Types.TUPLE(Types.LONG, Types.DOUBLE, Types.DOUBLE)));
	}

	@Override
	public void processElement(Tuple2<String, byte[]> message, Context context, Collector<Tuple2<String, byte[]>> out) throws Exception {
		ObjectNode event = parse(message.f1);
		if (event == null || seen.contains(event.get("id").textValue()))
			return;
		seen.put(event.get("id").textValue(), true);
		score(event);
		out.collect(Tuple2.of(message.f0, event.toString().getBytes(StandardCharsets.UTF_8)));
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

	private void score(ObjectNode event) throws IOException {
		double amount = event.get("amount").doubleValue();
		Tuple3<Long, Double, Double> old = totals.value();
		long n = old == null ? 0 : old.f0;
		double mean = old == null ? 0 : old.f1, squares = old == null ? 0 : old.f2, distance = amount - mean;

		if (n < WARMUP)
			event.putNull("score");
		else
			event.put("score", scoreOf(Math.abs(distance), Math.sqrt(squares / (n - 1)), mean));
		mean += distance / ++n;
		squares += distance * (amount - mean);
		totals.update(Tuple3.of(n, mean, squares));
	}

	/** As leat has it where the deviation is 0. */
	private static double scoreOf(double distance, double deviation, double mean) {
		if (distance <= 1e-12 * Math.abs(mean))
			return 0;
		return deviation == 0 ? MOST : Math.min(MOST, distance / deviation);
	}

	/** The key and the text of a message. */
	private static final class Read implements KafkaRecordDeserializationSchema<Tuple2<String, byte[]>> {
		@Override
		public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple2<String, byte[]>> out) {
			out.collect(Tuple2.of(new String(record.key(), StandardCharsets.UTF_8), record.value()));
		}

		@Override
		public TypeInformation<Tuple2<String, byte[]>> getProducedType() {
			return MESSAGE;
		}
	}

	private static final class Write implements KafkaRecordSerializationSchema<Tuple2<String, byte[]>> {
		private final String topic;

		Write(String topic) {
			this.topic = topic;
		}

		@Override
		public ProducerRecord<byte[], byte[]> serialize(Tuple2<String, byte[]> message, KafkaSinkContext context, Long timestamp) {
			return new ProducerRecord<>(topic, message.f0.getBytes(StandardCharsets.UTF_8), message.f1);
		}
	}

	/** The newest one that is complete. */
	private static Optional<File> checkpoint(File folder) {
		return Arrays.stream(Optional.ofNullable(folder.listFiles()).orElse(new File[0]))
			.flatMap(job -> Arrays.stream(Optional.ofNullable(job.listFiles()).orElse(new File[0])))
			.filter(each -> new File(each, "_metadata").exists())
			.max(Comparator.comparing(File::lastModified));
	}

	private static Configuration configuration(String[] arguments) {
		var settings = new Configuration();
		var folder = new File(arguments[4]);

		settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
		settings.setString("execution.checkpointing.dir", folder.toURI().toString());
		settings.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
		for (int i = 5; i < arguments.length; i++) {
			String[] setting = arguments[i].split("=", 2);
			settings.setString(setting[0], setting[1]);
		}
		checkpoint(folder).ifPresent(newest -> settings.setString("execution.state-recovery.path", newest.toURI().toString()));
		return settings;
	}

	public static void main(String[] arguments) throws Exception {
		var environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration(arguments));
		var source = KafkaSource.<Tuple2<String, byte[]>>builder().setBootstrapServers(arguments[0]).setTopics(arguments[1])
			.setGroupId(arguments[3]).setStartingOffsets(OffsetsInitializer.earliest()).setDeserializer(new Read())
			.setProperty("isolation.level", "read_committed").build();
		var sink = KafkaSink.<Tuple2<String, byte[]>>builder().setBootstrapServers(arguments[0])
			.setRecordSerializer(new Write(arguments[2])).setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
			.setTransactionalIdPrefix(arguments[3]).setProperty("transaction.timeout.ms", "60000").build();

		environment.fromSource(source, WatermarkStrategy.noWatermarks(), "payments").uid("payments")
			.keyBy(message -> message.f0, Types.STRING).process(new Score()).uid("score").returns(MESSAGE)
			.sinkTo(sink).uid("results");
		environment.execute(arguments[3]);
	}
}
