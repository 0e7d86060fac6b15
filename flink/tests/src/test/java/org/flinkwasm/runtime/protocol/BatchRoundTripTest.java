package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.Rows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

/** Rows come out of a batch as they went in, and damaged batches never as anything but an error or other rows. */
@Timeout(120)
class BatchRoundTripTest {
    private static final int SCHEMAS = 300;
    private static final long SEED = 7;

    @Test
    void randomRowsOfRandomSchemasComeBack() {
        Random random = new Random(SEED);
        Rows rows = new Rows(random);
        for (int schema = 0; schema < SCHEMAS; schema++) {
            List<String> texts = IntStream.range(0, 1 + random.nextInt(6)).mapToObj(i -> rows.type()).toList();
            List<LogicalType> types = texts.stream().map(Rows::parse).toList();
            BatchWriter writer = writer(types);
            BatchReader reader = new BatchReader(types);
            ColumnarRowData view = new ColumnarRowData(new VectorizedColumnBatch(reader.vectors()));
            RowDataSerializer serializer = new RowDataSerializer(types.toArray(new LogicalType[0]));
            // The buffers are used for one batch after the other.
            for (int batch = 0; batch < 3; batch++) {
                List<RowData> in = IntStream.range(0, random.nextInt(40)).mapToObj(i -> rows.row(types)).toList();
                ByteBuilder bytes = new ByteBuilder(8);
                for (RowData row : in) {
                    // Binary rows have other strings, arrays and maps than generic ones.
                    assertEquals(null, writer.write(random.nextBoolean() ? serializer.toBinaryRow(row).copy() : row));
                }
                writer.flush(bytes);
                assertEquals(bytes.length(), reader.read(bytes.bytes(), 0, bytes.length(), in.size()));
                for (int i = 0; i < in.size(); i++) {
                    view.setRowId(i);
                    assertEquals(Rows.plain(in.get(i), types), Rows.plain(view, types), texts::toString);
                    assertEquals(Rows.plain(in.get(i), types), Rows.plain(serializer.toBinaryRow(view), types), texts::toString);
                }
            }
        }
    }

    @Test
    void noDamageLeadsOutOfTheBatch() {
        Random random = new Random(SEED);
        Rows rows = new Rows(random);
        int refused = 0;
        for (int schema = 0; schema < SCHEMAS; schema++) {
            List<LogicalType> types =
                    IntStream.range(0, 1 + random.nextInt(4)).mapToObj(i -> Rows.parse(rows.type())).toList();
            BatchWriter writer = writer(types);
            int count = 1 + random.nextInt(10);
            for (int i = 0; i < count; i++) {
                writer.write(rows.row(types));
            }
            ByteBuilder bytes = new ByteBuilder(8);
            writer.flush(bytes);
            byte[] damaged = Arrays.copyOf(bytes.bytes(), bytes.length());
            // Behind the batch stand other bytes, as in a used buffer: reading them would not fail by itself.
            int end = random.nextBoolean() ? bytes.length() : random.nextInt(bytes.length());
            for (int i = random.nextInt(8); i >= 0; i--) {
                damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
            }
            BatchReader reader = new BatchReader(types);
            try {
                reader.read(damaged, 0, end, count);
            } catch (ProtocolException e) {
                refused++;
            }
        }
        assertEquals(true, refused > SCHEMAS / 4, "refused " + refused);
    }

    @Test
    void nullsInNotNullFieldsAreNamed() {
        for (String type : List.of("INT NOT NULL", "ARRAY<INT NOT NULL> NOT NULL", "ROW<a INT NOT NULL> NOT NULL")) {
            BatchWriter writer = writer(List.of(Rows.parse(type)));
            assertEquals("NULL in the NOT NULL column `c0`", writer.write(GenericRowData.of((Object) null)));
        }
        BatchWriter nested = writer(List.of(Rows.parse("ARRAY<ROW<a MAP<STRING NOT NULL, INT NOT NULL>>>")));
        RowData row = GenericRowData.of(new GenericArrayData(new Object[] {
            GenericRowData.of(new GenericMapData(
                    Collections.singletonMap(StringData.fromString("k"), null)))
        }));
        assertEquals("NULL in the NOT NULL column `c0[].a{value}`", nested.write(row));
    }

    @Test
    void timestampsOutOfRangeAreNamed() {
        BatchWriter writer = writer(List.of(Rows.parse("TIMESTAMP(6)")));
        RowData row = GenericRowData.of(TimestampData.fromEpochMillis(Long.MAX_VALUE / 1000 + 1));
        assertEquals("a TIMESTAMP that is out of range in column `c0`", writer.write(row));
        assertEquals(0, writer.rowCount());
    }

    /** Rows that are refused in their last cell, on top or below, and rows that are taken back. */
    @Test
    void refusedRowsLeaveNothing() {
        Random random = new Random(SEED);
        Rows rows = new Rows(random);
        LogicalType last = Rows.parse("INT NOT NULL");
        for (int schema = 0; schema < SCHEMAS; schema++) {
            List<String> texts = IntStream.range(0, 1 + random.nextInt(4)).mapToObj(i -> rows.type()).toList();
            List<LogicalType> elementTypes = new ArrayList<>(texts.stream().map(Rows::parse).toList());
            elementTypes.add(last);
            List<LogicalType> types = new ArrayList<>(elementTypes);
            types.add(1, new ArrayType(false, RowType.of(false, elementTypes.toArray(new LogicalType[0]))));
            BatchWriter writer = writer(types);
            BatchWriter writerOfGood = writer(types);
            BatchReader reader = new BatchReader(types);
            ColumnarRowData view = new ColumnarRowData(new VectorizedColumnBatch(reader.vectors()));
            for (int batch = 0; batch < 3; batch++) {
                List<RowData> good = new ArrayList<>();
                for (int i = random.nextInt(40); i > 0; i--) {
                    GenericRowData row = (GenericRowData) rows.row(types);
                    int fate = random.nextInt(4);
                    if (fate == 0) {
                        row.setField(types.size() - 1, null);
                        assertEquals("NULL in the NOT NULL column `c" + (types.size() - 1) + "`", writer.write(row));
                    } else if (fate == 1) {
                        GenericRowData element = (GenericRowData) rows.row(elementTypes);
                        element.setField(elementTypes.size() - 1, null);
                        row.setField(1, new GenericArrayData(new Object[] {rows.row(elementTypes), element}));
                        assertEquals("NULL in the NOT NULL column `c1[].f" + (elementTypes.size() - 1) + "`", writer.write(row));
                    } else {
                        assertEquals(null, writer.write(row));
                        if (fate == 2) {
                            writer.dropLast();
                        } else {
                            good.add(row);
                            writerOfGood.write(row);
                        }
                    }
                    assertEquals(writerOfGood.bytes(), writer.bytes());
                }
                ByteBuilder bytes = new ByteBuilder(8);
                writer.flush(bytes);
                writerOfGood.flush(new ByteBuilder(8));
                assertEquals(bytes.length(), reader.read(bytes.bytes(), 0, bytes.length(), good.size()));
                for (int i = 0; i < good.size(); i++) {
                    view.setRowId(i);
                    assertEquals(Rows.plain(good.get(i), types), Rows.plain(view, types), texts::toString);
                }
            }
        }
    }

    @Test
    void framesHaveALimit() {
        BatchWriter writer = writer(List.of(Rows.parse("BYTES")));
        byte[] large = new byte[Limits.MAX_FRAME_BYTES - 64];
        RowData row = GenericRowData.of((Object) large);
        writer.write(row);
        assertThrows(DiagnosticException.class, () -> writer.write(row));
    }

    private static BatchWriter writer(List<LogicalType> types) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            names.add("c" + i);
        }
        return new BatchWriter(types, names, IntStream.range(0, types.size()).toArray());
    }
}
