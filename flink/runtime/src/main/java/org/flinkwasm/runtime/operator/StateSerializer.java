package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;

/** Values of states, and elements of lists and maps. */
final class StateSerializer extends EncodedSerializer<byte[]> {
    private static final long serialVersionUID = 1L;

    private final boolean copies;

    /** @param copies whether values are written over where they are: a snapshot that is being written must have its own then */
    StateSerializer(String schema, boolean copies) {
        super(schema);
        this.copies = copies;
    }

    @Override
    public boolean isImmutableType() {
        return !copies;
    }

    @Override
    public byte[] copy(byte[] from) {
        return copies ? from.clone() : from;
    }

    @Override
    byte[] bytes(byte[] value) {
        return value;
    }

    @Override
    byte[] value(byte[] bytes) {
        return bytes;
    }

    @Override
    public TypeSerializerSnapshot<byte[]> snapshotConfiguration() {
        Snapshot snapshot = new Snapshot();
        snapshot.schema = schema;
        return snapshot;
    }

    /** Stands in savepoints under this name. */
    public static final class Snapshot extends SchemaSnapshot<byte[]> {
        @Override
        public TypeSerializer<byte[]> restoreSerializer() {
            return new StateSerializer(schema, false);
        }
    }
}
