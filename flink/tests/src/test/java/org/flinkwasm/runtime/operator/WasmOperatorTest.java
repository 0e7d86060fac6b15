package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.throwable.ThrowableClassifier;
import org.apache.flink.runtime.throwable.ThrowableType;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.operator.ScriptedSidecar.Received;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Settings;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** The operator in Flink's harness, against a sidecar that does as it is told. */
@Timeout(30)
class WasmOperatorTest {
    private static final LogicalType ID = new BigIntType(false);
    private static final LogicalType NAME = new VarCharType(true, VarCharType.MAX_LENGTH);
    private static final int BUNDLE_ROWS = 4;
    private static final long BUNDLE_TIME_MS = 10;
    private static final int REPLY = 8;

    @TempDir
    Path folder;

    private ScriptedSidecar sidecar;
    private OneInputStreamOperatorTestHarness<RowData, RowData> harness;

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

    private Settings settings(long connectTimeoutMs) {
        return new Settings(folder.resolve("sidecar.sock").toString(), connectTimeoutMs, BUNDLE_ROWS, 1 << 18, BUNDLE_TIME_MS, 2);
    }

    /** The function takes and gives `id`; `name` stays here. */
    private WasmOperatorSpec spec(Kind kind, long connectTimeoutMs) {
        List<ResultColumn> result = new ArrayList<>();
        result.add(new ResultColumn(kind == Kind.MAP ? Origin.REPLY : Origin.ARGUMENT, 0));
        result.add(new ResultColumn(Origin.KEPT, 0));
        if (kind == Kind.FLAG) {
            result.add(new ResultColumn(Origin.REPLY, 0));
        }
        return new WasmOperatorSpec(
                "wasm map f@00000000",
                "f",
                "sha256:00",
                kind,
                "{}",
                "{}",
                List.of("BIGINT NOT NULL"),
                List.of("BIGINT NOT NULL"),
                List.of(new Column("id", ID, 0)),
                List.of(new Column("name", NAME, 1)),
                kind == Kind.MAP ? List.of(ID) : List.of(),
                result,
                "sha256:00",
                settings(connectTimeoutMs));
    }

    private void open(Kind kind, boolean answersAtOnce) throws Exception {
        sidecar = new ScriptedSidecar(folder, answersAtOnce);
        open(spec(kind, 5000));
    }

    private void open(WasmOperatorSpec spec) throws Exception {
        harness = new OneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec));
        harness.setup(
                spec.kind() == Kind.FLAG ? new RowDataSerializer(ID, NAME, new BooleanType(false)) : new RowDataSerializer(ID, NAME));
        harness.setProcessingTime(0);
        harness.open();
    }

    private void process(long... ids) throws Exception {
        for (long id : ids) {
            harness.processElement(GenericRowData.of(id, StringData.fromString("n" + id)), id * 10);
        }
    }

    /** Leaves the mode for slow streams, in which every row goes at once. */
    private void hurry() throws Exception {
        for (long id = -200; id < 0; id++) {
            process(id);
            harness.prepareSnapshotPreBarrier(0);
        }
        harness.getOutput().clear();
        sidecar.bundles.clear();
    }

    /** What was put out, as text. */
    private List<String> output() {
        List<String> texts = new ArrayList<>();
        for (Object element : harness.getOutput()) {
            if (element instanceof StreamRecord<?> record) {
                RowData row = (RowData) record.getValue();
                String flag = row.getArity() == 3 ? " " + row.getBoolean(2) : "";
                texts.add(row.getLong(0) + " " + row.getString(1) + " @" + record.getTimestamp() + flag);
            } else if (element instanceof Watermark mark) {
                texts.add("W" + mark.getTimestamp());
            } else if (element instanceof WatermarkStatus status) {
                texts.add(status.isIdle() ? "idle" : "active");
            }
        }
        return texts;
    }

    /** Runs mails until one came, as the task's loop does between elements. */
    private void runMail() throws Exception {
        harness.getTaskMailbox().take(0).run();
    }

    private static DiagnosticException fails(Executable action) {
        return assertThrows(DiagnosticException.class, action);
    }

    @Test
    void handshakeNamesTheSubtaskAndTheFunction() throws Exception {
        open(Kind.MAP, true);
        assertTrue(sidecar.handshake.get(0).contains("\"operator\":\"wasm map f@00000000\""), sidecar.handshake.get(0));
        assertTrue(sidecar.handshake.get(0).contains("\"protocol\":{\"min\":1,\"max\":1}"), sidecar.handshake.get(0));
        assertTrue(sidecar.handshake.get(1).contains("\"input\":[\"BIGINT NOT NULL\"]"), sidecar.handshake.get(1));
        assertTrue(sidecar.handshake.get(1).contains("\"kind\":\"map\""), sidecar.handshake.get(1));
    }

    @Test
    void controlsKeepTheirPlaceBetweenRows() throws Exception {
        open(Kind.MAP, true);
        hurry();
        harness.processWatermark(5);
        process(1, 2);
        harness.processWatermark(25);
        process(3);
        harness.processWatermarkStatus(WatermarkStatus.IDLE);
        harness.processWatermarkStatus(WatermarkStatus.ACTIVE);
        process(4, 5);
        harness.processWatermark(45);
        harness.endInput();
        assertEquals(
                List.of("W5", "1 n1 @10", "2 n2 @20", "W25", "3 n3 @30", "idle", "active", "4 n4 @40", "5 n5 @50", "W45"), output());
        assertEquals(5, sidecar.next().watermark());
        assertEquals(25, sidecar.next().watermark());
    }

    @Test
    void rowsWithoutTimestampStayWithout() throws Exception {
        open(Kind.MAP, true);
        harness.processElement(new StreamRecord<>(GenericRowData.of(1L, null)));
        harness.endInput();
        StreamRecord<?> record = (StreamRecord<?>) harness.getOutput().peek();
        assertEquals(false, record.hasTimestamp());
        assertTrue(((RowData) record.getValue()).isNullAt(1));
    }

    @Test
    void slowRowsGoAtOnce() throws Exception {
        open(Kind.MAP, false);
        process(1);
        Received first = sidecar.next();
        assertEquals(1, first.rows());
        // While it is in flight others gather; they go with its reply.
        process(2, 3);
        assertTrue(sidecar.bundles.isEmpty());
        sidecar.answer(first);
        runMail();
        assertEquals(List.of("1 n1 @10"), output());
        assertEquals(2, sidecar.next().rows());
    }

    @Test
    void quickRowsWaitForOthersUntilTheirTimeIsOver() throws Exception {
        open(Kind.MAP, true);
        hurry();
        process(1, 2);
        harness.setProcessingTime(BUNDLE_TIME_MS - 1);
        assertTrue(sidecar.bundles.isEmpty());
        harness.setProcessingTime(BUNDLE_TIME_MS);
        assertEquals(2, sidecar.next().rows());
    }

    @Test
    void fullBundlesGoWithoutTimer() throws Exception {
        open(Kind.MAP, true);
        hurry();
        process(1, 2, 3, 4, 5);
        assertEquals(BUNDLE_ROWS, sidecar.next().rows());
        harness.endInput();
        assertEquals(1, sidecar.next().rows());
        assertEquals(5, output().size());
    }

    @Test
    void barrierWaitsForEverythingInFlight() throws Exception {
        open(Kind.MAP, true);
        process(1, 2, 3, 4, 5, 6);
        harness.processWatermark(60);
        harness.prepareSnapshotPreBarrier(1);
        assertEquals(List.of("1 n1 @10", "2 n2 @20", "3 n3 @30", "4 n4 @40", "5 n5 @50", "6 n6 @60", "W60"), output());
    }

    @Test
    void fullFlightHoldsTheTaskBack() throws Exception {
        open(Kind.MAP, false);
        process(1);
        process(2, 3, 4, 5);
        Received first = sidecar.next();
        sidecar.next();
        process(6, 7, 8);
        // The ninth row fills the bundle while two are in flight: the task thread waits until the first is answered.
        Thread answering = new Thread(() -> {
            try {
                Thread.sleep(100);
                assertTrue(sidecar.bundles.isEmpty());
                sidecar.answer(first);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        answering.start();
        process(9);
        answering.join();
        assertEquals(List.of("1 n1 @10"), output());
        assertEquals(4, sidecar.next().rows());
    }

    @Test
    void filterKeepsRowsAndFlagTellsOfThem() throws Exception {
        open(Kind.FILTER, false);
        process(1);
        sidecar.answerFilter(sidecar.next(), false);
        process(2, 3, 4);
        runMail();
        sidecar.answerFilter(sidecar.next(), true, false, true);
        runMail();
        assertEquals(List.of("2 n2 @20", "4 n4 @40"), output());
        close();
        open(Kind.FLAG, false);
        process(1);
        sidecar.answerFilter(sidecar.next(), false);
        runMail();
        assertEquals(List.of("1 n1 @10 false"), output());
    }

    @Test
    void severalEmissionsAreOneReply() throws Exception {
        open(Kind.MAP, false);
        process(1);
        sidecar.answer(sidecar.next());
        process(2, 3);
        runMail();
        Received bundle = sidecar.next();
        ByteBuffer reply = ByteBuffer.allocate(16 + 2 * (8 + 8 + 8 + 8 + 8)).order(ByteOrder.LITTLE_ENDIAN);
        reply.putInt(0).putInt(0).putInt(2).putInt(0);
        for (int row = 0; row < 2; row++) {
            reply.putInt(0).putInt(1).putLong(row).putInt(1).putInt(1).put((byte) 4).put((byte) 0).putShort((short) 0).putInt(1).putLong(70 + row);
        }
        sidecar.send(REPLY, bundle.id(), reply.flip());
        runMail();
        assertEquals(List.of("1 n1 @10", "70 n2 @20", "71 n3 @30"), output());
    }

    @Test
    void nullInNotNullFieldNamesColumnAndRow() throws Exception {
        open(Kind.MAP, false);
        process(1, 2);
        DiagnosticException e = fails(() -> harness.processElement(GenericRowData.of(null, null), 0));
        assertEquals("FW0508", e.diagnostic().code());
        assertEquals("row 1 can't be given to the function `f`: NULL in the NOT NULL column `id`", e.diagnostic().message());
        assertNonRecoverable(e, true);
    }

    private static void assertNonRecoverable(Throwable e, boolean expected) {
        assertEquals(
                expected,
                ThrowableClassifier.findThrowableOfThrowableType(e, ThrowableType.NonRecoverableError).isPresent());
    }

    @Test
    void errorOfTheSidecarFailsTheTask() throws Exception {
        open(Kind.MAP, false);
        process(1);
        sidecar.error(
                sidecar.next().id(),
                "{\"code\":\"FW0504\",\"message\":\"the function trapped\",\"notes\":[\"wasm backtrace: 0: f\"],\"help\":\"mend it\",\"row\":0}");
        DiagnosticException e = fails(this::runMail);
        assertEquals(WasmFunctionException.class, e.getClass());
        assertTrue(e.getMessage().startsWith("FW0504: the function trapped"), e.getMessage());
        for (String part : List.of("function: f", "component: sha256:00", "row of the bundle: 0", "wasm backtrace: 0: f", "help: mend it")) {
            assertTrue(e.getMessage().contains(part), e.getMessage());
        }
        assertNonRecoverable(e, true);
    }

    @Test
    void lostSidecarFailsTheTaskButMayRestart() throws Exception {
        open(Kind.MAP, false);
        process(1);
        sidecar.next();
        sidecar.hangUp();
        DiagnosticException e = fails(() -> harness.endInput());
        assertEquals("FW0501", e.diagnostic().code());
        assertNonRecoverable(e, false);
    }

    @Test
    void missingSidecarIsWaitedFor() throws Exception {
        DiagnosticException e = fails(() -> open(spec(Kind.MAP, 300)));
        assertEquals("FW0501", e.diagnostic().code());
        assertTrue(e.diagnostic().message().contains(folder.resolve("sidecar.sock").toString()), e.getMessage());
        Thread late = new Thread(() -> {
            try {
                Thread.sleep(300);
                sidecar = new ScriptedSidecar(folder, true);
            } catch (Exception x) {
                throw new IllegalStateException(x);
            }
        });
        late.start();
        open(spec(Kind.MAP, 10_000));
        late.join();
        process(1);
        harness.endInput();
        assertEquals(1, output().size());
    }

    @Test
    void refusedRowFailsTheTask() throws Exception {
        open(Kind.MAP, false);
        process(1);
        Received bundle = sidecar.next();
        byte[] message = "negative".getBytes();
        ByteBuffer reply = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
        reply.putInt(0).putInt(1).putInt(0).putInt(0).putInt(0).putInt(507).putInt(message.length).putInt(0).put(message).flip();
        sidecar.send(REPLY, bundle.id(), reply);
        DiagnosticException e = fails(this::runMail);
        assertEquals("FW0507", e.diagnostic().code());
        assertEquals("the function `f` refused row 0: negative", e.diagnostic().message());
    }

    @Test
    void trailerBecomesMetrics() throws Exception {
        open(Kind.MAP, false);
        process(1);
        sidecar.answer(
                sidecar.next(),
                "{\"counters\":{\"seen\":2},\"gauges\":{\"ratio\":0.5},\"logs\":[{\"level\":\"info\",\"message\":\"hello\"}],\"droppedLogs\":1}");
        runMail();
        assertEquals(List.of("1 n1 @10"), output());
    }

    /** Every way to damage a reply is noticed, and none gives a wrong row. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "truncated", "longer", "kind", "emissions", "trailer", "output", "rows", "origin", "batch rows", "batch columns",
                "column kind", "column cells", "failures", "id", "type", "length", "flags"
            })
    void garbageIsRefused(String damage) throws Exception {
        open(Kind.MAP, false);
        process(1);
        Received bundle = sidecar.next();
        ByteBuffer reply = ScriptedSidecar.echo(bundle, "");
        long id = bundle.id();
        int type = REPLY;
        switch (damage) {
            case "truncated" -> reply.limit(reply.limit() - 8);
            case "longer" -> reply = ByteBuffer.allocate(reply.limit() + 8).order(ByteOrder.LITTLE_ENDIAN).put(reply).rewind();
            case "kind" -> reply.putInt(0, 1);
            case "failures" -> reply.putInt(4, 2);
            case "emissions" -> reply.putInt(8, -1);
            case "trailer" -> reply.putInt(12, 9);
            case "output" -> reply.putInt(16, 1);
            case "rows" -> reply.putInt(20, Integer.MAX_VALUE);
            case "origin" -> reply.putInt(24, 1);
            case "batch rows" -> reply.putInt(32, 2);
            case "batch columns" -> reply.putInt(36, 2);
            case "column kind" -> reply.put(40, (byte) 3);
            case "column cells" -> reply.putInt(44, -1);
            case "id" -> id++;
            case "type" -> type = 2;
            case "length", "flags" -> {
                type = damage.equals("flags") ? REPLY | 1 << 8 : REPLY;
            }
            default -> throw new AssertionError(damage);
        }
        if (damage.equals("length")) {
            sidecar.sendRaw(ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putInt(0, -1).putInt(4, REPLY));
        } else {
            sidecar.send(type, id, reply);
        }
        DiagnosticException e = fails(this::runMail);
        assertEquals("FW0503", e.diagnostic().code());
        assertEquals(List.of(), output());
    }
}
