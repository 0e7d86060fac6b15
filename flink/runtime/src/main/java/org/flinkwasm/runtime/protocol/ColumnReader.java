package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.columnar.ColumnarArrayData;
import org.apache.flink.table.data.columnar.ColumnarMapData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.ArrayColumnVector;
import org.apache.flink.table.data.columnar.vector.BooleanColumnVector;
import org.apache.flink.table.data.columnar.vector.ByteColumnVector;
import org.apache.flink.table.data.columnar.vector.BytesColumnVector;
import org.apache.flink.table.data.columnar.vector.ColumnVector;
import org.apache.flink.table.data.columnar.vector.DecimalColumnVector;
import org.apache.flink.table.data.columnar.vector.DoubleColumnVector;
import org.apache.flink.table.data.columnar.vector.FloatColumnVector;
import org.apache.flink.table.data.columnar.vector.IntColumnVector;
import org.apache.flink.table.data.columnar.vector.LongColumnVector;
import org.apache.flink.table.data.columnar.vector.MapColumnVector;
import org.apache.flink.table.data.columnar.vector.RowColumnVector;
import org.apache.flink.table.data.columnar.vector.ShortColumnVector;
import org.apache.flink.table.data.columnar.vector.TimestampColumnVector;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;

/**
 * Shows one column of a received batch, in place, as one of Flink's column vectors. {@link #read} checks the layout, so that no access
 * leaves the batch.
 */
abstract class ColumnReader implements ColumnVector {
    private static final long NANOS_PER_MILLI = 1_000_000L;

    private final ColumnKind kind;
    byte[] bytes;
    /** Where the cells start. */
    int start;
    private int cellCount;
    /** The number of the first cell. */
    int first;
    /** Where the bitmap of present cells starts, or -1 if all are. */
    private int validity = -1;

    private ColumnReader(ColumnKind kind) {
        this.kind = kind;
    }

    static ColumnReader of(LogicalType type) {
        ColumnKind kind = ColumnKind.of(type);
        switch (kind) {
            case BOOLEAN:
                return new BooleanReader();
            case INT8:
                return new Int8Reader();
            case INT16:
                return new Int16Reader();
            case INT32:
                return new Int32Reader();
            case FLOAT32:
                return new Float32Reader();
            case FLOAT64:
                return new Float64Reader();
            case VARLEN:
                return new VarlenReader(type);
            case NESTED:
                return type.is(LogicalTypeRoot.ARRAY) ? new ArrayReader(type) : new MapReader(type);
            case ROW:
                return new RowReader(type);
            case DECIMAL128:
                return type.is(LogicalTypeRoot.DECIMAL) ? new DecimalReader() : new TimestampReader(type, kind);
            default:
                return type.is(LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE) || type.is(LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE)
                        ? new TimestampReader(type, kind)
                        : new Int64Reader();
        }
    }

    /** Reads header and sections at the cursor. */
    final void read(Cursor cursor, int expectedCells) {
        bytes = cursor.bytes;
        first = 0;
        int header = cursor.takeInt("the header of a column");
        cellCount = cursor.takeInt("the header of a column");
        if ((header & 0xff) != kind.ordinal() || header >>> 9 != 0) {
            throw ProtocolException.violation("a column of kind " + kind.ordinal() + " has the header 0x" + Integer.toHexString(header));
        }
        if (cellCount != expectedCells) {
            throw ProtocolException.violation(
                    "a column has " + Integer.toUnsignedString(cellCount) + " cells, expected " + expectedCells);
        }
        validity = (header & 0x100) == 0 ? -1 : cursor.section((cellCount + 7L) >> 3, "validity");
        readCells(cursor, cellCount);
    }

    final void startAt(int cell) {
        first = cell;
    }

    void readCells(Cursor cursor, int cells) {
        start = cursor.section((long) cells * kind.width(), "cells");
    }

    /** Checks that offsets start with 0 and never decrease. */
    final int readOffsets(Cursor cursor, int cells) {
        int at = cursor.section((cells + 1L) * 4, "offsets");
        int previous = LittleEndian.getInt(bytes, at);
        if (previous != 0) {
            throw ProtocolException.violation("offsets do not start with 0");
        }
        for (int i = 1; i <= cells; i++) {
            int offset = LittleEndian.getInt(bytes, at + i * 4);
            if (offset < previous) {
                throw ProtocolException.violation("offsets decrease");
            }
            previous = offset;
        }
        return at;
    }

    @Override
    public final boolean isNullAt(int i) {
        int cell = i - first;
        return validity >= 0 && (bytes[validity + (cell >> 3)] >> (cell & 7) & 1) == 0;
    }

    private static final class BooleanReader extends ColumnReader implements BooleanColumnVector {
        BooleanReader() {
            super(ColumnKind.BOOLEAN);
        }

        @Override
        void readCells(Cursor cursor, int cells) {
            start = cursor.section((cells + 7L) >> 3, "cells");
        }

        @Override
        public boolean getBoolean(int i) {
            int cell = i - first;
            return (bytes[start + (cell >> 3)] >> (cell & 7) & 1) != 0;
        }
    }

    private static final class Int8Reader extends ColumnReader implements ByteColumnVector {
        Int8Reader() {
            super(ColumnKind.INT8);
        }

        @Override
        public byte getByte(int i) {
            return bytes[start + i - first];
        }
    }

    private static final class Int16Reader extends ColumnReader implements ShortColumnVector {
        Int16Reader() {
            super(ColumnKind.INT16);
        }

        @Override
        public short getShort(int i) {
            return LittleEndian.getShort(bytes, start + (i - first) * 2);
        }
    }

    private static final class Int32Reader extends ColumnReader implements IntColumnVector {
        Int32Reader() {
            super(ColumnKind.INT32);
        }

        @Override
        public int getInt(int i) {
            return LittleEndian.getInt(bytes, start + (i - first) * 4);
        }
    }

    private static final class Int64Reader extends ColumnReader implements LongColumnVector {
        Int64Reader() {
            super(ColumnKind.INT64);
        }

        @Override
        public long getLong(int i) {
            return LittleEndian.getLong(bytes, start + (i - first) * 8);
        }
    }

    private static final class Float32Reader extends ColumnReader implements FloatColumnVector {
        Float32Reader() {
            super(ColumnKind.FLOAT32);
        }

        @Override
        public float getFloat(int i) {
            return Float.intBitsToFloat(LittleEndian.getInt(bytes, start + (i - first) * 4));
        }
    }

    private static final class Float64Reader extends ColumnReader implements DoubleColumnVector {
        Float64Reader() {
            super(ColumnKind.FLOAT64);
        }

        @Override
        public double getDouble(int i) {
            return Double.longBitsToDouble(LittleEndian.getLong(bytes, start + (i - first) * 8));
        }
    }

    private static final class DecimalReader extends ColumnReader implements DecimalColumnVector {
        DecimalReader() {
            super(ColumnKind.DECIMAL128);
        }

        @Override
        public DecimalData getDecimal(int i, int precision, int scale) {
            int at = start + (i - first) * 16;
            return DecimalData.isCompact(precision)
                    ? DecimalData.fromUnscaledLong(LittleEndian.getLong(bytes, at), precision, scale)
                    : DecimalData.fromUnscaledBytes(bigEndian(bytes, at), precision, scale);
        }
    }

    private static byte[] bigEndian(byte[] bytes, int at) {
        byte[] reversed = new byte[16];
        for (int i = 0; i < 16; i++) {
            reversed[i] = bytes[at + 15 - i];
        }
        return reversed;
    }

    private static final class TimestampReader extends ColumnReader implements TimestampColumnVector {
        private final int declared;

        TimestampReader(LogicalType type, ColumnKind kind) {
            super(kind);
            declared = LogicalTypeChecks.getPrecision(type);
        }

        @Override
        public TimestampData getTimestamp(int i, int precision) {
            if (declared <= 3) {
                return TimestampData.fromEpochMillis(LittleEndian.getLong(bytes, start + (i - first) * 8));
            } else if (declared <= 6) {
                long micros = LittleEndian.getLong(bytes, start + (i - first) * 8);
                return TimestampData.fromEpochMillis(Math.floorDiv(micros, 1_000L), (int) Math.floorMod(micros, 1_000L) * 1_000);
            }
            int at = start + (i - first) * 16;
            long low = LittleEndian.getLong(bytes, at);
            if (LittleEndian.getLong(bytes, at + 8) == low >> 63) {
                return TimestampData.fromEpochMillis(Math.floorDiv(low, NANOS_PER_MILLI), (int) Math.floorMod(low, NANOS_PER_MILLI));
            }
            BigInteger[] parts = new BigInteger(bigEndian(bytes, at)).divideAndRemainder(BigInteger.valueOf(NANOS_PER_MILLI));
            long millis = parts[0].longValue();
            int nanos = parts[1].intValue();
            return nanos < 0
                    ? TimestampData.fromEpochMillis(millis - 1, nanos + (int) NANOS_PER_MILLI)
                    : TimestampData.fromEpochMillis(millis, nanos);
        }
    }

    private static final class VarlenReader extends ColumnReader implements BytesColumnVector {
        private final boolean isText;
        private int offsets;

        VarlenReader(LogicalType type) {
            super(ColumnKind.VARLEN);
            isText = type.is(LogicalTypeRoot.CHAR) || type.is(LogicalTypeRoot.VARCHAR);
        }

        @Override
        void readCells(Cursor cursor, int cells) {
            offsets = readOffsets(cursor, cells);
            start = cursor.section(LittleEndian.getInt(bytes, offsets + cells * 4), "data");
        }

        @Override
        public Bytes getBytes(int i) {
            int from = LittleEndian.getInt(bytes, offsets + (i - first) * 4);
            int length = LittleEndian.getInt(bytes, offsets + (i - first) * 4 + 4) - from;
            if (isText) {
                return new Bytes(bytes, start + from, length);
            }
            // An array of its own, which is handed on without another copy; ColumnarArrayData of Flink 1.20 cuts others wrongly.
            return new Bytes(Arrays.copyOfRange(bytes, start + from, start + from + length), 0, length);
        }
    }

    private static final class ArrayReader extends ColumnReader implements ArrayColumnVector {
        private final ColumnReader elements;

        ArrayReader(LogicalType type) {
            super(ColumnKind.NESTED);
            elements = of(ColumnKind.children(type).get(0));
        }

        @Override
        void readCells(Cursor cursor, int cells) {
            start = readOffsets(cursor, cells);
            elements.read(cursor, LittleEndian.getInt(bytes, start + cells * 4));
        }

        @Override
        public ArrayData getArray(int i) {
            int from = LittleEndian.getInt(bytes, start + (i - first) * 4);
            return new ColumnarArrayData(elements, from, LittleEndian.getInt(bytes, start + (i - first) * 4 + 4) - from);
        }
    }

    private static final class MapReader extends ColumnReader implements MapColumnVector {
        private final ColumnReader keys;
        private final ColumnReader values;

        MapReader(LogicalType type) {
            super(ColumnKind.NESTED);
            List<LogicalType> children = ColumnKind.children(type);
            keys = of(children.get(0));
            values = of(children.get(1));
        }

        @Override
        void readCells(Cursor cursor, int cells) {
            start = readOffsets(cursor, cells);
            int entries = LittleEndian.getInt(bytes, start + cells * 4);
            keys.read(cursor, entries);
            values.read(cursor, entries);
        }

        @Override
        public MapData getMap(int i) {
            int from = LittleEndian.getInt(bytes, start + (i - first) * 4);
            return new ColumnarMapData(keys, values, from, LittleEndian.getInt(bytes, start + (i - first) * 4 + 4) - from);
        }
    }

    private static final class RowReader extends ColumnReader implements RowColumnVector {
        private final ColumnReader[] fields;
        private final VectorizedColumnBatch batch;

        RowReader(LogicalType type) {
            super(ColumnKind.ROW);
            fields = ColumnKind.children(type).stream().map(ColumnReader::of).toArray(ColumnReader[]::new);
            batch = new VectorizedColumnBatch(fields);
        }

        @Override
        void readCells(Cursor cursor, int cells) {
            for (ColumnReader field : fields) {
                field.read(cursor, cells);
            }
        }

        @Override
        public ColumnarRowData getRow(int i) {
            return new ColumnarRowData(batch, i - first);
        }
    }
}
