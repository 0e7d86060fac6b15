package org.flinkwasm.runtime.protocol;

/** The limits of {@code docs/protocol.md}. */
public final class Limits {
    /** Payload of a frame: bounds what a peer can make the other allocate. */
    public static final int MAX_FRAME_BYTES = 64 << 20;

    /** JSON frames. */
    public static final int MAX_HANDSHAKE_BYTES = 1 << 20;

    /** Flattened columns of a batch. */
    public static final int MAX_COLUMNS = 4096;

    /** Slots of a connection, in which the sidecar keeps the values of keys. */
    public static final int MAX_SLOTS = 524_288;

    private Limits() {}
}
