package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/** The type of a stream's keys. */
final class RowKeyTypeInfo extends TypeInformation<Object> {
    private static final long serialVersionUID = 1L;

    private final String schema;

    RowKeyTypeInfo(String schema) {
        this.schema = schema;
    }

    @Override
    public boolean isBasicType() {
        return false;
    }

    @Override
    public boolean isTupleType() {
        return false;
    }

    @Override
    public int getArity() {
        return 1;
    }

    @Override
    public int getTotalFields() {
        return 1;
    }

    @Override
    public Class<Object> getTypeClass() {
        return Object.class;
    }

    @Override
    public boolean isKeyType() {
        return true;
    }

    @Override
    public TypeSerializer<Object> createSerializer(SerializerConfig config) {
        return new RowKeySerializer(schema);
    }

    /** How Flink 1.20 asks. */
    public TypeSerializer<Object> createSerializer(ExecutionConfig config) {
        return new RowKeySerializer(schema);
    }

    @Override
    public String toString() {
        return "key (" + schema + ")";
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RowKeyTypeInfo that && that.schema.equals(schema);
    }

    @Override
    public int hashCode() {
        return schema.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof RowKeyTypeInfo;
    }
}
