package org.flinkwasm.runtime.operator;

import java.util.Arrays;

/**
 * The key of a row that is no single number: its columns in Flink's binary format, in an array of its own. Flink compares keys all the time,
 * and chooses their key group by the hash, which therefore never changes.
 */
final class RowKey {
    /** A number that is NULL. */
    static final RowKey NULL = new RowKey(new byte[0]);

    private final byte[] bytes;
    private final int hash;

    RowKey(byte[] bytes) {
        this.bytes = bytes;
        hash = Arrays.hashCode(bytes);
    }

    byte[] bytes() {
        return bytes;
    }

    @Override
    public boolean equals(Object other) {
        return other == this || other instanceof RowKey that && that.hash == hash && Arrays.equals(that.bytes, bytes);
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
