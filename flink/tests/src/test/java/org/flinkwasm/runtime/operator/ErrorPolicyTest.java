package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.RealSidecar;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.OnError;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Settings;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import java.math.BigDecimal;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** One row among a thousand is refused, or traps: the policy says what becomes of it, and nothing else is touched. */
@Timeout(120)
class ErrorPolicyTest {
    private static final int ROWS = 1000;
    private static final int POISON = 537;

    @TempDir
    Path folder;

    private RealSidecar sidecar;
    private URLClassLoader withBundle;

    @BeforeEach
    void start() throws Exception {
        sidecar = new RealSidecar(folder);
        withBundle = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader());
    }

    @AfterEach
    void stop() throws Exception {
        withBundle.close();
        sidecar.close();
    }

    /** One row was counted, as the policy has it. */
    private static void assertCounted(AbstractStreamOperatorTestHarness<RowData> harness, Policy policy) {
        FunctionReports reports = ((AbstractWasmOperator<?>) harness.getOperator()).reports;
        assertEquals(policy == Policy.SKIP ? 1 : 0, reports.counter("skippedRows").getCount());
        assertEquals(policy == Policy.DEAD_LETTER ? 1 : 0, reports.counter("deadLetterRows").getCount());
    }

    /** The dead letters, as row, error, code and function. */
    private static List<String> letters(AbstractStreamOperatorTestHarness<RowData> harness) {
        List<String> texts = new ArrayList<>();
        if (harness.getSideOutput(DeadLetters.TAG) != null) {
            for (StreamRecord<RowData> record : harness.getSideOutput(DeadLetters.TAG)) {
                RowData letter = record.getValue();
                assertEquals(6, Rows.plain(letter, DeadLetters.ROW_TYPE.getChildren()).size());
                assertTrue(letter.getString(4).toString().startsWith("sha256:"));
                texts.add(letter.getString(0) + " | " + letter.getString(1).toString().lines().findFirst().orElse("") + " | "
                        + letter.getString(2) + " | " + letter.getString(3) + " @" + record.getTimestamp());
            }
        }
        return texts;
    }

    @ParameterizedTest
    @EnumSource(Policy.class)
    void refusedRowOfProcessFunction(Policy policy) throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component("all-states"));
        List<String> expected = new ArrayList<>();
        try (AllStates java = AllStates.inJava("hashmap");
                AllStates wasm = AllStates.inSidecar(
                        AllStates.spec(sidecar, digest, AllStates.states(), policy), withBundle, "hashmap")) {
            java.open(null);
            wasm.open(null);
            for (int id = 0; id < ROWS; id++) {
                String op = List.of("sum", "append", "count").get(id % 3);
                if (id == POISON) {
                    if (policy == Policy.FAIL) {
                        DiagnosticException e = assertThrows(DiagnosticException.class, () -> {
                            wasm.process(POISON, 7, POISON, "sing", "é\"", 1);
                            wasm.drain();
                        });
                        assertEquals("FW0507", e.diagnostic().code());
                        assertTrue(e.getMessage().contains("unknown op sing"), e.getMessage());
                        return;
                    }
                    wasm.process(POISON, 7, POISON, "sing", "é\"", 1);
                } else {
                    java.process(id, id % 11, id, op, "a", id);
                    wasm.process(id, id % 11, id, op, "a", id);
                }
            }
            wasm.drain();
            assertCounted(wasm.harness, policy);
            expected.addAll(java.output());
            assertEquals(expected, wasm.output());
            assertEquals(
                    policy == Policy.SKIP
                            ? List.of()
                            : List.of("{\"k\":7,\"id\":537,\"op\":\"sing\",\"name\":\"é\\\"\",\"n\":1} | unknown op sing | FW0507 | all-states @537"),
                    letters(wasm.harness));
        }
    }

    private OneInputStreamOperatorTestHarness<RowData, RowData> hostile(Policy policy) throws Exception {
        return hostile(policy, Rows.parse("INT NOT NULL"), "{}", null);
    }

    /** The function `hostile` takes and gives mode and value; `id` stays here. */
    private OneInputStreamOperatorTestHarness<RowData, RowData> hostile(
            Policy policy, LogicalType id, String limits, Long replyTimeoutMs) throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component("hostile"));
        LogicalType mode = Rows.parse("STRING NOT NULL");
        LogicalType value = Rows.parse("BIGINT NOT NULL");
        List<Column> arguments = List.of(new Column("mode", mode, 1), new Column("value", value, 2));
        Column kept = new Column("id", id, 0);
        WasmOperatorSpec spec = new WasmOperatorSpec(
                "wasm map hostile@00000000",
                "hostile",
                digest,
                Kind.MAP,
                "{}",
                limits,
                List.of("STRING NOT NULL", "BIGINT NOT NULL"),
                List.of("STRING NOT NULL", "BIGINT NOT NULL"),
                arguments,
                List.of(kept),
                List.of(mode, value),
                List.of(
                        new ResultColumn(Origin.KEPT, 0),
                        new ResultColumn(Origin.REPLY, 0),
                        new ResultColumn(Origin.ARGUMENT, 1)),
                digest,
                new Settings(sidecar.socket.toString(), 20_000, 200, 1 << 18, 10, 2, 0, 0, replyTimeoutMs),
                null,
                new OnError(policy, 0, policy == Policy.DEAD_LETTER ? List.of(kept, arguments.get(0), arguments.get(1)) : List.of()),
                "[]");
        MockEnvironment environment = new MockEnvironmentBuilder().setUserCodeClassLoader(withBundle).build();
        OneInputStreamOperatorTestHarness<RowData, RowData> harness =
                new OneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec), environment);
        harness.setup(new RowDataSerializer(id, mode, value));
        harness.setProcessingTime(0);
        harness.open();
        return harness;
    }

    /** What the function can't be given is an error of that row too. */
    @ParameterizedTest
    @EnumSource(Policy.class)
    void nullWhereTheFunctionTakesNone(Policy policy) throws Exception {
        OneInputStreamOperatorTestHarness<RowData, RowData> harness = hostile(policy);
        try {
            harness.processElement(GenericRowData.of(1, StringData.fromString("m"), 2L), 3);
            StreamRecord<RowData> withNull = new StreamRecord<>(GenericRowData.of(4, StringData.fromString("m"), null), 5);
            if (policy == Policy.FAIL) {
                DiagnosticException e = assertThrows(DiagnosticException.class, () -> harness.processElement(withNull));
                assertEquals("FW0508", e.diagnostic().code());
                return;
            }
            harness.processElement(withNull);
            harness.processElement(GenericRowData.of(6, StringData.fromString("m"), 7L), 8);
            harness.prepareSnapshotPreBarrier(1);
            assertCounted(harness, policy);
            assertEquals(List.of(1, 6), harness.extractOutputValues().stream().map(row -> row.getInt(0)).toList());
            assertEquals(
                    policy == Policy.SKIP
                            ? List.of()
                            : List.of("{\"id\":4,\"mode\":\"m\",\"value\":null} | NULL in the NOT NULL column `value` | FW0508 | hostile @5"),
                    letters(harness));
        } finally {
            harness.getOperator().close();
        }
    }

    /** A key too: neither the row nor a key without rows stays in the bundle, whether it is the first or not. */
    @ParameterizedTest
    @CsvSource({"SKIP, true", "SKIP, false", "DEAD_LETTER, true", "DEAD_LETTER, false", "FAIL, true", "FAIL, false"})
    void nullInTheKey(Policy policy, boolean rowTakesNull) throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component("all-states"));
        WasmOperatorSpec spec = AllStates.spec(sidecar, digest, AllStates.states(), policy);
        if (rowTakesNull) {
            // Only the key's own column then refuses it.
            spec.arguments().set(0, spec.arguments().get(0).nullable());
        }
        try (AllStates java = AllStates.inJava("hashmap");
                AllStates wasm = AllStates.inSidecar(spec, withBundle, "hashmap")) {
            java.open(null);
            wasm.open(null);
            for (int id = 0; id < 200; id++) {
                if (id % 40 == 0) {
                    wasm.drain();
                }
                if (id == 80 || id == 110) {
                    StreamRecord<RowData> withNull = new StreamRecord<>(
                            GenericRowData.of(null, (long) id, StringData.fromString("sum"), StringData.fromString("a"), 1L), id);
                    if (policy == Policy.FAIL) {
                        DiagnosticException e = assertThrows(DiagnosticException.class, () -> wasm.harness.processElement(withNull));
                        assertEquals(
                                "row 0 can't be given to the function `all-states`: NULL in the NOT NULL column `k`",
                                e.diagnostic().message());
                        return;
                    }
                    wasm.harness.processElement(withNull);
                    if (id == 80) {
                        // No bundle is open: there is nothing to send.
                        wasm.drain();
                    }
                    continue;
                }
                String op = List.of("sum", "append", "count").get(id % 3);
                java.process(id, id % 11, id, op, "a", id);
                wasm.process(id, id % 11, id, op, "a", id);
            }
            wasm.drain();
            assertEquals(java.output(), wasm.output());
            List<String> expected = new ArrayList<>();
            for (int id : policy == Policy.SKIP ? new int[] {} : new int[] {80, 110}) {
                expected.add("{\"k\":null,\"id\":" + id + ",\"op\":\"sum\",\"name\":\"a\",\"n\":1} | "
                        + "NULL in the NOT NULL column `k` | FW0508 | all-states @" + id);
            }
            assertEquals(expected, letters(wasm.harness));
        }
    }

    /** What the function does not see may be NULL, whatever its type says: sources of Flink do not check it. */
    @ParameterizedTest
    @EnumSource(Policy.class)
    void nullBesideTheFunction(Policy policy) throws Exception {
        OneInputStreamOperatorTestHarness<RowData, RowData> harness = hostile(policy);
        try {
            for (Integer id : new Integer[] {1, null, 3}) {
                harness.processElement(GenericRowData.of(id, StringData.fromString("m"), 2L), 3);
            }
            if (policy != Policy.FAIL) {
                harness.processElement(GenericRowData.of(null, StringData.fromString("error"), 4L), 3);
            }
            harness.prepareSnapshotPreBarrier(1);
            List<Integer> ids = new ArrayList<>();
            harness.extractOutputValues().forEach(row -> ids.add(row.isNullAt(0) ? null : row.getInt(0)));
            assertEquals(Arrays.asList(1, null, 3), ids);
            List<String> letters = letters(harness);
            assertEquals(policy == Policy.DEAD_LETTER ? 1 : 0, letters.size());
            for (String letter : letters) {
                assertTrue(letter.startsWith("{\"id\":null,\"mode\":\"error\",\"value\":4} | "), letter);
            }
        } finally {
            harness.getOperator().close();
        }
    }

    /** What the function takes of a row was written already, when a column beside it can't be: that is taken back. */
    @ParameterizedTest
    @EnumSource(Policy.class)
    void timestampOutOfRangeBesideTheFunction(Policy policy) throws Exception {
        OneInputStreamOperatorTestHarness<RowData, RowData> harness = hostile(policy, Rows.parse("TIMESTAMP(6)"), "{}", null);
        try {
            for (int row = 0; row < 30; row++) {
                boolean outOfRange = row == 0 || row == 17;
                TimestampData at = TimestampData.fromEpochMillis(outOfRange ? Long.MAX_VALUE / 1000 + 1 : row);
                RowData input = GenericRowData.of(at, StringData.fromString("m" + row), (long) row);
                if (outOfRange && policy == Policy.FAIL) {
                    DiagnosticException e = assertThrows(DiagnosticException.class, () -> harness.processElement(input, 5));
                    assertEquals(
                            "row 0 can't be given to the function `hostile`: a TIMESTAMP that is out of range in column `id`",
                            e.diagnostic().message());
                    return;
                }
                harness.processElement(input, row);
            }
            harness.prepareSnapshotPreBarrier(1);
            List<String> expected = new ArrayList<>();
            for (int row = 1; row < 30; row++) {
                if (row != 17) {
                    expected.add(row + " m" + row + " " + row);
                }
            }
            assertEquals(
                    expected,
                    harness.extractOutputValues().stream()
                            .map(row -> row.getTimestamp(0, 6).getMillisecond() + " " + row.getString(1) + " " + row.getLong(2))
                            .toList());
            List<String> letters = letters(harness);
            assertEquals(policy == Policy.DEAD_LETTER ? 2 : 0, letters.size());
            for (String letter : letters) {
                assertTrue(letter.contains("a TIMESTAMP that is out of range in column `id` | FW0508 | hostile @"), letter);
            }
        } finally {
            harness.getOperator().close();
        }
    }

    /** A NULL below an array is that row's alone, as one in a column is. */
    @ParameterizedTest
    @EnumSource(Policy.class)
    void nullDeepInARow(Policy policy) throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component("order-lines"));
        List<String> input = List.of(
                "BIGINT NOT NULL",
                "ARRAY<ROW<sku STRING NOT NULL, quantity INT NOT NULL, price DECIMAL(12, 2) NOT NULL> NOT NULL> NOT NULL",
                "MAP<STRING NOT NULL, STRING>");
        List<String> output = List.of(
                "BIGINT NOT NULL",
                "DECIMAL(12, 2) NOT NULL",
                "MAP<STRING NOT NULL, BIGINT NOT NULL> NOT NULL",
                "ROW<sku STRING NOT NULL, total DECIMAL(12, 2) NOT NULL>",
                "ARRAY<STRING NOT NULL> NOT NULL");
        List<LogicalType> types = input.stream().map(Rows::parse).toList();
        List<Column> columns = List.of(
                new Column("id", types.get(0), 0), new Column("lines", types.get(1), 1), new Column("tags", types.get(2), 2));
        WasmOperatorSpec spec = new WasmOperatorSpec(
                "wasm map order-lines@00000000",
                "order-lines",
                digest,
                Kind.MAP,
                "{}",
                "{}",
                input,
                output,
                columns,
                List.of(),
                output.stream().map(Rows::parse).toList(),
                List.of(new ResultColumn(Origin.REPLY, 0), new ResultColumn(Origin.REPLY, 1)),
                digest,
                new Settings(sidecar.socket.toString(), 20_000, 200, 1 << 18, 10, 2),
                null,
                new OnError(policy, 0, policy == Policy.DEAD_LETTER ? columns : List.of()),
                "[]");
        MockEnvironment environment = new MockEnvironmentBuilder().setUserCodeClassLoader(withBundle).build();
        OneInputStreamOperatorTestHarness<RowData, RowData> harness =
                new OneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec), environment);
        try {
            harness.setup(new RowDataSerializer(types.get(0), Rows.parse(output.get(1))));
            harness.setProcessingTime(0);
            harness.open();
            harness.processElement(order(1, 2, 3), 1);
            if (policy == Policy.FAIL) {
                DiagnosticException e = assertThrows(DiagnosticException.class, () -> harness.processElement(order(2, 4, null), 2));
                assertEquals("FW0508", e.diagnostic().code());
                assertTrue(e.getMessage().contains("NULL in the NOT NULL column `lines[].quantity`"), e.getMessage());
                return;
            }
            harness.processElement(order(2, 4, null), 2);
            harness.processElement(order(3, 5), 3);
            harness.prepareSnapshotPreBarrier(1);
            assertEquals(
                    List.of("1 6.25", "3 6.25"),
                    harness.extractOutputValues().stream().map(row -> row.getLong(0) + " " + row.getDecimal(1, 12, 2)).toList());
            assertCounted(harness, policy);
            assertEquals(
                    policy == Policy.SKIP
                            ? List.of()
                            : List.of("{\"id\":2,\"lines\":[{\"sku\":\"a\",\"quantity\":4,\"price\":1.25},"
                                    + "{\"sku\":\"a\",\"quantity\":null,\"price\":1.25}],\"tags\":null} | "
                                    + "NULL in the NOT NULL column `lines[].quantity` | FW0508 | order-lines @2"),
                    letters(harness));
        } finally {
            harness.getOperator().close();
        }
    }

    /** An order with a line for each quantity, at a price of 1.25. */
    private static RowData order(long id, Integer... quantities) {
        Object[] lines = Arrays.stream(quantities)
                .map(quantity -> GenericRowData.of(
                        StringData.fromString("a"), quantity, DecimalData.fromBigDecimal(new BigDecimal("1.25"), 12, 2)))
                .toArray();
        return GenericRowData.of(id, new GenericArrayData(lines), null);
    }

    @ParameterizedTest
    @CsvSource({
        "SKIP, error, FW0507",
        "SKIP, panic, FW0504",
        "DEAD_LETTER, error, FW0507",
        "DEAD_LETTER, panic, FW0504",
        "FAIL, error, FW0507",
        "FAIL, panic, FW0504",
    })
    void poisonRowOfMapFunction(Policy policy, String poison, String code) throws Exception {
        OneInputStreamOperatorTestHarness<RowData, RowData> harness = hostile(policy);
        List<String> expected = new ArrayList<>();
        try {
            for (int id = 0; id < ROWS; id++) {
                String mode = id == POISON ? poison : "m" + id;
                if (id != POISON) {
                    expected.add(id + " " + mode + " " + (id + 5));
                }
                if (id == POISON && policy == Policy.FAIL) {
                    DiagnosticException e = assertThrows(DiagnosticException.class, () -> {
                        harness.processElement(GenericRowData.of(POISON, StringData.fromString(poison), POISON + 5L), POISON);
                        harness.prepareSnapshotPreBarrier(1);
                    });
                    assertEquals(code, e.diagnostic().code());
                    return;
                }
                harness.processElement(GenericRowData.of(id, StringData.fromString(mode), id + 5L), id);
            }
            harness.prepareSnapshotPreBarrier(1);
            List<String> output = new ArrayList<>();
            for (StreamRecord<? extends RowData> record : harness.extractOutputStreamRecords()) {
                RowData row = record.getValue();
                assertEquals(row.getInt(0), record.getTimestamp());
                output.add(row.getInt(0) + " " + row.getString(1) + " " + row.getLong(2));
            }
            assertEquals(expected, output);
            assertCounted(harness, policy);
            List<String> letters = letters(harness);
            assertEquals(policy == Policy.SKIP ? 0 : 1, letters.size());
            for (String letter : letters) {
                assertTrue(
                        letter.startsWith("{\"id\":537,\"mode\":\"" + poison + "\",\"value\":542} | ")
                                && letter.contains("told to ")
                                && letter.endsWith(" | " + code + " | hostile @537"),
                        letter);
            }
        } finally {
            harness.getOperator().close();
        }
    }

    /** Finding each takes longer than one run: altogether longer than the sidecar may be silent. */
    @Test
    void manyLoopingRowsAreSkipped() throws Exception {
        long deadlineMs = 300;
        int loops = 6;
        long replyTimeoutMs = 4 * deadlineMs;
        OneInputStreamOperatorTestHarness<RowData, RowData> harness =
                hostile(Policy.SKIP, Rows.parse("INT NOT NULL"), "{\"deadlineMs\":" + deadlineMs + "}", replyTimeoutMs);
        try {
            List<Integer> expected = new ArrayList<>();
            long start = System.nanoTime();
            for (int id = 0; id < 100; id++) {
                boolean isLoop = id % 15 == 3 && id / 15 < loops;
                if (!isLoop) {
                    expected.add(id);
                }
                harness.processElement(GenericRowData.of(id, StringData.fromString(isLoop ? "loop" : "m"), 2L), 3);
            }
            harness.prepareSnapshotPreBarrier(1);
            assertTrue(System.nanoTime() - start > replyTimeoutMs * 1_000_000, "the search was too short to show anything");
            assertEquals(expected, harness.extractOutputValues().stream().map(row -> row.getInt(0)).toList());
            FunctionReports reports = ((AbstractWasmOperator<?>) harness.getOperator()).reports;
            assertEquals(loops, reports.counter("skippedRows").getCount());
        } finally {
            harness.getOperator().close();
        }
    }
}
