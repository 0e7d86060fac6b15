package org.flinkwasm.runtime.protocol;

import java.nio.charset.StandardCharsets;

/** The payload of a REPLY, read in place. */
public final class Reply {
    private static final int KIND_MAP = 0;
    private static final int KIND_FILTER = 1;

    private final boolean isFilter;
    private int firstFailureRow = -1;
    private String firstFailure;
    private int failureCount;
    private int keep;
    private byte[] bytes;
    private String trailer;

    /** A reader of replies of a map function, or of a filter function. */
    public Reply(boolean isFilter) {
        this.isFilter = isFilter;
    }

    /**
     * Reads the reply to a bundle of {@code rows} rows; {@code output} then shows the rows of a map function.
     *
     * @throws ProtocolException if the bytes are no such reply
     */
    public void read(byte[] payload, int length, int rows, BatchReader output) {
        bytes = payload;
        Cursor cursor = new Cursor(payload, 0, length);
        int kind = cursor.takeInt("the header of a reply");
        failureCount = cursor.takeCount("the number of failures");
        int emissions = cursor.takeCount("the number of emissions");
        int trailerBytes = cursor.takeCount("the size of the trailer");
        if (kind != (isFilter ? KIND_FILTER : KIND_MAP)) {
            throw ProtocolException.violation("a reply of kind " + Integer.toUnsignedString(kind) + " for a " + (isFilter ? "filter" : "map"));
        }
        if (failureCount > rows) {
            throw ProtocolException.violation("a reply with " + failureCount + " failures for " + rows + " rows");
        }
        if (isFilter) {
            readKeep(cursor, emissions, rows);
        } else {
            readEmissions(cursor, emissions, rows - failureCount, output);
        }
        readFailures(cursor, rows);
        int at = cursor.take(trailerBytes, "the trailer");
        trailer = trailerBytes == 0 ? null : new String(payload, at, trailerBytes, StandardCharsets.UTF_8);
        if (cursor.remaining() != 0) {
            throw ProtocolException.violation(cursor.remaining() + " bytes follow a reply");
        }
    }

    private void readKeep(Cursor cursor, int emissions, int rows) {
        int count = cursor.takeInt("the number of rows");
        cursor.takeInt("the number of rows");
        if (emissions != 0 || count != rows) {
            throw ProtocolException.violation("a filter's reply for " + Integer.toUnsignedString(count) + " rows, expected " + rows);
        }
        keep = cursor.section((rows + 7L) >> 3, "the bitmap of rows to keep");
    }

    /** A map function has one output; its rows stand in the order of the input. */
    private void readEmissions(Cursor cursor, int emissions, int expected, BatchReader output) {
        if (emissions == 0 && expected == 0) {
            return;
        }
        int outputNumber = emissions == 1 ? cursor.takeInt("the number of an output") : -1;
        if (outputNumber != 0) {
            throw ProtocolException.violation("a map's reply with " + emissions + " emissions, expected one, to output 0");
        }
        int rows = cursor.takeCount("the number of rows");
        if (rows != expected) {
            throw ProtocolException.violation("a map's reply with " + rows + " rows, expected " + expected);
        }
        int origins = cursor.section(rows * 4L, "the origins of rows");
        int previous = -1;
        for (int i = 0; i < rows; i++) {
            int origin = LittleEndian.getInt(bytes, origins + i * 4);
            if (origin <= previous || origin >= expected + failureCount) {
                throw ProtocolException.violation("the origins of a map's rows are out of order");
            }
            previous = origin;
        }
        output.read(cursor, rows);
    }

    private void readFailures(Cursor cursor, int rows) {
        firstFailure = null;
        firstFailureRow = -1;
        for (int i = 0; i < failureCount; i++) {
            int row = cursor.takeInt("a failure");
            int messageBytes = cursor.takeCount("a failure");
            int at = cursor.section(messageBytes, "the message of a failure");
            if (row < 0 || row >= rows) {
                throw ProtocolException.violation("a failure of row " + Integer.toUnsignedString(row) + " of " + rows);
            }
            if (firstFailure == null) {
                firstFailure = new String(bytes, at, messageBytes, StandardCharsets.UTF_8);
                firstFailureRow = row;
            }
        }
    }

    public int failureCount() {
        return failureCount;
    }

    /** The row that failed first, with its message; -1 if none did. */
    public int firstFailureRow() {
        return firstFailureRow;
    }

    public String firstFailure() {
        return firstFailure;
    }

    /** Whether a filter function says yes to this row. */
    public boolean keeps(int row) {
        return (bytes[keep + (row >> 3)] >> (row & 7) & 1) != 0;
    }

    /** Counters, gauges and log lines as JSON; null when there is nothing to tell. */
    public String trailer() {
        return trailer;
    }
}
