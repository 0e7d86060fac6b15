package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.protocol.ColumnWriter.Meter;
import org.flinkwasm.runtime.protocol.ColumnWriter.NullCellException;

import java.util.List;

/** Turns rows into a batch. One writer serves all bundles of a subtask. */
public final class BatchWriter {
    private final ColumnWriter[] columns;
    private final int[] positions;
    private final int columnCount;
    private final Meter meter = new Meter();
    private int rowCount;

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
     * @return null, or the name of the NOT NULL field in which a NULL came; the batch is then of no further use
     */
    public String write(RowData row) {
        try {
            for (int i = 0; i < columns.length; i++) {
                columns[i].write(row, positions[i]);
            }
        } catch (NullCellException e) {
            return e.getMessage();
        }
        rowCount++;
        return null;
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
        clear();
    }

    /** Forgets the rows so far. */
    public void clear() {
        for (ColumnWriter column : columns) {
            column.clear();
        }
        rowCount = 0;
        meter.bytes = 0;
    }
}
