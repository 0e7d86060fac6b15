package org.flinkwasm.runtime.protocol;

import java.util.Arrays;

/** A received batch of nullable BYTES columns, read in place: encoded state. */
final class StateBatch {
    private final ColumnBytes[] columns;

    StateBatch(int columnCount) {
        columns = new ColumnBytes[columnCount];
        Arrays.setAll(columns, i -> new ColumnBytes());
    }

    /** Where the cells of one column are. */
    private static final class ColumnBytes {
        int validity;
        int offsets;
        int data;
    }

    private byte[] bytes;

    void read(Cursor cursor, int rows) {
        bytes = cursor.bytes;
        int count = cursor.takeInt("the header of a batch");
        int columnCount = cursor.takeInt("the header of a batch");
        if (count != rows || columnCount != columns.length) {
            throw ProtocolException.violation("a batch of state has " + Integer.toUnsignedString(count) + " rows and "
                    + Integer.toUnsignedString(columnCount) + " columns, expected " + rows + " and " + columns.length);
        }
        for (ColumnBytes column : columns) {
            read(column, cursor, rows);
        }
    }

    private void read(ColumnBytes column, Cursor cursor, int rows) {
        int header = cursor.takeInt("the header of a column");
        int cells = cursor.takeInt("the header of a column");
        if ((header & 0xff) != ColumnKind.VARLEN.ordinal() || header >>> 9 != 0 || cells != rows) {
            throw ProtocolException.violation("a column of state has the header 0x" + Integer.toHexString(header) + " and "
                    + Integer.toUnsignedString(cells) + " cells, expected " + rows);
        }
        column.validity = (header & 0x100) == 0 ? -1 : cursor.section((rows + 7L) >> 3, "validity");
        column.offsets = cursor.section((rows + 1L) * 4, "offsets");
        int previous = 0;
        for (int i = 0; i <= rows; i++) {
            int offset = LittleEndian.getInt(bytes, column.offsets + i * 4);
            if (offset < previous || i == 0 && offset != 0) {
                throw ProtocolException.violation("offsets do not start with 0, or decrease");
            }
            previous = offset;
        }
        column.data = cursor.section(previous, "data");
    }

    boolean isNull(int index, int row) {
        ColumnBytes column = columns[index];
        return column.validity >= 0 && (bytes[column.validity + (row >> 3)] >> (row & 7) & 1) == 0;
    }

    /** Where a cell starts in the bytes that were read. A cell ends where the next one starts. */
    int start(int index, int row) {
        ColumnBytes column = columns[index];
        return column.data + LittleEndian.getInt(bytes, column.offsets + row * 4);
    }

    /** A copy of a cell; null if it is null. */
    byte[] cell(int index, int row) {
        return isNull(index, row) ? null : Arrays.copyOfRange(bytes, start(index, row), start(index, row + 1));
    }
}
