package org.flinkwasm.benches;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.SplittableRandom;

/** What goes in, what must come out, and how what came out is summed up. */
enum Workload implements Truth {
    /** 100 bytes, unchanged. */
    IDENTITY("identity", bytesType(), bytesType()) {
        @Override
        RowData row(int index, SplittableRandom random) {
            byte[] payload = new byte[100];
            random.nextBytes(payload);
            return GenericRowData.of((Object) payload);
        }

        @Override
        RowData expected(RowData row) {
            return row;
        }

        @Override
        public long hash(RowData row) {
            // Every eight bytes have a factor of their own, so that the processor need not wait for one product to begin the next.
            byte[] bytes = row.getBinary(0);
            long hash = bytes.length;
            int at = 0;
            for (; at + 8 <= bytes.length; at += 8) {
                hash += (long) LONG.get(bytes, at) * (2L * at + 1);
            }
            for (; at < bytes.length; at++) {
                hash += bytes[at] * (2L * at + 1);
            }
            return hash;
        }
    },

    /** An order, and its total with tax. */
    TAX("tax", orderType(), taxedType()) {
        @Override
        RowData row(int index, SplittableRandom random) {
            return order(index, random);
        }

        @Override
        RowData expected(RowData row) {
            return GenericRowData.of(row.getLong(0), row.getString(1), row.getDouble(2), row.getDouble(2) * (1.0 + RATE));
        }

        @Override
        public long hash(RowData row) {
            return Truth.add(hashOrder(row), Double.doubleToRawLongBits(row.getDouble(3)));
        }
    },

    /** Orders of which a tenth is kept. */
    FILTER_10("filter-10", orderType(), orderType()) {
        @Override
        RowData row(int index, SplittableRandom random) {
            return order(index, random);
        }

        @Override
        RowData expected(RowData row) {
            return row.getDouble(2) >= MINIMUM ? row : null;
        }

        @Override
        public long hash(RowData row) {
            return hashOrder(row);
        }
    };

    /** The tax rate. */
    static final double RATE = 0.2;

    /** The least amount that the filter keeps; amounts lie between 0 and 1000. */
    static final double MINIMUM = 900.0;

    /** Rows that are made before; a power of two, and few enough for the cache of the processor. */
    private static final int ROWS = 4096;

    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final BinaryStringData[] REGIONS = {
        region("us-west"), region("us-east"), region("eu-central"), region("ap-south")
    };

    final String title;
    final RowType input;
    final RowType output;
    private final RowData[] rows;
    private final long[] hashes;
    private final boolean[] kept;

    Workload(String title, RowType input, RowType output) {
        this.title = title;
        this.input = input;
        this.output = output;
        rows = new RowData[ROWS];
        hashes = new long[ROWS];
        kept = new boolean[ROWS];
    }

    static {
        for (Workload workload : values()) {
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < ROWS; i++) {
                RowData row = workload.row(i, random);
                RowData expected = workload.expected(row);
                workload.rows[i] = row;
                workload.kept[i] = expected != null;
                workload.hashes[i] = expected == null ? 0 : workload.hash(expected);
            }
        }
    }

    abstract RowData row(int index, SplittableRandom random);

    /** What must come out for a row; null if nothing. */
    abstract RowData expected(RowData row);

    RowData[] rows() {
        return rows;
    }

    @Override
    public Arrived expected(long count) {
        long arrived = 0;
        long checksum = 0;
        for (long i = 0; i < count; i++) {
            int row = (int) i & (ROWS - 1);
            if (kept[row]) {
                arrived++;
                checksum = Truth.add(checksum, hashes[row]);
            }
        }
        return new Arrived(arrived, checksum);
    }

    private static RowData order(int index, SplittableRandom random) {
        return GenericRowData.of((long) index, REGIONS[index & 3], random.nextInt(100_000) / 100.0);
    }

    /** Strings are there as bytes, as formats that read bytes leave them. */
    private static BinaryStringData region(String name) {
        BinaryStringData region = BinaryStringData.fromString(name);
        region.ensureMaterialized();
        return region;
    }

    private static long hashOrder(RowData row) {
        long hash = Truth.add(row.getLong(0), row.getString(1).hashCode());
        return Truth.add(hash, Double.doubleToRawLongBits(row.getDouble(2)));
    }

    private static RowType bytesType() {
        return new RowType(false, Arrays.asList(new RowType.RowField("payload", new VarBinaryType(false, VarBinaryType.MAX_LENGTH))));
    }

    private static RowType orderType() {
        return new RowType(
                false,
                Arrays.asList(
                        new RowType.RowField("id", new BigIntType(false)),
                        new RowType.RowField("region", new VarCharType(false, VarCharType.MAX_LENGTH)),
                        new RowType.RowField("amount", new DoubleType(false))));
    }

    private static RowType taxedType() {
        return new RowType(
                false,
                Arrays.asList(
                        new RowType.RowField("id", new BigIntType(false)),
                        new RowType.RowField("region", new VarCharType(false, VarCharType.MAX_LENGTH)),
                        new RowType.RowField("amount", new DoubleType(false)),
                        new RowType.RowField("total", new DoubleType(false))));
    }
}
