package org.flinkwasm.runtime.operator;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A peer that answers as a test says, for what a real sidecar does only when it is broken or slow. Its function gives back its input, unless
 * another one is given.
 */
final class ScriptedSidecar implements AutoCloseable {
    private static final int HELLO = 1;
    private static final int WELCOME = 2;
    private static final int OPEN = 3;
    private static final int OPENED = 6;
    private static final int BUNDLE = 7;
    private static final int REPLY = 8;
    private static final int ERROR = 9;

    /** A bundle that waits for its answer. */
    record Received(long id, long processingTime, long watermark, ByteBuffer batch) {
        int rows() {
            return batch.getInt(0);
        }
    }

    /** A function: the payload of the reply to a bundle. */
    interface Function {
        ByteBuffer reply(Received bundle) throws IOException;
    }

    final Path socket;
    final LinkedBlockingQueue<Received> bundles = new LinkedBlockingQueue<>();
    final List<String> handshake = new ArrayList<>();
    private final ServerSocketChannel server;
    private final Thread thread;
    private final boolean answersAtOnce;
    private final Function function;
    private volatile SocketChannel peer;

    ScriptedSidecar(Path folder, boolean answersAtOnce) throws IOException {
        this(folder, answersAtOnce, bundle -> echo(bundle, ""));
    }

    ScriptedSidecar(Path folder, boolean answersAtOnce, Function function) throws IOException {
        this.function = function;
        this.answersAtOnce = answersAtOnce;
        socket = folder.resolve("sidecar.sock");
        Files.deleteIfExists(socket);
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        thread = new Thread(this::serve, "scripted sidecar");
        thread.setDaemon(true);
        thread.start();
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel channel = server.accept();
                peer = channel;
                try {
                    serve(channel);
                } catch (IOException e) {
                    // The operator hung up.
                }
            }
        } catch (IOException e) {
            // Closed.
        }
    }

    private void serve(SocketChannel channel) throws IOException {
        while (true) {
            ByteBuffer header = read(channel, 16);
            ByteBuffer payload = read(channel, header.getInt(0));
            switch (header.get(4)) {
                case HELLO:
                    handshake.add(StandardCharsets.UTF_8.decode(payload).toString());
                    send(WELCOME, 0, text("{\"protocol\":1,\"sidecar\":\"test\",\"maxFrameBytes\":67108864}"));
                    break;
                case OPEN:
                    handshake.add(StandardCharsets.UTF_8.decode(payload).toString());
                    send(OPENED, 0, text("{\"function\":\"f\",\"cached\":true,\"readyMicros\":1}"));
                    break;
                case BUNDLE:
                    Received bundle = new Received(
                            header.getLong(8),
                            payload.getLong(0),
                            payload.getLong(8),
                            payload.slice(16, payload.limit() - 16).order(ByteOrder.LITTLE_ENDIAN));
                    // Before the answer: who has it may clear what was received until then.
                    bundles.add(bundle);
                    if (answersAtOnce) {
                        answer(bundle);
                    }
                    break;
                default:
                    throw new IOException("unexpected frame " + header.get(4));
            }
        }
    }

    private static ByteBuffer text(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }

    private static ByteBuffer read(SocketChannel channel, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException();
            }
        }
        return buffer.flip();
    }

    void send(int type, long id, ByteBuffer payload) throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(16 + payload.remaining()).order(ByteOrder.LITTLE_ENDIAN);
        sendRaw(frame.putInt(payload.remaining()).putInt(type).putLong(id).put(payload).flip());
    }

    void sendRaw(ByteBuffer frame) throws IOException {
        while (frame.hasRemaining()) {
            peer.write(frame);
        }
    }

    /** The next bundle that the operator sent. */
    Received next() throws InterruptedException {
        Received bundle = bundles.poll(10, TimeUnit.SECONDS);
        if (bundle == null) {
            throw new AssertionError("no bundle came");
        }
        return bundle;
    }

    /** Answers as the function does. */
    void answer(Received bundle) throws IOException {
        send(REPLY, bundle.id, function.reply(bundle));
    }

    /** Gives the rows of a bundle back. */
    void answer(Received bundle, String trailer) throws IOException {
        send(REPLY, bundle.id, echo(bundle, trailer));
    }

    /** The payload of a reply that gives the rows of a bundle back. */
    static ByteBuffer echo(Received bundle, String trailer) {
        byte[] end = trailer.getBytes(StandardCharsets.UTF_8);
        int rows = bundle.rows();
        int origins = (rows * 4 + 7) & -8;
        ByteBuffer reply = ByteBuffer.allocate(16 + 8 + origins + bundle.batch.capacity() + end.length).order(ByteOrder.LITTLE_ENDIAN);
        reply.putInt(0).putInt(0).putInt(1).putInt(end.length).putInt(0).putInt(rows);
        for (int row = 0; row < rows; row++) {
            reply.putInt(row);
        }
        reply.position(24 + origins);
        reply.put(bundle.batch.duplicate().position(0)).put(end);
        return reply.flip();
    }

    /** A filter's reply. */
    void answerFilter(Received bundle, boolean... keep) throws IOException {
        ByteBuffer reply = ByteBuffer.allocate(16 + 8 + ((keep.length + 63) / 64) * 8).order(ByteOrder.LITTLE_ENDIAN);
        reply.putInt(0, 1).putInt(16, keep.length);
        for (int row = 0; row < keep.length; row++) {
            if (keep[row]) {
                reply.put(24 + row / 8, (byte) (reply.get(24 + row / 8) | 1 << row % 8));
            }
        }
        send(REPLY, bundle.id, reply);
    }

    void error(long id, String json) throws IOException {
        send(ERROR, id, text(json));
        peer.close();
    }

    /** Drops the connection, as a sidecar that was killed does. */
    void hangUp() throws IOException {
        peer.close();
    }

    @Override
    public void close() throws Exception {
        server.close();
        if (peer != null) {
            peer.close();
        }
        thread.join();
    }
}
