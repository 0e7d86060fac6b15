package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.checkpoint.CheckpointOptions;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.memory.MemCheckpointStreamFactory;
import org.apache.flink.streaming.api.operators.OperatorSnapshotFutures;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.concurrent.FutureUtils;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.OnError;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Settings;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.StateKind;
import org.flinkwasm.shaded.gson.JsonArray;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** The keyed operator in Flink's harness, against a count function that checks what it is sent. */
@Timeout(60)
class WasmProcessOperatorTest {
    private static final LogicalType USER = new BigIntType(false);
    private static final LogicalType NAME = new VarCharType(true, VarCharType.MAX_LENGTH);
    private static final int BUNDLE_ROWS = 4;

    @TempDir
    Path folder;

    private CountingFunction function;
    private ScriptedSidecar sidecar;
    private KeyedOneInputStreamOperatorTestHarness<Object, RowData, RowData> harness;
    private int cacheSlots = 65_536;
    private Long ttlMs;
    private long timerAfter;
    private OnError onError = OnError.FAIL;
    private String rateLimiters = "[]";

    @AfterEach
    void close() throws Exception {
        if (harness != null) {
            // Not the harness's close, which would finish first: what a test left unanswered never comes.
            harness.getOperator().close();
        }
        if (sidecar != null) {
            sidecar.close();
        }
    }

    private WasmOperatorSpec spec() {
        return new WasmOperatorSpec(
                "wasm process count@00000000",
                "count",
                "sha256:00",
                Kind.PROCESS,
                "{}",
                "{}",
                List.of("STRING"),
                List.of("BIGINT NOT NULL", "BIGINT NOT NULL"),
                List.of(new Column("name", NAME, 1)),
                List.of(),
                List.of(USER, USER),
                List.of(),
                "sha256:00",
                new Settings(folder.resolve("sidecar.sock").toString(), 5000, BUNDLE_ROWS, 1 << 18, 10, 2, cacheSlots, 1 << 20),
                new Keyed(
                        List.of("BIGINT"),
                        List.of(new Column("user", USER, 0)),
                        List.of("BIGINT NOT NULL"),
                        List.of(new State("count", StateKind.VALUE, "v1:i64", ttlMs)),
                        List.of(),
                        timerAfter != 0),
                onError,
                rateLimiters);
    }

    private void open(boolean answersAtOnce, OperatorSubtaskState state) throws Exception {
        close();
        function = new CountingFunction(timerAfter);
        sidecar = new ScriptedSidecar(folder, answersAtOnce, function);
        RowKeySelector key = new RowKeySelector(List.of(new Column("user", USER, 0)));
        harness = new KeyedOneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec()), key, key.keyType());
        harness.setup(new RowDataSerializer(USER, USER));
        if (state != null) {
            harness.initializeState(state);
        }
        harness.setProcessingTime(0);
        harness.open();
    }

    private void process(long timestamp, long... users) throws Exception {
        for (long user : users) {
            harness.processElement(GenericRowData.of(user, StringData.fromString("n" + user)), timestamp);
        }
    }

    /** Awaits everything in flight, as before a checkpoint. */
    private void drain() throws Exception {
        harness.prepareSnapshotPreBarrier(1);
    }

    /** What was put out since the last time, as text. */
    private List<String> output() {
        List<String> texts = new ArrayList<>();
        for (Object element : harness.getOutput()) {
            if (element instanceof StreamRecord<?> record) {
                RowData row = (RowData) record.getValue();
                texts.add(row.getLong(0) + ":" + row.getLong(1) + (record.hasTimestamp() ? "@" + record.getTimestamp() : ""));
            } else if (element instanceof Watermark mark) {
                texts.add("W" + mark.getTimestamp());
            }
        }
        harness.getOutput().clear();
        return texts;
    }

    /** Writes a snapshot that was taken. */
    private static OperatorSubtaskState written(OperatorSnapshotFutures futures) throws Exception {
        return OperatorSubtaskState.builder()
                .setManagedKeyedState(
                        FutureUtils.runIfNotDoneAndGet(futures.getKeyedStateManagedFuture()).getJobManagerOwnedSnapshot())
                .setManagedOperatorState(
                        FutureUtils.runIfNotDoneAndGet(futures.getOperatorStateManagedFuture()).getJobManagerOwnedSnapshot())
                .build();
    }

    private void runMail() throws Exception {
        harness.getTaskMailbox().take(0).run();
    }

    @Test
    void countsByKey() throws Exception {
        open(true, null);
        process(5, 1, 2, 1, 1, 2);
        drain();
        assertEquals(List.of("1:1@5", "2:1@5", "1:2@5", "1:3@5", "2:2@5"), output());
    }

    @Test
    void valuesTravelOnceWhileTheSidecarHasThem() throws Exception {
        open(true, null);
        process(0, 1);
        drain();
        process(0, 1, 2);
        drain();
        process(0, 2);
        drain();
        assertEquals(List.of("1:1@0", "1:2@0", "2:1@0", "2:2@0"), output());
        assertEquals("mode 0 items 1 fresh [1] evicted 0", function.sent.get(0));
        assertEquals("mode 0 items 1 fresh [] evicted 0", function.sent.get(function.sent.size() - 1));
    }

    @Test
    void snapshotHasEveryCount() throws Exception {
        open(true, null);
        process(0, 1, 2, 1, 3, 1);
        drain();
        OperatorSubtaskState state = harness.snapshot(1, 1);
        open(true, state);
        process(0, 1, 2, 4);
        drain();
        assertEquals(List.of("1:4@0", "2:2@0", "4:1@0"), output());
    }

    /** On the heap values are written over where they are; those of a snapshot that is still being written stay as they were. */
    @Test
    void aSnapshotKeepsItsValuesWhileNewOnesAreWritten() throws Exception {
        for (int limit : new int[] {0, 65_536}) {
            cacheSlots = limit;
            open(true, null);
            process(0, 1, 1, 2);
            drain();
            process(0, 1, 2);
            drain();
            OperatorSnapshotFutures futures = harness.getOperator()
                    .snapshotState(
                            1, 1, CheckpointOptions.forCheckpointWithDefaultLocation(), new MemCheckpointStreamFactory(1 << 20));
            // Takes the slots of the others where there are none to spare: their values are read again.
            process(0, 3);
            drain();
            process(0, 1, 2, 1);
            drain();
            OperatorSubtaskState state = written(futures);
            process(0, 1, 2);
            drain();
            assertEquals(
                    List.of("1:1@0", "1:2@0", "2:1@0", "1:3@0", "2:2@0", "3:1@0", "1:4@0", "2:3@0", "1:5@0", "1:6@0", "2:4@0"), output());
            OperatorSubtaskState later = harness.snapshot(2, 2);
            open(true, state);
            process(0, 1, 2);
            drain();
            assertEquals(List.of("1:4@0", "2:3@0"), output(), "with " + limit + " slots");
            open(true, later);
            process(0, 1, 2);
            drain();
            assertEquals(List.of("1:7@0", "2:5@0"), output(), "with " + limit + " slots");
        }
    }

    /** Many keys through few slots, two bundles in flight: every count is that of a map in Java. */
    @Test
    void fewSlotsGiveTheSameCounts() throws Exception {
        for (int limit : new int[] {0, 1, 3, 65_536}) {
            cacheSlots = limit;
            open(true, null);
            Random random = new Random(limit);
            Map<Long, Long> counts = new HashMap<>();
            List<String> expected = new ArrayList<>();
            for (int i = 0; i < 5000; i++) {
                long user = random.nextInt(i % 1000 < 500 ? 12 : 3000);
                expected.add(user + ":" + counts.merge(user, 1L, Long::sum) + "@" + i);
                process(i, user);
            }
            drain();
            List<String> output = output();
            assertEquals(expected.size(), output.size());
            for (int i = 0; i < output.size(); i++) {
                assertEquals(expected.get(i), output.get(i), "with " + limit + " slots");
            }
            boolean evicts = function.sent.stream().anyMatch(line -> !line.endsWith("evicted 0"));
            assertEquals(limit < 65_536, evicts);
        }
    }

    @Test
    void watermarksKeepTheirPlace() throws Exception {
        open(true, null);
        process(1, 1, 2);
        harness.processWatermark(1);
        process(2, 1);
        harness.processWatermark(2);
        drain();
        assertEquals(List.of("1:1@1", "2:1@1", "W1", "1:2@2", "W2"), output());
    }

    @Test
    void timersFireBeforeTheirWatermark() throws Exception {
        timerAfter = 10;
        open(true, null);
        process(1, 1, 2);
        harness.processWatermark(10);
        process(20, 1);
        harness.processWatermark(11);
        drain();
        assertEquals(List.of("1:1@1", "2:1@1", "W10", "1:2@20", "1:-2@11", "2:-1@11", "W11"), output());
        OperatorSubtaskState state = harness.snapshot(1, 1);
        open(true, state);
        harness.processWatermark(Long.MAX_VALUE);
        assertEquals(List.of("1:-2@30", "W" + Long.MAX_VALUE), output());
    }

    @ParameterizedTest
    @CsvSource({"FAIL, 10", "SKIP, 10", "DEAD_LETTER, 10", "DEAD_LETTER, -10"})
    void refusedTimers(Policy policy, long after) throws Throwable {
        timerAfter = after;
        onError = new OnError(policy, 2, List.of(new Column("user", USER, 0), new Column("name", NAME, 1)));
        open(true, null);
        function.refusesTimers = true;
        process(1, 7);
        drain();
        Executable fire = () -> {
            if (after > 0) {
                harness.processWatermark(20);
            } else {
                harness.setProcessingTime(20);
                drain();
            }
        };
        if (policy == Policy.FAIL) {
            DiagnosticException e = assertThrows(DiagnosticException.class, fire);
            assertEquals("FW0507: the function `count` refused timer 0: late", e.getMessage().lines().findFirst().orElse(""));
            return;
        }
        fire.execute();
        assertEquals(after > 0 ? List.of("7:1@1", "W20") : List.of("7:1@1"), output());
        FunctionReports reports = ((AbstractWasmOperator<?>) harness.getOperator()).reports;
        assertEquals(policy == Policy.SKIP ? 1 : 0, reports.counter("skippedRows").getCount());
        if (policy == Policy.DEAD_LETTER) {
            RowData letter = harness.getSideOutput(DeadLetters.TAG).peek().getValue();
            assertEquals(
                    after > 0
                            ? "{\"key\":{\"user\":7},\"timer\":11,\"domain\":\"event-time\"}"
                            : "{\"key\":{\"user\":7},\"timer\":10,\"domain\":\"processing-time\"}",
                    letter.getString(0).toString());
            assertEquals(1, harness.getSideOutput(DeadLetters.TAG).size());
            assertEquals(after > 0 ? 0 : 20, letter.getTimestamp(5, 3).getMillisecond());
        }
        assertTrue(sidecar.handshake.get(1).contains("\"onError\":{\"policy\":\"" + policy.wireName() + "\",\"retries\":2}"));
    }

    @Test
    void sidecarIsToldTheRateLimiters() throws Exception {
        rateLimiters = "[{\"name\":\"api\",\"rate\":100.0,\"burst\":200,\"scope\":\"sidecar\",\"tiers\":[{\"name\":\"t\",\"rate\":5,\"burst\":6}]}]";
        open(true, null);
        String told = "\"rateLimiters\":[{\"name\":\"api\",\"rate\":100.0,\"burst\":200,\"shared\":true,\"tiers\":["
                + "{\"name\":\"t\",\"rate\":5.0,\"burst\":6}]}]";
        assertTrue(sidecar.handshake.get(1).contains(told), sidecar.handshake.get(1));
    }

    @ParameterizedTest
    @CsvSource({"sidecar, 4, 100.0, 200, true", "job, 1, 100.0, 200, false", "job, 4, 25.0, 50, false", "job, 300, 0.3333333333333333, 1, false"})
    void limitersOfTheJobAreDivided(String scope, int parallelism, double rate, long burst, boolean shared) {
        JsonArray limiters = JsonParser.parseString("[{\"name\":\"api\",\"rate\":100,\"burst\":200,\"scope\":\"" + scope + "\"}]").getAsJsonArray();
        assertEquals(
                "[{\"name\":\"api\",\"rate\":" + rate + ",\"burst\":" + burst + ",\"shared\":" + shared + ",\"tiers\":[]}]",
                RateLimiters.ofSubtask(limiters, parallelism).toString());
    }

    @Test
    void timersWithoutEndFailTheTask() throws Exception {
        timerAfter = 1;
        open(true, null);
        function.isEndless = true;
        process(1, 1);
        drain();
        DiagnosticException e = assertThrows(DiagnosticException.class, () -> harness.processWatermark(1_000_000));
        assertEquals("FW0515", e.diagnostic().code());
        assertEquals(
                "timers of the function `count` fired in 10000 bundles at the watermark 1000000, and more are due",
                e.diagnostic().message());
    }

    @Test
    void timersOfProcessingTimeGoBehindTheRowsBefore() throws Exception {
        timerAfter = -10;
        open(true, null);
        process(1, 1, 2);
        drain();
        process(2, 1);
        harness.setProcessingTime(10);
        drain();
        assertEquals(List.of("1:1@1", "2:1@1", "1:2@2", "1:-2@10", "2:-1@10"), output());
    }

    @Test
    void expiredValuesAreGone() throws Exception {
        ttlMs = 100L;
        open(true, null);
        harness.setStateTtlProcessingTime(0);
        process(0, 1);
        drain();
        harness.setStateTtlProcessingTime(99);
        process(0, 1);
        drain();
        harness.setStateTtlProcessingTime(199);
        process(0, 1);
        drain();
        assertEquals(List.of("1:1@0", "1:2@0", "1:1@0"), output());
    }

    @Test
    void keyInFlightIsNotReadAgain() throws Exception {
        open(false, null);
        process(0, 1);
        process(0, 1, 1, 1, 1);
        sidecar.answer(sidecar.next());
        runMail();
        sidecar.answer(sidecar.next());
        runMail();
        assertEquals(List.of("1:1@0", "1:2@0", "1:3@0", "1:4@0", "1:5@0"), output());
        assertEquals(List.of("mode 0 items 1 fresh [1] evicted 0", "mode 0 items 4 fresh [] evicted 0"), function.sent);
        assertTrue(sidecar.handshake.get(1).contains("\"states\":[{\"name\":\"count\",\"kind\":\"value\",\"schema\":\"v1:i64\"}]"));
    }
}
