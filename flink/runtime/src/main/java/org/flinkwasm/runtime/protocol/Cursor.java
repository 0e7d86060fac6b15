package org.flinkwasm.runtime.protocol;

/** A position in received bytes that never passes their end. */
final class Cursor {
    final byte[] bytes;
    private final int end;
    private int at;

    Cursor(byte[] bytes, int start, int end) {
        this.bytes = bytes;
        this.at = start;
        this.end = end;
    }

    int at() {
        return at;
    }

    int remaining() {
        return end - at;
    }

    /** Steps over {@code count} bytes and says where they start. */
    int take(long count, String what) {
        if (count < 0 || count > end - at) {
            throw ProtocolException.violation(what + " needs " + count + " bytes, " + (end - at) + " are left");
        }
        int start = at;
        at += (int) count;
        return start;
    }

    /** Steps over a section: {@code count} bytes, padded to a multiple of 8. */
    int section(long count, String what) {
        return take((count + 7) & -8L, what);
    }

    int takeInt(String what) {
        return LittleEndian.getInt(bytes, take(4, what));
    }

    /** An unsigned number that counts something in these bytes. */
    int takeCount(String what) {
        int value = takeInt(what);
        if (value < 0) {
            throw ProtocolException.violation(what + " is " + Integer.toUnsignedString(value));
        }
        return value;
    }
}
