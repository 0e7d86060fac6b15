package org.flinkwasm.runtime;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.OutputTag;
import org.flinkwasm.runtime.operator.AllStatesInJava;
import org.flinkwasm.shaded.gson.JsonObject;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/**
 * Two jobs on clusters of their own read the same table: one runs {@code udfs/all-states}, the other the same rules in a
 * {@code KeyedProcessFunction} of Flink's API. The rows of each key are the same in both, in each output and in the same order.
 *
 * <p>What follows from a real clock only is left to the tests with a clock of their own, {@code AllStatesTest} and
 * {@code JavaScenariosTest}: the value's TTL of an hour, and which rows come before a timer of processing time.
 */
@Timeout(180)
class AllStatesJobTest extends EmbeddedJob {
    private static final int PARALLELISM = 2;
    private static final long ROWS = 4000;

    private static final List<String> INPUT = List.of("k", "id", "op", "name", "n");
    private static final List<String> INPUT_TYPES =
            List.of("BIGINT NOT NULL", "BIGINT NOT NULL", "STRING NOT NULL", "STRING NOT NULL", "BIGINT NOT NULL");
    private static final List<String> OUTPUT = List.of("k", "id", "timestamp", "value", "sum", "list", "map");
    private static final List<String> OUTPUT_TYPES =
            List.of("BIGINT NOT NULL", "BIGINT NOT NULL", "BIGINT", "BIGINT", "BIGINT", "STRING NOT NULL", "STRING NOT NULL");
    private static final List<String> EVENT = List.of("k", "source", "timestamp", "sum");
    private static final List<String> EVENT_TYPES = List.of("BIGINT NOT NULL", "STRING NOT NULL", "BIGINT NOT NULL", "BIGINT");

    /** Rows of both outputs as JSON, each in the order in which it came. */
    private record Outputs(List<String> rows, List<String> events) {}

    @ParameterizedTest
    @CsvSource({"hashmap, 1", "rocksdb, 2"})
    void sameAsInJava(String backend, long seed) throws Exception {
        Map<String, String> options = Map.of(
                // Without one there is a watermark behind each row for which it rises, and not whenever the clock says so.
                "pipeline.auto-watermark-interval", "0 ms",
                // So small that the source waits for the function, and its pause before the last row begins when most rows are through.
                "taskmanager.memory.segment-size", "4 kb",
                "state.backend.type", backend);
        Outputs java = inJava(options, seed);
        Outputs wasm = inSidecar(options, seed);

        assertSame(byKey(java.events()), byKey(wasm.events()));
        assertSame(byKey(withoutClock(java.rows())), byKey(withoutClock(wasm.rows())));

        List<Long> ids = wasm.rows().stream().map(row -> parse(row).get("id").getAsLong()).sorted().toList();
        assertEquals(LongStream.range(0, ROWS).boxed().toList(), ids);
        Map<String, Long> sources =
                wasm.events().stream().collect(Collectors.groupingBy(row -> parse(row).get("source").getAsString(), Collectors.counting()));
        assertEquals(rowsWith("alarm", seed), sources.get("processing-time"));
        assertEquals(rowsWith("copy", seed), sources.get("row"));
        assertTrue(sources.get("event-time") > 200, sources.toString());
    }

    private static long rowsWith(String op, long seed) {
        return LongStream.range(0, ROWS).filter(id -> AllStatesCommands.row(seed, id).getString(2).toString().equals(op)).count();
    }

    private Outputs inSidecar(Map<String, String> settings, long seed) throws Exception {
        JsonObject all = new JsonObject();
        settings.forEach(all::addProperty);
        // So that there are many bundles, also of timers.
        all.addProperty("flink-wasm.bundle.rows", "50");
        options = all.toString();
        function(
                "all-states",
                "all-states",
                "process",
                fields(INPUT, INPUT_TYPES),
                fields(OUTPUT, OUTPUT_TYPES),
                "{}",
                ",\"key\":[" + field("value", "BIGINT NOT NULL") + "],\"states\":[{\"name\":\"value\",\"kind\":\"value\",\"schema\":\"v1:i64\",\"ttlMs\":3600000},"
                        + "{\"name\":\"sum\",\"kind\":\"reducing\",\"schema\":\"v1:i64\"},{\"name\":\"list\",\"kind\":\"list\",\"schema\":\"v1:list<i64>\"},"
                        + "{\"name\":\"map\",\"kind\":\"map\",\"schema\":\"v1:map<string,i64>\"}],\"timers\":true,"
                        + "\"sideOutputs\":[{\"name\":\"events\",\"fields\":[" + fields(EVENT, EVENT_TYPES) + "]}]");
        statement("/source", AllStatesCommands.createTable(seed, ROWS));
        wasm("p", "source", "all-states", "null", "replace", ",\"key\":[\"k\"],\"sideOutputs\":{\"events\":\"p_events\"}");
        console("events_sink", "p_events");
        console("p");
        Outcome outcome = runToItsEnd(PARALLELISM);
        String log = Files.readString(folder.resolve("sidecar.log"));
        IntStream.range(0, PARALLELISM).forEach(subtask -> assertTrue(log.contains("subtask=" + subtask), log));
        return new Outputs(outcome.printed("sink"), outcome.printed("events_sink"));
    }

    private static String fields(List<String> names, List<String> types) {
        return IntStream.range(0, names.size()).mapToObj(i -> field(names.get(i), types.get(i))).collect(Collectors.joining(","));
    }

    private static Outputs inJava(Map<String, String> settings, long seed) throws Exception {
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, Configuration.fromMap(settings));
        StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
        tables.executeSql(AllStatesCommands.createTable(seed, ROWS));
        OutputTag<RowData> events = new OutputTag<>("events", rowType(EVENT_TYPES));
        SingleOutputStreamOperator<RowData> output = tables.toDataStream(tables.from("source"))
                .map(row -> (RowData) GenericRowData.of(
                        row.getField("k"),
                        row.getField("id"),
                        StringData.fromString((String) row.getField("op")),
                        StringData.fromString((String) row.getField("name")),
                        row.getField("n")))
                // As many as the source: rows come to a key in its order.
                .setParallelism(1)
                .returns(rowType(INPUT_TYPES))
                .keyBy(row -> row.getLong(0), Types.LONG)
                .process(new AllStatesInJava<>(events))
                .returns(rowType(OUTPUT_TYPES));
        assertEquals(PARALLELISM, output.getParallelism());
        List<String> rows = new ArrayList<>();
        List<String> eventRows = new ArrayList<>();
        try (CloseableIterator<JsonRow> all = output.map(row -> new JsonRow(false, json(row, OUTPUT, OUTPUT_TYPES)))
                .union(output.getSideOutput(events).map(row -> new JsonRow(true, json(row, EVENT, EVENT_TYPES))))
                .executeAndCollect("the same in Java")) {
            all.forEachRemaining(row -> (row.isEvent() ? eventRows : rows).add(row.text()));
        }
        return new Outputs(rows, eventRows);
    }

    /** A row of either output. */
    public record JsonRow(boolean isEvent, String text) {}

    private static TypeInformation<RowData> rowType(List<String> types) {
        return InternalTypeInfo.ofFields(types.stream().map(Rows::parse).toArray(LogicalType[]::new));
    }

    /** As the console prints it. */
    private static String json(RowData row, List<String> names, List<String> types) {
        JsonObject json = new JsonObject();
        List<Object> values = Rows.plain(row, types.stream().map(Rows::parse).toList());
        for (int i = 0; i < names.size(); i++) {
            if (values.get(i) instanceof Number number) {
                json.addProperty(names.get(i), number);
            } else {
                json.addProperty(names.get(i), (String) values.get(i));
            }
        }
        return json.toString();
    }

    private static JsonObject parse(String row) {
        return JsonParser.parseString(row).getAsJsonObject();
    }

    /** What a key's sum is at a row depends on the clock where its timers do. */
    private static List<String> withoutClock(List<String> output) {
        return output.stream()
                .map(row -> {
                    JsonObject json = parse(row);
                    if (json.get("k").getAsLong() >= AllStatesCommands.ALARM_KEY) {
                        json.remove("sum");
                    }
                    return json.toString();
                })
                .toList();
    }

    /** Names the first difference, not all rows. */
    private static void assertSame(Map<Long, List<String>> expected, Map<Long, List<String>> actual) {
        assertEquals(expected.keySet(), actual.keySet());
        expected.forEach((key, rows) -> {
            List<String> others = actual.get(key);
            for (int i = 0; i < Math.min(rows.size(), others.size()); i++) {
                assertEquals(rows.get(i), others.get(i), "row " + i + " of key " + key);
            }
            assertEquals(rows.size(), others.size(), "rows of key " + key);
        });
    }

    /** Flink promises an order within a key only. */
    private static Map<Long, List<String>> byKey(List<String> rows) {
        return rows.stream().collect(Collectors.groupingBy(row -> parse(row).get("k").getAsLong(), TreeMap::new, Collectors.toList()));
    }
}
