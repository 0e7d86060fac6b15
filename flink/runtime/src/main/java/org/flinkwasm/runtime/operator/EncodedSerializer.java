package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** Bytes that only the function can read: a length, then the bytes. */
abstract class EncodedSerializer<T> extends TypeSerializer<T> {
    private static final long serialVersionUID = 1L;

    private static final byte[] EMPTY = new byte[0];

    /** Names the type and its encoding. */
    final String schema;

    EncodedSerializer(String schema) {
        this.schema = schema;
    }

    abstract byte[] bytes(T value);

    abstract T value(byte[] bytes);

    @Override
    public boolean isImmutableType() {
        // Nothing writes into encoded bytes.
        return true;
    }

    @Override
    public final TypeSerializer<T> duplicate() {
        return this;
    }

    @Override
    public final T createInstance() {
        return value(EMPTY);
    }

    @Override
    public T copy(T from) {
        return from;
    }

    @Override
    public final T copy(T from, T reuse) {
        return copy(from);
    }

    @Override
    public final int getLength() {
        return -1;
    }

    @Override
    public final void serialize(T value, DataOutputView target) throws IOException {
        byte[] bytes = bytes(value);
        target.writeInt(bytes.length);
        target.write(bytes);
    }

    @Override
    public final T deserialize(DataInputView source) throws IOException {
        byte[] bytes = new byte[source.readInt()];
        source.readFully(bytes);
        return value(bytes);
    }

    @Override
    public final T deserialize(T reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public final void copy(DataInputView source, DataOutputView target) throws IOException {
        int length = source.readInt();
        target.writeInt(length);
        target.write(source, length);
    }

    @Override
    public final boolean equals(Object other) {
        return other != null && other.getClass() == getClass() && ((EncodedSerializer<?>) other).schema.equals(schema);
    }

    @Override
    public final int hashCode() {
        return schema.hashCode();
    }
}
