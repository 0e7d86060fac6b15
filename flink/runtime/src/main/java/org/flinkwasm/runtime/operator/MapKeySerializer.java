package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;

/** Keys of map states. */
final class MapKeySerializer extends EncodedSerializer<MapKey> {
    private static final long serialVersionUID = 1L;

    MapKeySerializer(String schema) {
        super(schema);
    }

    @Override
    byte[] bytes(MapKey value) {
        return value.bytes();
    }

    @Override
    MapKey value(byte[] bytes) {
        return new MapKey(bytes);
    }

    @Override
    public TypeSerializerSnapshot<MapKey> snapshotConfiguration() {
        Snapshot snapshot = new Snapshot();
        snapshot.schema = schema;
        return snapshot;
    }

    /** Stands in savepoints under this name. */
    public static final class Snapshot extends SchemaSnapshot<MapKey> {
        @Override
        public TypeSerializer<MapKey> restoreSerializer() {
            return new MapKeySerializer(schema);
        }
    }
}
