package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.runtime.throwable.ThrowableClassifier;
import org.apache.flink.runtime.throwable.ThrowableType;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.RealSidecar;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Settings;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** A sidecar that stands still: no thread waits for it for ever, and the task fails in a way that is tried again. */
@Timeout(60)
class FrozenSidecarTest {
    private static final LogicalType BYTES = new VarBinaryType(false, VarBinaryType.MAX_LENGTH);
    private static final long CONNECT_TIMEOUT_MS = 20_000;
    private static final long REPLY_TIMEOUT_MS = 700;

    /** Larger than the buffer of a socket. */
    private static final int LARGE = 4 << 20;

    @TempDir
    Path folder;

    private RealSidecar sidecar;
    private URLClassLoader withBundle;
    private String digest;
    private OneInputStreamOperatorTestHarness<RowData, RowData> harness;

    @BeforeEach
    void start() throws Exception {
        digest = RealSidecar.putBlob(folder, RealSidecar.component("identity"));
        sidecar = new RealSidecar(folder);
        withBundle = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader());
    }

    @AfterEach
    void stop() throws Exception {
        harness.getOperator().close();
        withBundle.close();
        sidecar.close();
    }

    private void open(long connectTimeoutMs, long replyTimeoutMs) throws Exception {
        WasmOperatorSpec spec = new WasmOperatorSpec(
                "wasm map identity@00000000",
                "identity",
                digest,
                Kind.MAP,
                "{}",
                "{}",
                List.of("BYTES NOT NULL"),
                List.of("BYTES NOT NULL"),
                List.of(new Column("payload", BYTES, 0)),
                List.of(),
                List.of(BYTES),
                List.of(new ResultColumn(Origin.REPLY, 0)),
                digest,
                new Settings(sidecar.socket.toString(), connectTimeoutMs, 1, 1 << 18, 10, 2, 0, 0, replyTimeoutMs));
        MockEnvironment environment = new MockEnvironmentBuilder().setUserCodeClassLoader(withBundle).build();
        harness = new OneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec), environment);
        harness.setup(new RowDataSerializer(BYTES));
        harness.open();
    }

    private void process(int bytes) throws Exception {
        harness.processElement(GenericRowData.of(new byte[bytes]), 0);
    }

    private void failsInTime(DiagnosticException e, String code, String text) {
        assertEquals(code, e.diagnostic().code());
        assertTrue(e.getMessage().contains(text) && e.getMessage().contains(sidecar.socket.toString()), e.getMessage());
        assertFalse(ThrowableClassifier.findThrowableOfThrowableType(e, ThrowableType.NonRecoverableError).isPresent());
    }

    @Test
    void waitingForRepliesEnds() throws Exception {
        open(CONNECT_TIMEOUT_MS, REPLY_TIMEOUT_MS);
        process(1);
        harness.prepareSnapshotPreBarrier(1);
        sidecar.signal("STOP");
        process(1);
        DiagnosticException e = assertThrows(DiagnosticException.class, () -> harness.prepareSnapshotPreBarrier(2));
        failsInTime(e, "FW0501", "sent nothing for 700 ms while it had 1 bundles");
    }

    @Test
    void blockedWriteEnds() throws Exception {
        open(CONNECT_TIMEOUT_MS, REPLY_TIMEOUT_MS);
        sidecar.signal("STOP");
        DiagnosticException e = assertThrows(DiagnosticException.class, () -> process(LARGE));
        failsInTime(e, "FW0501", "sent nothing for 700 ms while it had 1 bundles");
    }

    @Test
    void cancellationEndsBlockedWrite() throws Exception {
        open(CONNECT_TIMEOUT_MS, 600_000);
        sidecar.signal("STOP");
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread task = new Thread(() -> {
            try {
                process(LARGE);
            } catch (Throwable e) {
                thrown.set(e);
            }
        });
        task.start();
        Thread.sleep(300);
        assertTrue(task.isAlive());
        task.interrupt();
        task.join(10_000);
        assertFalse(task.isAlive());
        assertTrue(thrown.get() != null);
    }

    @Test
    void slowButAliveIsAwaited() throws Exception {
        open(CONNECT_TIMEOUT_MS, REPLY_TIMEOUT_MS);
        // Silence while nothing is awaited means nothing.
        Thread.sleep(REPLY_TIMEOUT_MS + 300);
        sidecar.signal("STOP");
        process(1);
        Thread.sleep(REPLY_TIMEOUT_MS / 3);
        sidecar.signal("CONT");
        harness.prepareSnapshotPreBarrier(1);
        assertEquals(1, harness.extractOutputValues().size());
    }

    @Test
    void frozenAtTheHandshakeEnds() throws Exception {
        sidecar.signal("STOP");
        DiagnosticException e = assertThrows(DiagnosticException.class, () -> open(500, REPLY_TIMEOUT_MS));
        failsInTime(e, "FW0501", "no sidecar answered at");
    }
}
