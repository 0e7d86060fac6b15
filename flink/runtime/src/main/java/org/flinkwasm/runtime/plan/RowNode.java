package org.flinkwasm.runtime.plan;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.plan.Plan.Function;
import org.flinkwasm.runtime.plan.Plan.Step;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Lays the operator of a map or filter function. */
final class RowNode extends WasmNode {
    private final List<Column> kept = new ArrayList<>();
    private final List<RowType.RowField> resultFields = new ArrayList<>();
    private final List<ResultColumn> result = new ArrayList<>();
    private String rowtime;

    RowNode(StreamTableEnvironment tables, Step step, Function function) {
        super(tables, step, function);
    }

    @Override
    Kind kind() {
        return "keep".equals(step.output()) ? Kind.FILTER : "flag".equals(step.output()) ? Kind.FLAG : Kind.MAP;
    }

    @Override
    void resolve() {
        if (!kind().wireName().equals(function.kind())) {
            throw new DiagnosticException(new Diagnostic(
                    ErrorCode.INTERNAL,
                    "the plan asks the " + function.kind() + " function `" + step.function() + "` for output `" + step.output() + "`"));
        }
        if ("replace".equals(step.output())) {
            selectArguments();
            addReplies("", List.of());
            return;
        }
        selectAll();
        selectArguments();
        List<String> replaced = new ArrayList<>();
        if ("append".equals(step.output())) {
            function.output().forEach(field -> replaced.add(prefix() + field.name()));
        }
        for (int i = 0; i < names.size(); i++) {
            int reply = replaced.indexOf(names.get(i));
            int argument = argumentOf(i);
            if (reply >= 0) {
                addResult(names.get(i), SqlTypes.parse(function.output().get(reply).type()), Origin.REPLY, reply);
            } else if (argument >= 0) {
                addResult(names.get(i), types.get(i), Origin.ARGUMENT, argument);
            } else {
                addResult(names.get(i), types.get(i), Origin.KEPT, kept.size());
                kept.add(new Column(names.get(i), selection.typeAt(i), i));
            }
        }
        if ("append".equals(step.output())) {
            addReplies(prefix(), names);
        } else if ("flag".equals(step.output())) {
            addResult(step.prefix(), new BooleanType(false), Origin.REPLY, 0);
        }
        findRowtime();
    }

    private String prefix() {
        return step.prefix() == null ? "" : step.prefix();
    }

    /** The argument that a column is given to as it is; -1 if none. */
    private int argumentOf(int column) {
        for (int i = arguments.size() - 1; i >= 0; i--) {
            if (arguments.get(i).position() == column) {
                return i;
            }
        }
        return -1;
    }

    /** Adds the function's output fields that take no column's place. */
    private void addReplies(String prefix, List<String> taken) {
        for (int i = 0; i < function.output().size(); i++) {
            String name = prefix + function.output().get(i).name();
            if (!taken.contains(name)) {
                addResult(name, SqlTypes.parse(function.output().get(i).type()), Origin.REPLY, i);
            }
        }
    }

    private void addResult(String name, LogicalType type, Origin origin, int index) {
        resultFields.add(new RowType.RowField(name, LogicalTypeUtils.removeTimeAttributes(type)));
        result.add(new ResultColumn(origin, index));
    }

    /** The event-time attribute stays one when its column comes through as it was. */
    private void findRowtime() {
        int column = selection.rowtime();
        if (column >= 0 && result.get(column).origin() != Origin.REPLY) {
            rowtime = names.get(column);
        }
    }

    @Override
    RowType resultType() {
        return new RowType(false, resultFields);
    }

    @Override
    String rowtime() {
        return rowtime;
    }

    @Override
    List<Column> kept() {
        return kept;
    }

    @Override
    List<ResultColumn> result() {
        return result;
    }

    @Override
    Keyed keyed() {
        return null;
    }

    @Override
    DataStream<RowData> distribute(DataStream<RowData> rows) {
        return rows;
    }

    @Override
    Map<String, Table> sideOutputs(SingleOutputStreamOperator<RowData> rows) {
        return Map.of();
    }
}
