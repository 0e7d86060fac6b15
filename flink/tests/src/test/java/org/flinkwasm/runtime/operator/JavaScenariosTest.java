package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.shaded.gson.JsonObject;
import org.junit.jupiter.api.Test;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/**
 * What the rules of {@code udfs/all-states} in Java come to in Flink's own harness, over random rows, watermarks, clocks, snapshots and
 * restores, is {@code udfs/all-states/java-scenarios.json}: with {@code BLESS=1} it is written, else compared. The harness for Rust runs that
 * file ({@code crates/harness-component/tests/native_and_component.rs}), and so is held to Flink's answers.
 */
class JavaScenariosTest {
    private static final int STEPS = 400;
    private static final List<String> STATE_OPS =
            List.of("set", "unset", "sum", "append", "append", "put", "put", "count", "remove", "clear", "copy", "read", "read");
    private static final List<String> TIMER_OPS = List.of("timer", "timer", "timer", "delete-timer", "alarm", "alarm", "alarm", "delete-alarm");

    private static final List<String> OUTPUT = List.of("k", "id", "timestamp", "value", "sum", "list", "map");
    private static final List<String> EVENT = List.of("k", "source", "timestamp", "sum");

    private int eventTime;
    private int processingTime;
    private int expired;

    @Test
    void sameAsInTheFile() throws Exception {
        String text = "{\n  \"key\": [\"k\"],\n  \"scenarios\": [\n"
                + String.join(",\n", new Scenario(1, 1).run(), new Scenario(2, 1).run(), new Scenario(3, 5).run())
                + "\n  ]\n}\n";
        Path file = Path.of(System.getProperty("flink-wasm.repository"), "udfs/all-states/java-scenarios.json");
        if ("1".equals(System.getenv("BLESS"))) {
            Files.writeString(file, text);
        }
        List<String> expected = Files.readAllLines(file);
        List<String> actual = text.lines().toList();
        for (int i = 0; i < Math.min(expected.size(), actual.size()); i++) {
            assertEquals(expected.get(i), actual.get(i), file + ":" + (i + 1));
        }
        assertEquals(expected.size(), actual.size(), "lines of " + file);
        // The steps are worth something.
        assertTrue(eventTime > 100 && processingTime > 100 && expired > 5, eventTime + ", " + processingTime + ", " + expired);
    }

    /** A random run, and the steps of a scenario that say what happened. */
    private final class Scenario {
        private final int seed;
        private final int keys;
        private final Random random;
        private final List<String> steps = new ArrayList<>();
        /** Keys whose value is set, were there no time to live; and the rows that find it so. */
        private final Set<Long> valued = new HashSet<>();
        private final Set<Long> valuedRows = new HashSet<>();
        private AllStates java;
        private OperatorSubtaskState snapshot;
        private long watermark = 1000;
        private long clock;
        private long id;

        Scenario(int seed, int keys) {
            this.seed = seed;
            this.keys = keys;
            this.random = new Random(seed);
        }

        String run() throws Exception {
            open();
            for (int step = 0; step < STEPS; step++) {
                switch (random.nextInt(40)) {
                    case 0, 1 -> clock(random.nextInt(60));
                    // What was written since the last step of the clock lives for one more millisecond, or has just ended.
                    case 2 -> clock(AllStates.HOUR_MS - random.nextInt(2));
                    // One that does not rise reaches no operator: Flink's StatusWatermarkValve, which this harness does not have, stops it.
                    case 3, 4, 5 -> watermark(1 + random.nextInt(50));
                    case 6 -> snapshot();
                    case 7 -> restore();
                    case 8, 9 -> expect();
                    default -> row();
                }
            }
            steps.add("{\"watermark\": \"max\"}");
            java.harness.processWatermark(Long.MAX_VALUE);
            clock(AllStates.HOUR_MS);
            expect();
            java.close();
            return "    {\n      \"name\": \"random steps of seed " + seed + ", keys: " + keys + "\",\n      \"steps\": [\n        "
                    + String.join(",\n        ", steps) + "\n      ]\n    }";
        }

        private void open() throws Exception {
            java = AllStates.inJava("hashmap");
            java.open(snapshot);
            setClock();
        }

        private void setClock() throws Exception {
            java.harness.setStateTtlProcessingTime(clock);
            java.harness.setProcessingTime(clock);
        }

        private void row() throws Exception {
            // Flink promises an order within a key only: one key has timers, and so all that fire at once have an order.
            long k = random.nextInt(keys);
            List<String> ops = k == 0 && random.nextInt(3) > 0 ? TIMER_OPS : STATE_OPS;
            String op = ops.get(random.nextInt(ops.size()));
            String name = String.valueOf((char) ('a' + random.nextInt(4)));
            long n = switch (op) {
                case "timer", "delete-timer" -> watermark + random.nextInt(40) - 5;
                case "alarm", "delete-alarm" -> clock + 1 + random.nextInt(80);
                default -> random.nextInt(1000) - 500;
            };
            RowData row = GenericRowData.of(k, id, StringData.fromString(op), StringData.fromString(name), n);
            String shown = "{\"k\": " + k + ", \"id\": " + id + ", \"op\": \"" + op + "\", \"name\": \"" + name + "\", \"n\": " + n + "}";
            if (random.nextInt(8) == 0) {
                steps.add("{\"row\": " + shown + "}");
                java.harness.processElement(new StreamRecord<>(row));
            } else {
                long timestamp = watermark + random.nextInt(30) - 10;
                steps.add("{\"row\": " + shown + ", \"timestamp\": " + timestamp + "}");
                java.harness.processElement(row, timestamp);
            }
            if (op.equals("set")) {
                valued.add(k);
            } else if (op.equals("unset") || op.equals("clear")) {
                valued.remove(k);
            }
            if (valued.contains(k)) {
                valuedRows.add(id);
            }
            id++;
        }

        private void clock(long more) throws Exception {
            clock += more;
            steps.add("{\"clock\": " + clock + "}");
            setClock();
        }

        private void watermark(long more) throws Exception {
            watermark += more;
            steps.add("{\"watermark\": " + watermark + "}");
            java.harness.processWatermark(watermark);
        }

        private void snapshot() throws Exception {
            steps.add("{\"snapshot\": true}");
            snapshot = java.harness.snapshot(id, clock);
        }

        /** What came since the snapshot is expected before: it is not dropped here. */
        private void restore() throws Exception {
            expect();
            steps.add("{\"restore\": true}");
            java.close();
            valued.clear();
            open();
        }

        private void expect() {
            List<String> output = shown(java.harness.getOutput(), OUTPUT, AllStates.OUTPUT);
            List<String> events = shown(java.harness.getSideOutput(AllStates.TAG), EVENT, AllStates.EVENT);
            steps.add("{\"expect\": {\"output\": [" + lines(output) + "], \"events\": [" + lines(events) + "]}}");
        }

        private String lines(List<String> rows) {
            return rows.isEmpty() ? "" : "\n          " + String.join(",\n          ", rows) + "\n        ";
        }

        /** Takes rows, and shows them with their timestamps. A harness has no queue of a side output before its first row. */
        private List<String> shown(Queue<?> elements, List<String> names, List<String> types) {
            List<String> rows = new ArrayList<>();
            for (Object element : elements == null ? List.of() : elements) {
                if (element instanceof StreamRecord<?> record) {
                    JsonObject json = new JsonObject();
                    List<Object> values = Rows.plain((RowData) record.getValue(), AllStates.types(types));
                    for (int i = 0; i < names.size(); i++) {
                        if (values.get(i) instanceof Number number) {
                            json.addProperty(names.get(i), number);
                        } else {
                            json.addProperty(names.get(i), (String) values.get(i));
                        }
                    }
                    // The least number is how Flink writes none.
                    boolean hasTimestamp = record.hasTimestamp() && record.getTimestamp() != Long.MIN_VALUE;
                    json.addProperty("@timestamp", hasTimestamp ? record.getTimestamp() : null);
                    count(json);
                    rows.add(json.toString());
                }
            }
            if (elements != null) {
                elements.clear();
            }
            return rows;
        }

        private void count(JsonObject row) {
            if (row.has("source")) {
                eventTime += row.get("source").getAsString().equals("event-time") ? 1 : 0;
                processingTime += row.get("source").getAsString().equals("processing-time") ? 1 : 0;
            } else if (row.get("value").isJsonNull() && valuedRows.contains(row.get("id").getAsLong())) {
                expired++;
            }
        }
    }
}
