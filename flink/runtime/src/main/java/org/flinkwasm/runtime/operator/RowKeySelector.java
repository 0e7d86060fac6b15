package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.data.writer.BinaryRowWriter;
import org.apache.flink.table.data.writer.BinaryWriter;
import org.apache.flink.table.runtime.typeutils.InternalSerializers;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;

import java.util.List;

/** The key of a row: a number where it is one column of numbers, otherwise the columns in Flink's binary format. Keys are immutable. */
public final class RowKeySelector implements KeySelector<RowData, Object> {
    private static final long serialVersionUID = 1L;

    private final LogicalType[] types;
    private final int[] positions;
    private final String schema;
    private final RowKeyKind kind;
    private transient BinaryRowData key;
    private transient BinaryRowWriter writer;
    private transient Field[] fields;

    /** Writes one column into the key. */
    private interface Field {
        void write(RowData row, int position, BinaryRowWriter writer, int at);
    }

    /** A selector of columns of the rows, by their positions. */
    public RowKeySelector(List<Column> columns) {
        types = columns.stream().map(Column::type).toArray(LogicalType[]::new);
        positions = columns.stream().mapToInt(Column::position).toArray();
        schema = RowKeyKind.schema(List.of(types));
        kind = RowKeyKind.of(schema);
    }

    /** The type of the keys. */
    public TypeInformation<Object> keyType() {
        return new RowKeyTypeInfo(schema);
    }

    @Override
    public Object getKey(RowData row) {
        if (kind == RowKeyKind.ROW) {
            return columns(row);
        }
        int position = positions[0];
        if (row.isNullAt(position)) {
            return RowKey.NULL;
        }
        if (kind == RowKeyKind.LONG) {
            return row.getLong(position);
        }
        return row.getInt(position);
    }

    private RowKey columns(RowData row) {
        if (key == null) {
            open();
        }
        writer.reset();
        for (int i = 0; i < positions.length; i++) {
            if (row.isNullAt(positions[i])) {
                writer.setNullAt(i);
            } else {
                fields[i].write(row, positions[i], writer, i);
            }
        }
        writer.complete();
        byte[] bytes = new byte[key.getSizeInBytes()];
        key.getSegments()[0].get(0, bytes);
        return new RowKey(bytes);
    }

    private void open() {
        key = new BinaryRowData(types.length);
        writer = new BinaryRowWriter(key);
        fields = new Field[types.length];
        for (int i = 0; i < types.length; i++) {
            fields[i] = field(types[i], positions[i]);
        }
    }

    /** The common types without a box. */
    private static Field field(LogicalType type, int column) {
        switch (type.getTypeRoot()) {
            case BIGINT:
                return (row, position, writer, at) -> writer.writeLong(at, row.getLong(position));
            case INTEGER:
            case DATE:
                return (row, position, writer, at) -> writer.writeInt(at, row.getInt(position));
            case CHAR:
            case VARCHAR:
                return (row, position, writer, at) -> writer.writeString(at, row.getString(position));
            default:
                return generic(type, column);
        }
    }

    private static Field generic(LogicalType type, int column) {
        RowData.FieldGetter getter = RowData.createFieldGetter(type, column);
        TypeSerializer<?> serializer = InternalSerializers.create(type);
        return (row, position, writer, at) -> BinaryWriter.write(writer, at, getter.getFieldOrNull(row), type, serializer);
    }
}
