package org.flinkwasm.runtime.operator;

import org.apache.flink.table.types.logical.LogicalType;

import java.util.List;
import java.util.stream.Collectors;

/** What the keys of a stream are in memory. */
enum RowKeyKind {
    /** One column of 64-bit numbers: a {@link Long}. */
    LONG,
    /** One column of 32-bit numbers or dates: an {@link Integer}. */
    INT,
    /** A {@link RowKey}. */
    ROW;

    /** Names the columns' types, as it stands in savepoints; whether they are NOT NULL is no part of it. */
    static String schema(List<LogicalType> types) {
        return types.stream().map(type -> type.copy(true).asSerializableString()).collect(Collectors.joining(","));
    }

    static RowKeyKind of(String schema) {
        switch (schema) {
            case "BIGINT":
                return LONG;
            case "INT":
            case "DATE":
                return INT;
            default:
                return ROW;
        }
    }
}
