package org.flinkwasm.runtime.operator;

import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;

/** Shows a key as a row of its columns. The row is used again for the next key. */
final class RowKeyView {
    private final GenericRowData number = new GenericRowData(1);
    private final BinaryRowData row;

    RowKeyView(int columns) {
        row = new BinaryRowData(columns);
    }

    RowData of(Object key) {
        if (key instanceof RowKey columns && key != RowKey.NULL) {
            byte[] bytes = columns.bytes();
            row.pointTo(MemorySegmentFactory.wrap(bytes), 0, bytes.length);
            return row;
        }
        number.setField(0, key == RowKey.NULL ? null : key);
        return number;
    }
}
