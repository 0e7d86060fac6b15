package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
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
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
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

    /** The function `hostile` takes and gives mode and value; `id` stays here. */
    private OneInputStreamOperatorTestHarness<RowData, RowData> hostile(Policy policy) throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component("hostile"));
        LogicalType id = Rows.parse("INT NOT NULL");
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
                "{}",
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
                new Settings(sidecar.socket.toString(), 20_000, 200, 1 << 18, 10, 2),
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
                            : List.of("{\"id\":4,\"mode\":\"m\",\"value\":null} | NULL in column `value`, the function `hostile` declares it "
                                    + "NOT NULL | FW0508 | hostile @5"),
                    letters(harness));
        } finally {
            harness.getOperator().close();
        }
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
}
