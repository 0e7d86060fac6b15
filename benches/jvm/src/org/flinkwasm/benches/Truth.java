package org.flinkwasm.benches;

import org.apache.flink.table.data.RowData;

/** How what came out of a run is summed up, and what it must come to. */
interface Truth {
    /** Depends on every bit of every column. */
    long hash(RowData row);

    /** What must arrive when the source has put out so many rows. */
    Arrived expected(long rows);

    /** Number and checksum of rows; the checksum depends on their order. */
    record Arrived(long rows, long checksum) {}

    /** A checksum that depends on the order. */
    static long add(long checksum, long value) {
        return checksum * 31 + value;
    }
}
