package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.operators.MailboxExecutor;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.protocol.ByteBuilder;
import org.flinkwasm.runtime.protocol.FrameType;
import org.flinkwasm.runtime.protocol.ProtocolException;
import org.flinkwasm.runtime.protocol.SidecarConnection;

import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.UnaryOperator;

/**
 * The open connection of a subtask with its reader thread. That thread receives frames and hands them to the mailbox, nothing else: state,
 * timers and output belong to the task thread.
 */
final class SidecarLink implements Closeable {
    private static final int INITIAL_REPLY_BYTES = 4096;

    /** How long the reader may take to see why a connection broke. */
    private static final long READER_JOIN_MS = 5000;

    private final SidecarConnection connection;
    private final String socket;
    private final long replyTimeoutMs;
    private final MailboxExecutor mailbox;
    private final FrameHandler handler;
    private final UnaryOperator<DiagnosticException> describer;
    private final Thread reader;
    private final ConcurrentLinkedQueue<ByteBuilder> buffers = new ConcurrentLinkedQueue<>();
    private volatile DiagnosticException failure;
    private volatile boolean closing;

    /** Called on the task thread for each frame, in order. */
    interface FrameHandler {
        /** The reply to a bundle. */
        void onReply(long id, ByteBuilder payload) throws Exception;

        /** A question for list or map state; the bundle waits for the answer. */
        void onQuestion(long id, ByteBuilder payload) throws Exception;
    }

    SidecarLink(
            SidecarConnection connection,
            String socket,
            long replyTimeoutMs,
            MailboxExecutor mailbox,
            FrameHandler handler,
            UnaryOperator<DiagnosticException> describer,
            String threadName,
            ClassLoader classLoader) {
        this.connection = connection;
        this.socket = socket;
        this.replyTimeoutMs = replyTimeoutMs;
        this.mailbox = mailbox;
        this.handler = handler;
        this.describer = describer;
        reader = new Thread(this::receiveReplies, threadName);
        reader.setDaemon(true);
        reader.setContextClassLoader(classLoader);
        reader.start();
    }

    /** Sends a bundle. */
    void send(ByteBuilder frame) throws InterruptedException {
        connection.expectReply();
        write(frame);
    }

    /** Answers a question: from now on the sidecar is awaited again. */
    void answer(ByteBuilder frame) throws InterruptedException {
        connection.setAsked(false);
        write(frame);
    }

    private void write(ByteBuilder frame) throws InterruptedException {
        try {
            connection.send(frame);
        } catch (IOException e) {
            // A sidecar that sent ERROR and hung up broke this write: the reader has, or will have, the reason.
            reader.join(READER_JOIN_MS);
            throw failure != null ? failure : describer.apply(lost(e));
        }
    }

    /** Gives a payload's buffer back. */
    void recycle(ByteBuilder payload) {
        buffers.add(payload);
    }

    private void receiveReplies() {
        try {
            while (true) {
                ByteBuilder free = buffers.poll();
                ByteBuilder payload = free == null ? new ByteBuilder(INITIAL_REPLY_BYTES) : free;
                FrameType type = connection.receive(payload);
                if (type == FrameType.ERROR) {
                    throw SidecarConnection.error(payload);
                }
                long id = connection.receivedId();
                if (type == FrameType.REPLY) {
                    connection.replied();
                    mailbox.execute(() -> handler.onReply(id, payload), "wasm reply %s", id);
                } else if (type == FrameType.HEARTBEAT) {
                    connection.heard();
                    recycle(payload);
                } else if (type == FrameType.STATE_GET) {
                    connection.setAsked(true);
                    mailbox.execute(() -> handler.onQuestion(id, payload), "wasm question of bundle %s", id);
                } else {
                    throw ProtocolException.violation("a frame " + type + " came, expected " + FrameType.REPLY);
                }
            }
        } catch (IOException e) {
            fail(lost(e));
        } catch (DiagnosticException e) {
            fail(e);
        } catch (RejectedExecutionException e) {
            // The mailbox is closed: the task is over.
        }
    }

    private void fail(DiagnosticException undescribed) {
        DiagnosticException reason = describer.apply(undescribed);
        failure = reason;
        if (closing) {
            return;
        }
        try {
            mailbox.execute(
                    () -> {
                        throw reason;
                    },
                    "wasm sidecar failed");
        } catch (RejectedExecutionException e) {
            // The mailbox is closed: the task is over.
        }
    }

    private DiagnosticException lost(IOException e) {
        if (connection.isSilent()) {
            return silent(e);
        }
        return new SidecarException(
                new Diagnostic(
                                ErrorCode.SIDECAR_UNREACHABLE,
                                "the connection to the sidecar at " + socket + " was lost (" + e.getMessage() + ")")
                        .help("the sidecar's log says why; the job goes on from its last checkpoint when it restarts"),
                e);
    }

    private DiagnosticException silent(IOException e) {
        return new SidecarException(
                new Diagnostic(
                                ErrorCode.SIDECAR_UNREACHABLE,
                                "the sidecar at " + socket + " sent nothing for " + replyTimeoutMs + " ms while it had "
                                        + connection.awaitedReplies() + " bundles")
                        .help("see whether its process is stopped, or its machine overloaded; `" + WasmOptions.REPLY_TIMEOUT.key()
                                + "` says how long to wait; the job goes on from its last checkpoint when it restarts"),
                e);
    }

    /** Closes the connection and waits for the reader: a thread left behind would hold the job's class loader. */
    @Override
    public void close() throws IOException {
        closing = true;
        connection.close();
        boolean interrupted = false;
        while (reader.isAlive()) {
            try {
                reader.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
