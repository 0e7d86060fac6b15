package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** Keys of rows. A number is a byte, 0 for NULL, and its bytes; another key a length, and the columns in Flink's binary format. */
final class RowKeySerializer extends TypeSerializer<Object> {
    private static final long serialVersionUID = 1L;

    private static final byte NULL = 0;
    private static final byte NUMBER = 1;

    private final String schema;
    private final RowKeyKind kind;

    RowKeySerializer(String schema) {
        this.schema = schema;
        kind = RowKeyKind.of(schema);
    }

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public TypeSerializer<Object> duplicate() {
        return this;
    }

    @Override
    public Object createInstance() {
        return RowKey.NULL;
    }

    @Override
    public Object copy(Object key) {
        return key;
    }

    @Override
    public Object copy(Object key, Object reuse) {
        return key;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Object key, DataOutputView target) throws IOException {
        if (kind == RowKeyKind.ROW) {
            byte[] bytes = ((RowKey) key).bytes();
            target.writeInt(bytes.length);
            target.write(bytes);
        } else if (key == RowKey.NULL) {
            target.writeByte(NULL);
        } else {
            target.writeByte(NUMBER);
            if (kind == RowKeyKind.LONG) {
                target.writeLong((Long) key);
            } else {
                target.writeInt((Integer) key);
            }
        }
    }

    @Override
    public Object deserialize(DataInputView source) throws IOException {
        if (kind == RowKeyKind.ROW) {
            byte[] bytes = new byte[source.readInt()];
            source.readFully(bytes);
            return new RowKey(bytes);
        }
        if (source.readByte() == NULL) {
            return RowKey.NULL;
        }
        if (kind == RowKeyKind.LONG) {
            return source.readLong();
        }
        return source.readInt();
    }

    @Override
    public Object deserialize(Object reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RowKeySerializer that && that.schema.equals(schema);
    }

    @Override
    public int hashCode() {
        return schema.hashCode();
    }

    @Override
    public TypeSerializerSnapshot<Object> snapshotConfiguration() {
        Snapshot snapshot = new Snapshot();
        snapshot.schema = schema;
        return snapshot;
    }

    /** Stands in savepoints under this name. */
    public static final class Snapshot extends SchemaSnapshot<Object> {
        @Override
        public TypeSerializer<Object> restoreSerializer() {
            return new RowKeySerializer(schema);
        }
    }
}
