package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.protocol.ColumnWriter.NullCellException;

import java.util.List;

/** Turns rows into a batch. One writer serves all bundles of a subtask. */
public final class BatchWriter {
    private final ColumnWriter[] columns;
    private final ColumnWriter[] variable;
    private final int[] positions;
    private final int columnCount;
    private final int fixedRowBytes;
    private int rowCount;

    /**
     * A writer of batches with columns of these types.
     *
     * @param positions for each column its position in the rows that are written
     */
    public BatchWriter(List<? extends LogicalType> types, List<String> names, int[] positions) {
        this.positions = positions.clone();
        columns = new ColumnWriter[types.size()];
        int fixed = 0;
        int variableCount = 0;
        int flattened = 0;
        for (int i = 0; i < columns.length; i++) {
            columns[i] = ColumnWriter.of(types.get(i), names.get(i));
            fixed += ColumnKind.of(types.get(i)).width();
            variableCount += columns[i].isVariable() ? 1 : 0;
            flattened += flattenedCount(types.get(i));
        }
        variable = new ColumnWriter[variableCount];
        int next = 0;
        for (ColumnWriter column : columns) {
            if (column.isVariable()) {
                variable[next++] = column;
            }
        }
        fixedRowBytes = fixed;
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

    /** Bytes of the cells so far. */
    public int bytes() {
        int bytes = fixedRowBytes * rowCount;
        for (ColumnWriter column : variable) {
            bytes += column.bytes();
        }
        return bytes;
    }

    /** Appends the batch, and starts the next. */
    public void flush(ByteBuilder out) {
        out.putInt(rowCount);
        out.putInt(columnCount);
        for (ColumnWriter column : columns) {
            column.writeTo(out);
            column.clear();
        }
        rowCount = 0;
    }
}
