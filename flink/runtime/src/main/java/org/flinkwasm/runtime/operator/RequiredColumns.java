package org.flinkwasm.runtime.operator;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.protocol.BatchWriter;

import java.util.List;

/** Finds a NULL where a function takes none, before the row comes into a bundle. */
final class RequiredColumns {
    private final List<Column> required;
    /** Of the columns with something below that may not be NULL: whether it takes a row is the answer. */
    private final BatchWriter nested;

    RequiredColumns(List<Column> columns) {
        required = columns.stream().filter(column -> !column.type().isNullable()).toList();
        List<Column> withRequiredBelow = columns.stream().filter(column -> hasRequiredBelow(column.type())).toList();
        nested = withRequiredBelow.isEmpty() ? null : AbstractWasmOperator.writer(withRequiredBelow);
    }

    private static boolean hasRequiredBelow(LogicalType type) {
        return type.getChildren().stream().anyMatch(child -> !child.isNullable() || hasRequiredBelow(child));
    }

    /** The field in which a row has such a NULL; null if there is none. */
    String nullIn(RowData row) {
        for (Column column : required) {
            if (row.isNullAt(column.position())) {
                return column.name();
            }
        }
        if (nested == null) {
            return null;
        }
        try {
            return nested.write(row);
        } catch (ArithmeticException e) {
            // A TIMESTAMP that is out of range: the bundle's writer says so.
            return null;
        } finally {
            nested.clear();
        }
    }
}
