package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.protocol.ColumnWriter.Meter;
import org.flinkwasm.runtime.protocol.ColumnWriter.RefusedCellException;

import java.util.List;

/** Turns rows into a batch. One writer serves all bundles of a subtask. */
public final class BatchWriter {
    private final ColumnWriter[] columns;
    private final int[] positions;
    private final int columnCount;
    private final Meter meter = new Meter();
    private int rowCount;
    private int bytesBeforeLast;

    /**
     * A writer of batches with columns of these types.
     *
     * @param positions for each column its position in the rows that are written
     */
    public BatchWriter(List<? extends LogicalType> types, List<String> names, int[] positions) {
        this.positions = positions.clone();
        columns = new ColumnWriter[types.size()];
        int flattened = 0;
        for (int i = 0; i < columns.length; i++) {
            columns[i] = ColumnWriter.of(types.get(i), names.get(i), meter);
            flattened += flattenedCount(types.get(i));
        }
        columnCount = flattened;
    }

    static int flattenedCount(LogicalType type) {
        return 1 + ColumnKind.children(type).stream().mapToInt(BatchWriter::flattenedCount).sum();
    }

    /**
     * Appends a row.
     *
     * @return null, or why the row can't be in the batch, which is then as it was
     */
    public String write(RowData row) {
        bytesBeforeLast = meter.bytes;
        try {
            for (int i = 0; i < columns.length; i++) {
                columns[i].write(row, positions[i]);
            }
        } catch (RefusedCellException e) {
            truncate(rowCount, bytesBeforeLast);
            return e.getMessage();
        }
        rowCount++;
        return null;
    }

    /** Takes out the row that was written last. */
    public void dropLast() {
        truncate(rowCount - 1, bytesBeforeLast);
    }

    private void truncate(int rows, int bytes) {
        for (ColumnWriter column : columns) {
            column.truncate(rows);
        }
        rowCount = rows;
        meter.bytes = bytes;
    }

    public int rowCount() {
        return rowCount;
    }

    /** Bytes of the cells so far, roughly. */
    public int bytes() {
        return meter.bytes;
    }

    /** Appends the batch, and starts the next. */
    public void flush(ByteBuilder out) {
        out.putInt(rowCount);
        out.putInt(columnCount);
        for (ColumnWriter column : columns) {
            column.writeTo(out);
        }
        truncate(0, 0);
    }
}
