package org.flinkwasm.runtime.plan;

import org.apache.flink.table.api.ApiExpression;
import org.apache.flink.table.expressions.Expression;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.apache.flink.table.types.utils.TypeConversions;

import java.util.ArrayList;
import java.util.List;

import static org.apache.flink.table.api.Expressions.$;

/** The columns of a relation that an operator takes, each once for every type that it is taken as. */
final class Selection {
    private final List<String> names;
    private final List<LogicalType> types;
    /** The stream's timestamp; -1 if it has none. A stream has one: a second time attribute passes as an ordinary column. */
    private final int rowtime;

    private final List<Expression> expressions = new ArrayList<>();
    private final List<RowType.RowField> fields = new ArrayList<>();
    /** For each column of the relation where it is taken as it is; -1 if it is not. */
    private final int[] plain;

    /** A selection of the columns with these names and types, of which none is taken yet. */
    Selection(List<String> names, List<LogicalType> types) {
        this.names = names;
        this.types = types;
        plain = new int[names.size()];
        int first = -1;
        for (int i = names.size() - 1; i >= 0; i--) {
            plain[i] = -1;
            first = LogicalTypeChecks.isRowtimeAttribute(types.get(i)) ? i : first;
        }
        rowtime = first;
    }

    /** The position of the event-time attribute in the relation; -1 if it has none. */
    int rowtime() {
        return rowtime;
    }

    /** Takes a column as it is. Says where. */
    int add(int column) {
        if (plain[column] < 0) {
            LogicalType type = type(column);
            boolean isSecondRowtime = LogicalTypeChecks.isRowtimeAttribute(types.get(column)) && column != rowtime;
            ApiExpression reference = $(names.get(column));
            plain[column] = expressions.size();
            expressions.add(isSecondRowtime
                    ? reference.cast(TypeConversions.fromLogicalToDataType(type)).as(names.get(column))
                    : reference);
            fields.add(new RowType.RowField(names.get(column), type));
        }
        return plain[column];
    }

    /** Takes a column, cast where its values are not those of this type. Says where. */
    int add(int column, LogicalType declared) {
        LogicalType actual = type(column);
        if (SqlTypes.isSame(actual, declared)) {
            return add(column);
        }
        LogicalType target = declared.copy(actual.isNullable());
        String name = helperName();
        expressions.add($(names.get(column)).cast(TypeConversions.fromLogicalToDataType(target)).as(name));
        fields.add(new RowType.RowField(name, target));
        return expressions.size() - 1;
    }

    /** A name for the cast column that no column has. */
    private String helperName() {
        String name = "cast_" + expressions.size();
        while (names.contains(name)) {
            name += "_";
        }
        return name;
    }

    private LogicalType type(int column) {
        return LogicalTypeUtils.removeTimeAttributes(types.get(column));
    }

    Expression[] expressions() {
        return expressions.toArray(new Expression[0]);
    }

    /** The type at a place. */
    LogicalType typeAt(int place) {
        return fields.get(place).getType();
    }

    RowType rowType() {
        return new RowType(false, fields);
    }
}
