package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.columnar.vector.ColumnVector;
import org.apache.flink.table.types.logical.LogicalType;

import java.util.List;

/** Shows a batch in place. One reader serves all bundles of a subtask; its vectors always show the batch read last. */
public final class BatchReader {
    private final ColumnReader[] columns;
    private final int columnCount;

    public BatchReader(List<? extends LogicalType> types) {
        columns = types.stream().map(ColumnReader::of).toArray(ColumnReader[]::new);
        columnCount = types.stream().mapToInt(BatchWriter::flattenedCount).sum();
    }

    /**
     * Reads the batch that starts at {@code start}.
     *
     * @return where it ends
     */
    public int read(byte[] bytes, int start, int end, int expectedRows) {
        Cursor cursor = new Cursor(bytes, start, end);
        read(cursor, expectedRows);
        return cursor.at();
    }

    void read(Cursor cursor, int expectedRows) {
        int rows = cursor.takeInt("the header of a batch");
        int count = cursor.takeInt("the header of a batch");
        if (rows != expectedRows) {
            throw ProtocolException.violation("a batch has " + Integer.toUnsignedString(rows) + " rows, expected " + expectedRows);
        }
        if (count != columnCount) {
            throw ProtocolException.violation(
                    "a batch has " + Integer.toUnsignedString(count) + " columns, the function gives " + columnCount);
        }
        for (ColumnReader column : columns) {
            column.read(cursor, rows);
        }
    }

    /** Lets the batch's first row have this number for the vectors. */
    void startAt(int row) {
        for (ColumnReader column : columns) {
            column.startAt(row);
        }
    }

    /** The columns as Flink's vectors. */
    public ColumnVector[] vectors() {
        return columns.clone();
    }
}
