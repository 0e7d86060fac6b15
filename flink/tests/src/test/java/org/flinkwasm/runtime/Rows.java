package org.flinkwasm.runtime;

import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Random rows of random types, and rows as plain values that can be compared. */
public final class Rows {
    private static final List<String> SIMPLE = List.of(
            "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(1, 0)", "DECIMAL(18, 6)", "DECIMAL(19, 0)",
            "DECIMAL(38, 18)", "CHAR(3)", "VARCHAR(9)", "STRING", "BINARY(2)", "VARBINARY(7)", "BYTES", "DATE", "TIME(0)", "TIME(3)",
            "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(4)", "TIMESTAMP(6)", "TIMESTAMP(7)", "TIMESTAMP(9)", "TIMESTAMP_LTZ(0)",
            "TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(6)", "TIMESTAMP_LTZ(9)");
    private static final int MAX_DEPTH = 3;

    private final Random random;

    public Rows(Random random) {
        this.random = random;
    }

    public static LogicalType parse(String type) {
        return LogicalTypeParser.parse(type, Rows.class.getClassLoader());
    }

    /** A SQL type, nested at times. */
    public String type() {
        return type(0) + (random.nextBoolean() ? " NOT NULL" : "");
    }

    private String type(int depth) {
        int choice = depth == MAX_DEPTH ? 9 : random.nextInt(10);
        switch (choice) {
            case 0:
                return "ARRAY<" + type(depth + 1) + (random.nextBoolean() ? " NOT NULL>" : ">");
            case 1:
                return "MAP<" + SIMPLE.get(random.nextInt(SIMPLE.size())) + " NOT NULL, " + type(depth + 1) + ">";
            case 2:
                List<String> fields = new ArrayList<>();
                for (int i = random.nextInt(3); i >= 0; i--) {
                    fields.add("f" + i + " " + type(depth + 1) + (random.nextBoolean() ? " NOT NULL" : ""));
                }
                return "ROW<" + String.join(", ", fields) + ">";
            default:
                return SIMPLE.get(random.nextInt(SIMPLE.size()));
        }
    }

    public RowData row(List<LogicalType> types) {
        GenericRowData row = new GenericRowData(types.size());
        for (int i = 0; i < types.size(); i++) {
            row.setField(i, value(types.get(i)));
        }
        return row;
    }

    private Object value(LogicalType type) {
        if (type.isNullable() && random.nextInt(4) == 0) {
            return null;
        }
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return random.nextBoolean();
            case TINYINT:
                return (byte) number(Byte.MIN_VALUE, Byte.MAX_VALUE);
            case SMALLINT:
                return (short) number(Short.MIN_VALUE, Short.MAX_VALUE);
            case INTEGER:
                return (int) number(Integer.MIN_VALUE, Integer.MAX_VALUE);
            case BIGINT:
                return number(Long.MIN_VALUE, Long.MAX_VALUE);
            case DATE:
                return (int) number(-719162, 2932896);
            case TIME_WITHOUT_TIME_ZONE:
                return (int) number(0, 86_399) * 1000 + (LogicalTypeChecks.getPrecision(type) == 0 ? 0 : random.nextInt(1000));
            case FLOAT:
                return random.nextInt(3) == 0 ? Float.NEGATIVE_INFINITY : random.nextFloat();
            case DOUBLE:
                return random.nextInt(3) == 0 ? Double.NaN : random.nextDouble();
            case DECIMAL:
                return decimal(LogicalTypeChecks.getPrecision(type), LogicalTypeChecks.getScale(type));
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return timestamp(LogicalTypeChecks.getPrecision(type));
            case CHAR:
            case VARCHAR:
                int length = Math.min(LogicalTypeChecks.getLength(type), 12);
                StringBuilder text = new StringBuilder();
                for (int i = type.is(LogicalTypeRoot.CHAR) ? length : random.nextInt(length + 1); i > 0; i--) {
                    text.appendCodePoint("aé€\0x".codePointAt(random.nextInt(5)));
                }
                return StringData.fromString(text.toString());
            case BINARY:
            case VARBINARY:
                int size = Math.min(LogicalTypeChecks.getLength(type), 12);
                byte[] bytes = new byte[type.is(LogicalTypeRoot.BINARY) ? size : random.nextInt(size + 1)];
                random.nextBytes(bytes);
                return bytes;
            case ARRAY:
                Object[] elements = new Object[random.nextInt(4)];
                Arrays.setAll(elements, i -> value(((ArrayType) type).getElementType()));
                return new GenericArrayData(elements);
            case MAP:
                Map<Object, Object> entries = new LinkedHashMap<>();
                for (int i = random.nextInt(3); i > 0; i--) {
                    entries.put(value(((MapType) type).getKeyType()), value(((MapType) type).getValueType()));
                }
                return new GenericMapData(entries);
            case ROW:
                return row(((RowType) type).getChildren());
            default:
                throw new AssertionError(type);
        }
    }

    private long number(long least, long greatest) {
        switch (random.nextInt(4)) {
            case 0:
                return least;
            case 1:
                return greatest;
            default:
                return random.nextLong(least, greatest);
        }
    }

    private DecimalData decimal(int precision, int scale) {
        BigInteger greatest = BigInteger.TEN.pow(precision).subtract(BigInteger.ONE);
        BigInteger unscaled = random.nextInt(4) == 0 ? greatest : new BigInteger(130, random).mod(greatest);
        return DecimalData.fromBigDecimal(
                new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), scale), precision, scale);
    }

    private TimestampData timestamp(int precision) {
        LocalDateTime time = LocalDateTime.of((int) number(1, 9999), 1 + random.nextInt(12), 1 + random.nextInt(28), 23, 59, 59);
        int unit = (int) Math.pow(10, 9 - precision);
        int nanos = random.nextInt(3) == 0 ? 999_999_999 : random.nextInt(1_000_000_000);
        return TimestampData.fromLocalDateTime(time.withNano(nanos / unit * unit));
    }

    /** A row as lists of plain values. */
    public static List<Object> plain(RowData row, List<LogicalType> types) {
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            values.add(plain(RowData.createFieldGetter(types.get(i), i).getFieldOrNull(row), types.get(i)));
        }
        return values;
    }

    private static Object plain(Object value, LogicalType type) {
        if (value instanceof RowData row) {
            return plain(row, ((RowType) type).getChildren());
        } else if (value instanceof ArrayData array) {
            return plain(array, ((ArrayType) type).getElementType());
        } else if (value instanceof MapData map) {
            List<Object> keys = plain(map.keyArray(), ((MapType) type).getKeyType());
            List<Object> values = plain(map.valueArray(), ((MapType) type).getValueType());
            List<Object> entries = new ArrayList<>();
            for (int i = 0; i < map.size(); i++) {
                entries.add(List.of(keys.get(i), String.valueOf(values.get(i))));
            }
            // A map has no order.
            entries.sort(Comparator.comparing(Object::toString));
            return entries;
        } else if (value instanceof byte[] bytes) {
            return ByteBuffer.wrap(bytes);
        } else if (value instanceof StringData text) {
            return text.toString();
        }
        return value;
    }

    private static List<Object> plain(ArrayData array, LogicalType element) {
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(element);
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < array.size(); i++) {
            values.add(plain(getter.getElementOrNull(array, i), element));
        }
        return values;
    }
}
