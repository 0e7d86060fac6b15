package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.DistinctType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.MultisetType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

import java.util.List;

/** How the cells of a column are laid out. The ordinals are the numbers of the wire. */
public enum ColumnKind {
    BOOLEAN,
    INT8,
    INT16,
    INT32,
    INT64,
    FLOAT32,
    FLOAT64,
    DECIMAL128,
    VARLEN,
    NESTED,
    ROW;

    /** The kind of a SQL type; null if it has none: a column of such a type can't pass a function. */
    public static ColumnKind of(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return BOOLEAN;
            case TINYINT:
                return INT8;
            case SMALLINT:
                return INT16;
            case INTEGER:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
            case INTERVAL_YEAR_MONTH:
                return INT32;
            case BIGINT:
            case INTERVAL_DAY_TIME:
                return INT64;
            case FLOAT:
                return FLOAT32;
            case DOUBLE:
                return FLOAT64;
            case DECIMAL:
                return DECIMAL128;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return LogicalTypeChecks.getPrecision(type) <= 6 ? INT64 : DECIMAL128;
            case CHAR:
            case VARCHAR:
            case BINARY:
            case VARBINARY:
                return VARLEN;
            case ARRAY:
            case MAP:
            case MULTISET:
                return NESTED;
            case ROW:
            case STRUCTURED_TYPE:
                return ROW;
            case DISTINCT_TYPE:
                return of(((DistinctType) type).getSourceType());
            default:
                return null;
        }
    }

    /** Whether a column of this type, with all below it, has a layout. */
    public static boolean isSupported(LogicalType type) {
        return of(type) != null && children(type).stream().allMatch(ColumnKind::isSupported);
    }

    /** The types of the columns below a column: element; key and value; fields. */
    static List<LogicalType> children(LogicalType type) {
        if (type.is(LogicalTypeRoot.ARRAY)) {
            return List.of(((ArrayType) type).getElementType());
        } else if (type.is(LogicalTypeRoot.MAP)) {
            return List.of(((MapType) type).getKeyType(), ((MapType) type).getValueType());
        } else if (type.is(LogicalTypeRoot.MULTISET)) {
            return List.of(((MultisetType) type).getElementType(), new IntType(false));
        } else if (type.is(LogicalTypeRoot.DISTINCT_TYPE)) {
            return children(((DistinctType) type).getSourceType());
        } else if (type.is(LogicalTypeRoot.ROW) || type.is(LogicalTypeRoot.STRUCTURED_TYPE)) {
            return LogicalTypeChecks.getFieldTypes(type);
        }
        return List.of();
    }

    /** Bytes of one cell; 0 where cells have no common size. */
    int width() {
        switch (this) {
            case INT8:
                return 1;
            case INT16:
                return 2;
            case INT32:
            case FLOAT32:
                return 4;
            case INT64:
            case FLOAT64:
                return 8;
            case DECIMAL128:
                return 16;
            default:
                return 0;
        }
    }
}
