package org.flinkwasm.runtime.protocol;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.SidecarException;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * One subtask's connection. After the handshake one thread may send while another one receives. Must not know what an operator is.
 */
public final class SidecarConnection implements Closeable {
    /** The version of {@code docs/protocol.md} that is spoken here. */
    private static final int PROTOCOL_VERSION = 1;

    /** Bytes a read or write moves at most: the JDK keeps a direct buffer of this size for each thread. */
    private static final int CHUNK_BYTES = 128 << 10;

    public static final int CONNECT_PAUSE_MS = 100;

    /** How long the sidecar may be silent until the function is open; it compiles the component meanwhile. */
    public static final long HANDSHAKE_TIMEOUT_MS = 30_000;

    private final SocketChannel channel;
    private final Watchdog watchdog;
    private final byte[] header = new byte[FrameHeader.BYTES];

    private SidecarConnection(SocketChannel channel, long handshakeTimeoutMs) {
        this.channel = channel;
        watchdog = new Watchdog(channel, handshakeTimeoutMs);
    }

    /** Where the component's bytes come from when the sidecar does not have them. */
    public interface ComponentSource {
        byte[] read(String digest) throws IOException;
    }

    /**
     * Connects; tries again until the time is over, since a sidecar that crashed is started again.
     *
     * @param remainingMs how long to try
     * @param timeoutMs the time that the message names
     * @param handshakeTimeoutMs how long the sidecar may be silent until {@link #opened}
     */
    public static SidecarConnection connect(Path socket, long remainingMs, long timeoutMs, long handshakeTimeoutMs)
            throws InterruptedException {
        long deadline = System.nanoTime() + remainingMs * 1_000_000L;
        while (true) {
            try {
                return tryConnect(socket, handshakeTimeoutMs);
            } catch (IOException e) {
                if (System.nanoTime() - deadline >= 0) {
                    throw unreachable(socket, timeoutMs, e);
                }
            }
            Thread.sleep(CONNECT_PAUSE_MS);
        }
    }

    /** The exception for a sidecar that did not answer in time. */
    public static SidecarException unreachable(Path socket, long timeoutMs, IOException cause) {
        String reason = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
        Diagnostic diagnostic = new Diagnostic(
                        ErrorCode.SIDECAR_UNREACHABLE,
                        "no sidecar answered at " + socket + " for " + timeoutMs / 1000 + " s (" + reason + ")")
                .help("start one beside each task manager: flink-wasm sidecar --socket " + socket);
        return new SidecarException(diagnostic, cause);
    }

    private static SidecarConnection tryConnect(Path socket, long handshakeTimeoutMs) throws IOException {
        SidecarConnection connection =
                new SidecarConnection(SocketChannel.open(StandardProtocolFamily.UNIX), handshakeTimeoutMs);
        try {
            // Waits where the sidecar is frozen and many want to connect.
            connection.watchdog.expect();
            connection.channel.connect(UnixDomainSocketAddress.of(socket));
            return connection;
        } catch (IOException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    /** The function is open: from now on the sidecar may be silent while nothing is awaited, and this long while something is. */
    public void opened(long replyTimeoutMs) {
        watchdog.answered();
        watchdog.setTimeout(replyTimeoutMs);
    }

    /** One more reply is awaited. */
    public void expectReply() {
        watchdog.expect();
    }

    /** A reply came. */
    public void replied() {
        watchdog.answered();
    }

    /** The sidecar is still at work. */
    public void heard() {
        watchdog.heard();
    }

    /** The sidecar waits for an answer, or does not any more: its silence then means nothing. */
    public void setAsked(boolean asked) {
        watchdog.setAsked(asked);
    }

    /** Replies that are awaited. */
    public int awaitedReplies() {
        return watchdog.awaited();
    }

    /** Whether the connection was broken from this side because the sidecar was silent for too long. */
    public boolean isSilent() {
        return watchdog.isBroken();
    }

    /** Agrees on the version. {@code who} has the members of HELLO that name the subtask. */
    public void hello(JsonObject who) throws IOException {
        JsonObject versions = new JsonObject();
        versions.addProperty("min", PROTOCOL_VERSION);
        versions.addProperty("max", PROTOCOL_VERSION);
        who.add("protocol", versions);
        sendJson(FrameType.HELLO, who);
        JsonObject welcome = receiveJson(FrameType.WELCOME);
        if (!welcome.has("protocol") || welcome.get("protocol").getAsInt() != PROTOCOL_VERSION) {
            throw SidecarException.of(new Diagnostic(
                            ErrorCode.PROTOCOL_MISMATCH, "the sidecar chose protocol version " + welcome.get("protocol"))
                    .help("update the older of operator and sidecar"));
        }
    }

    /** Opens the function; {@code open} is the payload of OPEN. */
    public JsonObject open(JsonObject open, ComponentSource components) throws IOException {
        sendJson(FrameType.OPEN, open);
        ByteBuilder payload = new ByteBuilder(1024);
        FrameType type = receive(payload);
        if (type == FrameType.NEED_COMPONENT) {
            String digest = open.get("component").getAsString();
            byte[] component = components.read(digest);
            ByteBuilder frame = new ByteBuilder(FrameHeader.BYTES + component.length);
            FrameHeader.write(frame.bytes(), frame.grow(FrameHeader.BYTES), component.length, FrameType.COMPONENT, 0);
            frame.put(component, 0, component.length);
            send(frame);
            watchdog.setAsked(false);
            type = receive(payload);
        }
        return json(type, payload, FrameType.OPENED);
    }

    /** The payload of OPEN. */
    public static JsonObject openRequest(
            String function,
            String component,
            String kind,
            JsonObject parameters,
            List<String> input,
            List<String> output,
            JsonObject limits) {
        JsonObject json = new JsonObject();
        json.addProperty("function", function);
        json.addProperty("component", component);
        json.addProperty("kind", kind);
        json.add("parameters", parameters);
        json.add("input", array(input));
        json.add("output", array(output));
        json.add("limits", limits);
        return json;
    }

    /** Texts as JSON. */
    public static JsonArray array(List<String> values) {
        JsonArray array = new JsonArray();
        values.forEach(array::add);
        return array;
    }

    /** Writes a BUNDLE frame into {@code frame} and says where its batch starts; the writer is then ready for the next bundle. */
    public static int writeBundle(ByteBuilder frame, long id, long processingTime, long watermark, BatchWriter batch) {
        frame.clear();
        frame.grow(FrameHeader.BYTES);
        frame.putLong(processingTime);
        frame.putLong(watermark);
        int start = frame.length();
        batch.flush(frame);
        FrameHeader.write(frame.bytes(), 0, frame.length() - FrameHeader.BYTES, FrameType.BUNDLE, id);
        return start;
    }

    /** Sends a whole frame. Blocks while the sidecar does not read. */
    public void send(ByteBuilder frame) throws IOException {
        int at = 0;
        while (at < frame.length()) {
            ByteBuffer chunk = ByteBuffer.wrap(frame.bytes(), at, Math.min(CHUNK_BYTES, frame.length() - at));
            while (chunk.hasRemaining()) {
                channel.write(chunk);
            }
            at = chunk.position();
        }
    }

    /** Receives a frame's payload; {@link #receivedId()} then is its id. */
    public FrameType receive(ByteBuilder payload) throws IOException {
        readFully(header, FrameHeader.BYTES);
        FrameType type = FrameHeader.type(header);
        int length = FrameHeader.payloadLength(header);
        if (type != FrameType.REPLY && length > Limits.MAX_HANDSHAKE_BYTES) {
            throw ProtocolException.violation("a frame " + type + " of " + length + " bytes");
        }
        payload.clear();
        payload.grow(length);
        readFully(payload.bytes(), length);
        return type;
    }

    /** The id of the frame received last. */
    public long receivedId() {
        return FrameHeader.id(header);
    }

    private void readFully(byte[] into, int length) throws IOException {
        int at = 0;
        while (at < length) {
            int count = channel.read(ByteBuffer.wrap(into, at, Math.min(CHUNK_BYTES, length - at)));
            if (count < 0) {
                throw new EOFException("the sidecar closed the connection");
            }
            at += count;
        }
    }

    private void sendJson(FrameType type, JsonObject json) throws IOException {
        byte[] text = json.toString().getBytes(StandardCharsets.UTF_8);
        ByteBuilder frame = new ByteBuilder(FrameHeader.BYTES + text.length);
        FrameHeader.write(frame.bytes(), frame.grow(FrameHeader.BYTES), text.length, type, 0);
        frame.put(text, 0, text.length);
        send(frame);
    }

    private JsonObject receiveJson(FrameType expected) throws IOException {
        ByteBuilder payload = new ByteBuilder(1024);
        FrameType type = receive(payload);
        watchdog.setAsked(false);
        return json(type, payload, expected);
    }

    private static JsonObject json(FrameType type, ByteBuilder payload, FrameType expected) {
        if (type == FrameType.ERROR) {
            throw error(payload);
        }
        if (type != expected) {
            throw ProtocolException.violation("a frame " + type + " came, expected " + expected);
        }
        return parse(payload);
    }

    private static JsonObject parse(ByteBuilder payload) {
        try {
            return JsonParser.parseString(new String(payload.bytes(), 0, payload.length(), StandardCharsets.UTF_8))
                    .getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            throw ProtocolException.violation("a frame holds no JSON object: " + e.getMessage());
        }
    }

    /** What an ERROR frame says. */
    public static DiagnosticException error(ByteBuilder payload) {
        return SidecarException.of(Diagnostic.fromJson(parse(payload)));
    }

    @Override
    public void close() throws IOException {
        watchdog.close();
        channel.close();
    }
}
