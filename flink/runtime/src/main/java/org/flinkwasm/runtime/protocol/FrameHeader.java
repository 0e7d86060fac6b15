package org.flinkwasm.runtime.protocol;

/** The 16 bytes before each payload: length, type, flags, reserved, id. */
public final class FrameHeader {
    /** Size of a header. */
    public static final int BYTES = 16;

    private FrameHeader() {}

    static int payloadLength(byte[] header) {
        int length = LittleEndian.getInt(header, 0);
        if (length < 0 || length > Limits.MAX_FRAME_BYTES) {
            throw ProtocolException.violation(
                    "a frame of " + Integer.toUnsignedString(length) + " bytes, the limit is " + Limits.MAX_FRAME_BYTES);
        }
        return length;
    }

    static FrameType type(byte[] header) {
        if (header[5] != 0 || header[6] != 0 || header[7] != 0) {
            throw ProtocolException.violation("flags or reserved bytes of a frame are not 0");
        }
        return FrameType.of(header[4]);
    }

    static long id(byte[] header) {
        return LittleEndian.getLong(header, 8);
    }

    static void write(byte[] bytes, int at, int payloadLength, FrameType type, long id) {
        LittleEndian.putInt(bytes, at, payloadLength);
        LittleEndian.putInt(bytes, at + 4, type.number());
        LittleEndian.putLong(bytes, at + 8, id);
    }
}
