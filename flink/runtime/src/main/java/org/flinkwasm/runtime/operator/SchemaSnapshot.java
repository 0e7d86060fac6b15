package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** The schema of a state as it stands in a savepoint: Flink refuses to restore the state for a function with another one. */
abstract class SchemaSnapshot<T> implements TypeSerializerSnapshot<T> {
    private static final int VERSION = 1;

    String schema;

    @Override
    public final int getCurrentVersion() {
        return VERSION;
    }

    @Override
    public final void writeSnapshot(DataOutputView out) throws IOException {
        out.writeUTF(schema);
    }

    @Override
    public final void readSnapshot(int version, DataInputView in, ClassLoader classLoader) throws IOException {
        schema = in.readUTF();
    }

    /** How Flink 2.x asks, and 1.20 first. */
    @Override
    public final TypeSerializerSchemaCompatibility<T> resolveSchemaCompatibility(TypeSerializerSnapshot<T> old) {
        return old.getClass() == getClass() && ((SchemaSnapshot<T>) old).schema.equals(schema)
                ? TypeSerializerSchemaCompatibility.compatibleAsIs()
                : TypeSerializerSchemaCompatibility.incompatible();
    }

    /** How older Flinks ask. */
    @Override
    @SuppressWarnings("deprecation")
    public final TypeSerializerSchemaCompatibility<T> resolveSchemaCompatibility(TypeSerializer<T> current) {
        return current.equals(restoreSerializer())
                ? TypeSerializerSchemaCompatibility.compatibleAsIs()
                : TypeSerializerSchemaCompatibility.incompatible();
    }
}
