package org.flinkwasm.runtime.protocol;

import java.nio.charset.StandardCharsets;

/** The payload of a REPLY, read in place. */
public final class Reply {
    private static final int KIND_MAP = 0;
    private static final int KIND_FILTER = 1;

    private final boolean isFilter;
    private final Failures failures = new Failures();
    private int keep;
    private byte[] bytes;
    private int length;
    private String trailer;

    // Where each emission starts, and which one the output's reader shows.
    private int[] emissionStarts = new int[4];
    private int emissionCount;
    private int shown;
    private int shownRows;
    private int shownFirst;
    private int shownOrigins;

    /** A reader of replies of a map function, or of a filter function. */
    public Reply(boolean isFilter) {
        this.isFilter = isFilter;
    }

    /**
     * Reads the reply to a bundle of {@code rows} rows; {@code output} then shows the last emission of a map function.
     *
     * @throws ProtocolException if the bytes are no such reply
     */
    public void read(byte[] payload, int length, int rows, BatchReader output) {
        bytes = payload;
        this.length = length;
        Cursor cursor = new Cursor(payload, 0, length);
        int kind = cursor.takeInt("the header of a reply");
        int failureCount = cursor.takeCount("the number of failures");
        int emissions = cursor.takeCount("the number of emissions");
        int trailerBytes = cursor.takeCount("the size of the trailer");
        if (kind != (isFilter ? KIND_FILTER : KIND_MAP)) {
            throw ProtocolException.violation("a reply of kind " + Integer.toUnsignedString(kind) + " for a " + (isFilter ? "filter" : "map"));
        }
        failures.expect(failureCount, rows);
        if (isFilter) {
            readKeep(cursor, emissions, rows);
        } else {
            readEmissions(cursor, emissions, rows, output);
        }
        failures.read(cursor, rows);
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

    /** A map function has one output; its rows stand in the order of the input, all of them in one emission or some in each of several. */
    private void readEmissions(Cursor cursor, int emissions, int rows, BatchReader output) {
        emissionCount = emissions;
        if (emissions > emissionStarts.length) {
            if (emissions > rows) {
                throw ProtocolException.violation("a reply with " + emissions + " emissions for " + rows + " rows");
            }
            emissionStarts = new int[emissions];
        }
        int next = 0;
        int total = 0;
        for (int i = 0; i < emissions; i++) {
            emissionStarts[i] = cursor.at();
            next = readEmission(cursor, i, next, rows, output);
            total += shownRows;
        }
        if (total != rows - failures.count()) {
            throw ProtocolException.violation(
                    "a map's reply with " + total + " rows and " + failures.count() + " failures for " + rows + " rows");
        }
    }

    /** Reads one emission and says which row of the input may be the next. */
    private int readEmission(Cursor cursor, int index, int next, int rows, BatchReader output) {
        int number = cursor.takeInt("the number of an output");
        shownRows = cursor.takeCount("the number of rows");
        if (number != 0 || shownRows > rows) {
            throw ProtocolException.violation("a map's emission of " + shownRows + " rows to output " + Integer.toUnsignedString(number));
        }
        int origins = cursor.section(shownRows * 4L, "the origins of rows");
        int expected = next;
        for (int i = 0; i < shownRows; i++) {
            int origin = LittleEndian.getInt(bytes, origins + i * 4);
            if (origin < expected || origin >= rows || failures.count() == 0 && origin != expected) {
                throw ProtocolException.violation("the origins of a map's rows are out of order");
            }
            expected = origin + 1;
        }
        shown = index;
        shownFirst = next;
        shownOrigins = origins;
        output.read(cursor, shownRows);
        output.startAt(next);
        return expected;
    }

    public int emissionCount() {
        return emissionCount;
    }

    /**
     * Lets {@code output} show an emission, at the positions of the rows that it belongs to. Emissions are shown in order.
     *
     * @return the position behind its last row
     */
    public int show(int emission, BatchReader output) {
        if (emission != shown) {
            int next = emission == 0 ? 0 : shownFirst + shownRows;
            readEmission(new Cursor(bytes, emissionStarts[emission], length), emission, next, Integer.MAX_VALUE, output);
        }
        return shownFirst + shownRows;
    }

    /** The rows of the emission that is shown. */
    public int shownRows() {
        return shownRows;
    }

    /** Lets {@code output} show a row of this emission at the position of the row that it belongs to, and says which that is. */
    public int showRow(int index, BatchReader output) {
        int row = LittleEndian.getInt(bytes, shownOrigins + index * 4);
        output.startAt(row - index);
        return row;
    }

    /** The rows that failed. */
    public Failures failures() {
        return failures;
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
