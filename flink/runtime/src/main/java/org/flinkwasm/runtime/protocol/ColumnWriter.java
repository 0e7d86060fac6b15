package org.flinkwasm.runtime.protocol;

import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinarySegmentUtils;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

import java.util.Arrays;
import java.util.List;

/**
 * Collects the cells of one column, and of the columns below it. Buffers are kept from bundle to bundle; nothing is allocated for a row.
 */
abstract class ColumnWriter {
    private static final int INITIAL_BYTES = 1024;

    private final ColumnKind kind;
    private final boolean nullable;
    final String name;
    /** Bytes of a cell, its text or bytes apart. */
    private final int cellBytes;
    final Meter meter;

    private int cellCount;
    private boolean hasNull;
    /** One bit a cell, 1 = present. Filled from the first null on. */
    private byte[] validity = new byte[128];

    private ColumnWriter(ColumnKind kind, LogicalType type, String name, Meter meter) {
        this.kind = kind;
        this.nullable = type.isNullable();
        this.name = name;
        this.meter = meter;
        cellBytes = kind == ColumnKind.VARLEN || kind == ColumnKind.NESTED ? 4 : Math.max(1, kind.width());
    }

    /** Counts the bytes of a batch while its cells are written, roughly. */
    static final class Meter {
        int bytes;
    }

    static ColumnWriter of(LogicalType type, String name, Meter meter) {
        ColumnKind kind = ColumnKind.of(type);
        switch (kind) {
            case BOOLEAN:
                return new BooleanWriter(type, name, meter);
            case VARLEN:
                return new VarlenWriter(type, name, meter);
            case NESTED:
                return type.is(LogicalTypeRoot.ARRAY) ? new ArrayWriter(type, name, meter) : new MapWriter(type, name, meter);
            case ROW:
                return new RowWriter(type, name, meter);
            case INT8:
                return new Int8Writer(type, name, meter);
            case INT16:
                return new Int16Writer(type, name, meter);
            case INT32:
                return new Int32Writer(type, name, meter);
            case FLOAT32:
                return new Float32Writer(type, name, meter);
            case FLOAT64:
                return new Float64Writer(type, name, meter);
            case DECIMAL128:
                return type.is(LogicalTypeRoot.DECIMAL) ? new DecimalWriter(type, name, meter) : new TimestampWriter(type, name, meter, kind);
            default:
                return type.is(LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE) || type.is(LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE)
                        ? new TimestampWriter(type, name, meter, kind)
                        : new Int64Writer(type, name, meter);
        }
    }

    final void write(RowData row, int position) {
        if (row.isNullAt(position)) {
            writeNull();
        } else {
            present();
            writeValue(row, position);
        }
    }

    final void write(ArrayData array, int position) {
        if (array.isNullAt(position)) {
            writeNull();
        } else {
            present();
            writeValue(array, position);
        }
    }

    private void writeNull() {
        if (!nullable) {
            throw new RefusedCellException("NULL in the NOT NULL column `" + name + "`");
        }
        absent();
        writeEmpty();
    }

    /** The cell below a null ROW: null itself where its type allows it. */
    final void writeBelowNull() {
        if (nullable) {
            absent();
        } else {
            present();
        }
        writeEmpty();
    }

    private void present() {
        if (hasNull) {
            reserveValidity();
            validity[cellCount >> 3] |= (byte) (1 << (cellCount & 7));
        }
        cellCount++;
        meter.bytes += cellBytes;
    }

    private void absent() {
        if (!hasNull) {
            hasNull = true;
            reserveValidity();
            Arrays.fill(validity, 0, cellCount >> 3, (byte) -1);
            validity[cellCount >> 3] = (byte) ((1 << (cellCount & 7)) - 1);
        } else {
            reserveValidity();
        }
        cellCount++;
        meter.bytes += cellBytes;
    }

    /** Makes room for the next cell's bit; bits not yet written are zero. */
    private void reserveValidity() {
        int at = cellCount >> 3;
        if (at >= validity.length) {
            validity = Arrays.copyOf(validity, validity.length * 2);
        }
        if ((cellCount & 7) == 0) {
            validity[at] = 0;
        }
    }

    final int cellCount() {
        return cellCount;
    }

    final void writeTo(ByteBuilder out) {
        int header = out.grow(8);
        LittleEndian.putInt(out.bytes(), header, kind.ordinal() | (hasNull ? 1 << 8 : 0));
        LittleEndian.putInt(out.bytes(), header + 4, cellCount);
        if (hasNull) {
            out.putSection(validity, (cellCount + 7) >> 3);
        }
        writeCells(out);
    }

    /** Forgets the cells from this one on, and what stands there of one that was refused. */
    final void truncate(int count) {
        cellCount = count;
        hasNull &= count > 0;
        if (hasNull) {
            clearBitsFrom(validity, count);
        }
        truncateCells(count);
    }

    /** Clears the bits of a byte that is begun: cells set theirs, and expect zeros there. */
    private static void clearBitsFrom(byte[] bits, int count) {
        if ((count & 7) != 0) {
            bits[count >> 3] &= (byte) ((1 << (count & 7)) - 1);
        }
    }

    abstract void writeValue(RowData row, int position);

    abstract void writeValue(ArrayData array, int position);

    abstract void writeEmpty();

    abstract void writeCells(ByteBuilder out);

    abstract void truncateCells(int count);

    /** A cell can't be in the column; the message says why. */
    static final class RefusedCellException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        RefusedCellException(String problem) {
            super(problem, null, false, false);
        }
    }

    private static final class BooleanWriter extends ColumnWriter {
        private byte[] bits = new byte[128];

        BooleanWriter(LogicalType type, String name, Meter meter) {
            super(ColumnKind.BOOLEAN, type, name, meter);
        }

        private void put(boolean value) {
            int cell = cellCount() - 1;
            int at = cell >> 3;
            if (at >= bits.length) {
                bits = Arrays.copyOf(bits, bits.length * 2);
            }
            if ((cell & 7) == 0) {
                bits[at] = 0;
            }
            if (value) {
                bits[at] |= (byte) (1 << (cell & 7));
            }
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getBoolean(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getBoolean(position));
        }

        @Override
        void writeEmpty() {
            put(false);
        }

        @Override
        void writeCells(ByteBuilder out) {
            out.putSection(bits, (cellCount() + 7) >> 3);
        }

        @Override
        void truncateCells(int count) {
            clearBitsFrom(bits, count);
        }
    }

    /** Cells of one size in one section. */
    private abstract static class FixedWriter extends ColumnWriter {
        final ByteBuilder cells = new ByteBuilder(INITIAL_BYTES);
        private final int width;

        FixedWriter(ColumnKind kind, LogicalType type, String name, Meter meter) {
            super(kind, type, name, meter);
            width = kind.width();
        }

        @Override
        void writeEmpty() {
            cells.putZeros(width);
        }

        @Override
        void writeCells(ByteBuilder out) {
            out.putSection(cells.bytes(), cells.length());
        }

        @Override
        void truncateCells(int count) {
            cells.truncate(count * width);
        }
    }

    private static final class Int8Writer extends FixedWriter {
        Int8Writer(LogicalType type, String name, Meter meter) {
            super(ColumnKind.INT8, type, name, meter);
        }

        private void put(byte value) {
            int at = cells.grow(1);
            cells.bytes()[at] = value;
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getByte(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getByte(position));
        }
    }

    private static final class Int16Writer extends FixedWriter {
        Int16Writer(LogicalType type, String name, Meter meter) {
            super(ColumnKind.INT16, type, name, meter);
        }

        private void put(short value) {
            int at = cells.grow(2);
            LittleEndian.putShort(cells.bytes(), at, value);
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getShort(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getShort(position));
        }
    }

    private static final class Int32Writer extends FixedWriter {
        Int32Writer(LogicalType type, String name, Meter meter) {
            super(ColumnKind.INT32, type, name, meter);
        }

        @Override
        void writeValue(RowData row, int position) {
            cells.putInt(row.getInt(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            cells.putInt(array.getInt(position));
        }
    }

    private static final class Int64Writer extends FixedWriter {
        Int64Writer(LogicalType type, String name, Meter meter) {
            super(ColumnKind.INT64, type, name, meter);
        }

        @Override
        void writeValue(RowData row, int position) {
            cells.putLong(row.getLong(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            cells.putLong(array.getLong(position));
        }
    }

    private static final class Float32Writer extends FixedWriter {
        Float32Writer(LogicalType type, String name, Meter meter) {
            super(ColumnKind.FLOAT32, type, name, meter);
        }

        @Override
        void writeValue(RowData row, int position) {
            cells.putInt(Float.floatToRawIntBits(row.getFloat(position)));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            cells.putInt(Float.floatToRawIntBits(array.getFloat(position)));
        }
    }

    private static final class Float64Writer extends FixedWriter {
        Float64Writer(LogicalType type, String name, Meter meter) {
            super(ColumnKind.FLOAT64, type, name, meter);
        }

        @Override
        void writeValue(RowData row, int position) {
            cells.putLong(Double.doubleToRawLongBits(row.getDouble(position)));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            cells.putLong(Double.doubleToRawLongBits(array.getDouble(position)));
        }
    }

    private static final class DecimalWriter extends FixedWriter {
        private final int precision;
        private final int scale;

        DecimalWriter(LogicalType type, String name, Meter meter) {
            super(ColumnKind.DECIMAL128, type, name, meter);
            precision = LogicalTypeChecks.getPrecision(type);
            scale = LogicalTypeChecks.getScale(type);
        }

        private void put(DecimalData value) {
            if (value.isCompact()) {
                long unscaled = value.toUnscaledLong();
                cells.putLong(unscaled);
                cells.putLong(unscaled >> 63);
                return;
            }
            byte[] bigEndian = value.toUnscaledBytes();
            int at = cells.grow(16);
            byte sign = (byte) (bigEndian[0] >> 7);
            for (int i = 0; i < 16; i++) {
                int from = bigEndian.length - 1 - i;
                cells.bytes()[at + i] = from >= 0 ? bigEndian[from] : sign;
            }
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getDecimal(position, precision, scale));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getDecimal(position, precision, scale));
        }
    }

    /** Milliseconds, microseconds or nanoseconds since the epoch, as the precision asks. */
    private static final class TimestampWriter extends FixedWriter {
        private final int precision;

        TimestampWriter(LogicalType type, String name, Meter meter, ColumnKind kind) {
            super(kind, type, name, meter);
            precision = LogicalTypeChecks.getPrecision(type);
        }

        private void put(TimestampData value) {
            long millis = value.getMillisecond();
            if (precision <= 3) {
                cells.putLong(millis);
            } else if (precision <= 6) {
                cells.putLong(micros(millis, value.getNanoOfMillisecond()));
            } else {
                long low = millis * 1_000_000L;
                long sum = low + value.getNanoOfMillisecond();
                int carry = Long.compareUnsigned(sum, low) < 0 ? 1 : 0;
                cells.putLong(sum);
                cells.putLong(Math.multiplyHigh(millis, 1_000_000L) + carry);
            }
        }

        private long micros(long millis, int nanos) {
            try {
                return Math.addExact(Math.multiplyExact(millis, 1_000L), nanos / 1_000);
            } catch (ArithmeticException e) {
                throw new RefusedCellException("a TIMESTAMP that is out of range in column `" + name + "`");
            }
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getTimestamp(position, precision));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getTimestamp(position, precision));
        }
    }

    /** Text and bytes. */
    private static final class VarlenWriter extends ColumnWriter {
        private final boolean isText;
        private final ByteBuilder offsets = new ByteBuilder(INITIAL_BYTES);
        private final ByteBuilder data = new ByteBuilder(INITIAL_BYTES);

        VarlenWriter(LogicalType type, String name, Meter meter) {
            super(ColumnKind.VARLEN, type, name, meter);
            isText = type.is(LogicalTypeRoot.CHAR) || type.is(LogicalTypeRoot.VARCHAR);
            offsets.putInt(0);
        }

        private void put(StringData value) {
            if (value instanceof BinaryStringData) {
                BinaryStringData text = (BinaryStringData) value;
                text.ensureMaterialized();
                int length = text.getSizeInBytes();
                meter.bytes += length;
                int at = data.grow(length);
                MemorySegment[] segments = text.getSegments();
                if (segments.length == 1) {
                    segments[0].get(text.getOffset(), data.bytes(), at, length);
                } else {
                    BinarySegmentUtils.copyToBytes(segments, text.getOffset(), data.bytes(), at, length);
                }
                offsets.putInt(data.length());
            } else {
                put(value.toBytes());
            }
        }

        private void put(byte[] value) {
            meter.bytes += value.length;
            data.put(value, 0, value.length);
            offsets.putInt(data.length());
        }

        @Override
        void writeValue(RowData row, int position) {
            if (isText) {
                put(row.getString(position));
            } else {
                put(row.getBinary(position));
            }
        }

        @Override
        void writeValue(ArrayData array, int position) {
            if (isText) {
                put(array.getString(position));
            } else {
                put(array.getBinary(position));
            }
        }

        @Override
        void writeEmpty() {
            offsets.putInt(data.length());
        }

        @Override
        void writeCells(ByteBuilder out) {
            out.putSection(offsets.bytes(), offsets.length());
            out.putSection(data.bytes(), data.length());
        }

        @Override
        void truncateCells(int count) {
            offsets.truncate((count + 1) * Integer.BYTES);
            data.truncate(offsets.lastInt());
        }
    }

    /** What ARRAY and MAP have in common: offsets into the columns below. */
    private abstract static class NestedWriter extends ColumnWriter {
        final ColumnWriter[] below;
        private final ByteBuilder offsets = new ByteBuilder(INITIAL_BYTES);

        NestedWriter(LogicalType type, String name, Meter meter, String... suffixes) {
            super(ColumnKind.NESTED, type, name, meter);
            List<LogicalType> children = ColumnKind.children(type);
            below = new ColumnWriter[children.size()];
            for (int i = 0; i < below.length; i++) {
                below[i] = ColumnWriter.of(children.get(i), name + suffixes[i], meter);
            }
            offsets.putInt(0);
        }

        final void close() {
            offsets.putInt(below[0].cellCount());
        }

        @Override
        void writeEmpty() {
            close();
        }

        @Override
        void writeCells(ByteBuilder out) {
            out.putSection(offsets.bytes(), offsets.length());
            for (ColumnWriter column : below) {
                column.writeTo(out);
            }
        }

        @Override
        void truncateCells(int count) {
            offsets.truncate((count + 1) * Integer.BYTES);
            int countBelow = offsets.lastInt();
            for (ColumnWriter column : below) {
                column.truncate(countBelow);
            }
        }
    }

    private static final class ArrayWriter extends NestedWriter {
        ArrayWriter(LogicalType type, String name, Meter meter) {
            super(type, name, meter, "[]");
        }

        private void put(ArrayData elements) {
            int size = elements.size();
            for (int i = 0; i < size; i++) {
                below[0].write(elements, i);
            }
            close();
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getArray(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getArray(position));
        }
    }

    /** MAP; and MULTISET, which Flink holds as a map from element to count. */
    private static final class MapWriter extends NestedWriter {
        MapWriter(LogicalType type, String name, Meter meter) {
            super(type, name, meter, "{key}", "{value}");
        }

        private void put(MapData entries) {
            ArrayData keys = entries.keyArray();
            ArrayData values = entries.valueArray();
            int size = entries.size();
            for (int i = 0; i < size; i++) {
                below[0].write(keys, i);
                below[1].write(values, i);
            }
            close();
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getMap(position));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getMap(position));
        }
    }

    private static final class RowWriter extends ColumnWriter {
        private final ColumnWriter[] fields;

        RowWriter(LogicalType type, String name, Meter meter) {
            super(ColumnKind.ROW, type, name, meter);
            List<String> names = LogicalTypeChecks.getFieldNames(type);
            List<LogicalType> types = ColumnKind.children(type);
            fields = new ColumnWriter[types.size()];
            for (int i = 0; i < fields.length; i++) {
                fields[i] = ColumnWriter.of(types.get(i), name + "." + names.get(i), meter);
            }
        }

        private void put(RowData row) {
            for (int i = 0; i < fields.length; i++) {
                fields[i].write(row, i);
            }
        }

        @Override
        void writeValue(RowData row, int position) {
            put(row.getRow(position, fields.length));
        }

        @Override
        void writeValue(ArrayData array, int position) {
            put(array.getRow(position, fields.length));
        }

        @Override
        void writeEmpty() {
            for (ColumnWriter field : fields) {
                field.writeBelowNull();
            }
        }

        @Override
        void writeCells(ByteBuilder out) {
            for (ColumnWriter field : fields) {
                field.writeTo(out);
            }
        }

        @Override
        void truncateCells(int count) {
            for (ColumnWriter field : fields) {
                field.truncate(count);
            }
        }
    }
}
