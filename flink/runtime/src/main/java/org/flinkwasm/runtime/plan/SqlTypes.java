package org.flinkwasm.runtime.plan;

import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.MultisetType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.table.types.logical.utils.LogicalTypeCasts;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.flinkwasm.runtime.plan.Plan.Field;

import java.util.List;
import java.util.stream.Collectors;

/** SQL types: as text, and whether one fits another. */
final class SqlTypes {
    private static final String PLAIN_NAME = "[A-Za-z_][A-Za-z0-9_]*";

    private SqlTypes() {}

    static LogicalType parse(String text) {
        return LogicalTypeParser.parse(text, SqlTypes.class.getClassLoader());
    }

    static List<LogicalType> parse(List<Field> fields) {
        return fields.stream().map(field -> parse(field.type())).toList();
    }

    /** The types of fields as their declaration writes them. */
    static List<String> texts(List<Field> fields) {
        return fields.stream().map(Field::type).toList();
    }

    /** The type as SQL, without time attributes; {@code STRING} and {@code BYTES} by these names, quotes only where needed. */
    static String toSql(LogicalType type) {
        LogicalType plain = LogicalTypeUtils.removeTimeAttributes(type);
        return sqlOf(plain) + (plain.isNullable() ? "" : " NOT NULL");
    }

    private static String sqlOf(LogicalType type) {
        if (type.is(LogicalTypeRoot.VARCHAR) && LogicalTypeChecks.getLength(type) == VarCharType.MAX_LENGTH) {
            return "STRING";
        } else if (type.is(LogicalTypeRoot.VARBINARY) && LogicalTypeChecks.getLength(type) == VarBinaryType.MAX_LENGTH) {
            return "BYTES";
        } else if (type instanceof ArrayType array) {
            return "ARRAY<" + toSql(array.getElementType()) + ">";
        } else if (type instanceof MultisetType multiset) {
            return "MULTISET<" + toSql(multiset.getElementType()) + ">";
        } else if (type instanceof MapType map) {
            return "MAP<" + toSql(map.getKeyType()) + ", " + toSql(map.getValueType()) + ">";
        } else if (type instanceof RowType row) {
            return row.getFields().stream()
                    .map(field -> name(field.getName()) + " " + toSql(field.getType()))
                    .collect(Collectors.joining(", ", "ROW<", ">"));
        }
        return type.copy(true).asSummaryString();
    }

    /** A name as it stands in SQL. */
    static String name(String name) {
        return name.matches(PLAIN_NAME) ? name : quoted(name);
    }

    static String quoted(String name) {
        return "`" + name.replace("`", "``") + "`";
    }

    /** Whether values of one type are values of the other as they are; NULLs apart, which are checked when they come. */
    static boolean isSame(LogicalType from, LogicalType to) {
        if (isText(from) && to.is(LogicalTypeRoot.VARCHAR) || isBinary(from) && to.is(LogicalTypeRoot.VARBINARY)) {
            return LogicalTypeChecks.getLength(from) <= LogicalTypeChecks.getLength(to);
        }
        if (from.getTypeRoot() != to.getTypeRoot()) {
            return false;
        }
        if (from instanceof ArrayType || from instanceof MapType || from instanceof RowType) {
            List<LogicalType> left = from.getChildren();
            List<LogicalType> right = to.getChildren();
            if (left.size() != right.size()) {
                return false;
            }
            for (int i = 0; i < left.size(); i++) {
                if (!isSame(left.get(i), right.get(i))) {
                    return false;
                }
            }
            return true;
        }
        return from.copy(true).equals(to.copy(true));
    }

    private static boolean isText(LogicalType type) {
        return type.is(LogicalTypeRoot.CHAR) || type.is(LogicalTypeRoot.VARCHAR);
    }

    private static boolean isBinary(LogicalType type) {
        return type.is(LogicalTypeRoot.BINARY) || type.is(LogicalTypeRoot.VARBINARY);
    }

    /** Whether two types mean the same kind of value: what is cast between them is still the same key. */
    static boolean isSameFamily(LogicalType left, LogicalType right) {
        return left.getTypeRoot() == right.getTypeRoot()
                || left.is(LogicalTypeFamily.NUMERIC) && right.is(LogicalTypeFamily.NUMERIC)
                || left.is(LogicalTypeFamily.CHARACTER_STRING) && right.is(LogicalTypeFamily.CHARACTER_STRING)
                || left.is(LogicalTypeFamily.BINARY_STRING) && right.is(LogicalTypeFamily.BINARY_STRING)
                || left.is(LogicalTypeFamily.TIMESTAMP) && right.is(LogicalTypeFamily.TIMESTAMP);
    }

    /** Whether Flink casts without being asked. */
    static boolean isImplicitlyCast(LogicalType from, LogicalType to) {
        return isSame(from, to) || LogicalTypeCasts.supportsImplicitCast(from.copy(true), to.copy(true));
    }
}
