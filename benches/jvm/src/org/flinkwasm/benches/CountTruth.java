package org.flinkwasm.benches;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/** Every row comes out with the number of rows of its key so far. */
record CountTruth(Keys.Sequence sequence) implements Truth {
    /** `user_id`. */
    static final RowType INPUT = RowType.of(false, new LogicalType[] {new BigIntType(false)}, new String[] {"user_id"});

    /** `user_id` and the number of its rows. */
    static final RowType OUTPUT =
            RowType.of(false, new LogicalType[] {new BigIntType(false), new BigIntType(false)}, new String[] {"user_id", "count"});

    @Override
    public long hash(RowData row) {
        return hash(row.getLong(0), row.getLong(1));
    }

    private static long hash(long key, long count) {
        return Truth.add(key, count);
    }

    @Override
    public Arrived expected(long rows) {
        int[] counts = new int[Keys.COUNT];
        long checksum = 0;
        for (long i = 0; i < rows; i++) {
            int key = sequence.at(i);
            checksum = Truth.add(checksum, hash(key, ++counts[key]));
        }
        return new Arrived(rows, checksum);
    }
}
