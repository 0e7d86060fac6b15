package org.flinkwasm.runtime.protocol;

import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;

import java.util.Arrays;

/** A byte array that grows and is used again: after some bundles it has the size that the stream needs. */
public final class ByteBuilder {
    private byte[] bytes;
    private int length;

    public ByteBuilder(int capacity) {
        bytes = new byte[capacity];
    }

    /** The bytes; those from {@link #length()} on mean nothing. */
    public byte[] bytes() {
        return bytes;
    }

    public int length() {
        return length;
    }

    public void clear() {
        length = 0;
    }

    /** Forgets the bytes from here on. */
    void truncate(int newLength) {
        length = newLength;
    }

    /** Makes room for {@code count} more bytes and says where they start. */
    int grow(int count) {
        int at = length;
        int needed = at + count;
        if (needed > bytes.length) {
            enlarge(needed);
        }
        length = needed;
        return at;
    }

    private void enlarge(int needed) {
        if (needed < 0 || needed > Limits.MAX_FRAME_BYTES + FrameHeader.BYTES) {
            throw new DiagnosticException(
                    new Diagnostic(ErrorCode.TOO_LARGE, "a bundle does not fit in a frame of " + Limits.MAX_FRAME_BYTES + " bytes")
                            .help("a single row is too large for a function"));
        }
        bytes = Arrays.copyOf(bytes, Math.max(needed, bytes.length * 2));
    }

    void putInt(int value) {
        int at = grow(4);
        LittleEndian.putInt(bytes, at, value);
    }

    /** The number that was put last. */
    int lastInt() {
        return LittleEndian.getInt(bytes, length - Integer.BYTES);
    }

    void putLong(long value) {
        int at = grow(8);
        LittleEndian.putLong(bytes, at, value);
    }

    void putZeros(int count) {
        int at = grow(count);
        Arrays.fill(bytes, at, at + count, (byte) 0);
    }

    void put(byte[] source, int offset, int count) {
        int at = grow(count);
        System.arraycopy(source, offset, bytes, at, count);
    }

    /** Appends a section: its bytes, then zeros up to a multiple of 8. */
    void putSection(byte[] source, int count) {
        put(source, 0, count);
        putZeros(LittleEndian.padded(count) - count);
    }
}
