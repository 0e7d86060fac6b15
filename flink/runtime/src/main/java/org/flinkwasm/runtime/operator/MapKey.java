package org.flinkwasm.runtime.operator;

import java.util.Arrays;

/** An encoded key of a map state. Equal bytes are equal keys: the heap backend keeps a map state in a hash map. */
final class MapKey {
    /** What stands for the key of a list's element. */
    static final byte[] NONE = new byte[0];

    private final byte[] bytes;
    private final int hash;

    MapKey(byte[] bytes) {
        this.bytes = bytes;
        hash = Arrays.hashCode(bytes);
    }

    byte[] bytes() {
        return bytes;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof MapKey that && Arrays.equals(that.bytes, bytes);
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
