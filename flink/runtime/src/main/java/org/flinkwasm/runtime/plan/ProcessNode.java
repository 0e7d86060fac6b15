package org.flinkwasm.runtime.plan;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.apache.flink.util.OutputTag;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.RowKeySelector;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.SideOutput;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.StateKind;
import org.flinkwasm.runtime.plan.Plan.Field;
import org.flinkwasm.runtime.plan.Plan.Function;
import org.flinkwasm.runtime.plan.Plan.Step;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Lays the keyed operator of a process function. */
final class ProcessNode extends WasmNode {
    private static final int ROWTIME_PRECISION = 3;

    /** The key of the stream: the columns of the operator's rows. */
    private final List<Column> keyedBy = new ArrayList<>();

    ProcessNode(StreamTableEnvironment tables, Step step, Function function) {
        super(tables, step, function);
    }

    @Override
    Kind kind() {
        return Kind.PROCESS;
    }

    @Override
    void resolve() {
        if (!kind().wireName().equals(function.kind())) {
            throw new DiagnosticException(new Diagnostic(
                    ErrorCode.INTERNAL, "the plan gives a key to the " + function.kind() + " function `" + step.function() + "`"));
        }
        selectArguments();
        if (selection.rowtime() >= 0) {
            // Without it the stream's rows would have no timestamps.
            selection.add(selection.rowtime());
        }
        List<Field> read = function.key();
        if (!read.isEmpty() && read.size() != step.key().size()) {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.TYPE_MISMATCH,
                            "`" + step.function() + "` reads a key of " + columns(read.size()) + ", but rows are grouped by "
                                    + columns(step.key().size()))
                    .note("its key: " + fields(read)));
        }
        for (int i = 0; i < step.key().size(); i++) {
            String column = step.key().get(i);
            int position = position(column, "unknown column `" + column + "`");
            LogicalType actual = LogicalTypeUtils.removeTimeAttributes(types.get(position));
            LogicalType declared = read.isEmpty() ? actual : declaredKey(read.get(i), position, actual);
            // NULL or not is no part of the type by which Flink compares keys of a savepoint.
            keyedBy.add(new Column(column, declared.copy(true), selection.add(position, declared)));
        }
    }

    private static String columns(int count) {
        return count == 1 ? "1 column" : count + " columns";
    }

    private LogicalType declaredKey(Field field, int position, LogicalType actual) {
        LogicalType declared = SqlTypes.parse(field.type());
        if (!SqlTypes.isSameFamily(actual, declared) || !SqlTypes.isImplicitlyCast(actual, declared)) {
            String column = names.get(position);
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.TYPE_MISMATCH,
                            "`" + step.function() + "` reads its key `" + field.name() + "` as " + SqlTypes.toSql(declared) + ", but column `"
                                    + column + "` is " + SqlTypes.toSql(actual))
                    .help("cast it before: map `" + column + " = " + cast(position, declared) + "`"));
        }
        return declared;
    }

    @Override
    DataStream<RowData> distribute(DataStream<RowData> rows) {
        RowKeySelector selector = new RowKeySelector(keyedBy);
        return rows.keyBy(selector, selector.keyType());
    }

    @Override
    Keyed keyed() {
        List<Column> read = new ArrayList<>();
        for (int i = 0; i < function.key().size(); i++) {
            read.add(new Column(keyedBy.get(i).name(), SqlTypes.parse(function.key().get(i).type()), i));
        }
        return new Keyed(
                new ArrayList<>(keyedBy.stream().map(column -> SqlTypes.toSql(column.type())).toList()),
                read,
                new ArrayList<>(SqlTypes.texts(function.key())),
                new ArrayList<>(function.states().stream().map(ProcessNode::state).toList()),
                new ArrayList<>(function.sideOutputs().stream().map(ProcessNode::sideOutput).toList()),
                function.timers(),
                keyedBy);
    }

    private static State state(Plan.State state) {
        return new State(state.name(), StateKind.valueOf(state.kind().toUpperCase(Locale.ROOT)), state.schema(), state.ttlMs());
    }

    private static SideOutput sideOutput(Plan.SideOutput side) {
        return new SideOutput(
                side.name(), new ArrayList<>(SqlTypes.texts(side.fields())), new ArrayList<>(SqlTypes.parse(side.fields())));
    }

    @Override
    RowType resultType() {
        return rowType(function.output());
    }

    private static RowType rowType(List<Field> fields) {
        return new RowType(
                false,
                fields.stream().map(field -> new RowType.RowField(field.name(), SqlTypes.parse(field.type()))).toList());
    }

    @Override
    String rowtime() {
        return rowtime(resultType());
    }

    /** The stream keeps its timestamps: a field that is named like the input's event-time attribute, and could be one, is one. */
    private String rowtime(RowType rows) {
        String name = selection.rowtime() < 0 ? null : names.get(selection.rowtime());
        int index = name == null ? -1 : rows.getFieldIndex(name);
        if (index < 0) {
            return null;
        }
        LogicalType type = rows.getTypeAt(index);
        boolean isTimestamp = type.is(LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE) || type.is(LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE);
        return isTimestamp && LogicalTypeChecks.getPrecision(type) == ROWTIME_PRECISION ? name : null;
    }

    @Override
    List<Column> kept() {
        return List.of();
    }

    @Override
    List<ResultColumn> result() {
        return List.of();
    }

    @Override
    Map<String, Table> sideOutputs(SingleOutputStreamOperator<RowData> rows) {
        Map<String, Table> relations = new LinkedHashMap<>();
        for (Plan.SideOutput side : function.sideOutputs()) {
            String relation = step.sideOutputs().get(side.name());
            if (relation != null) {
                RowType type = rowType(side.fields());
                // Tags are the same when their names are; this one names the columns.
                DataStream<RowData> stream = rows.getSideOutput(new OutputTag<>(side.name(), InternalTypeInfo.of(type)));
                relations.put(relation, relation(stream, rowtime(type)));
            }
        }
        return relations;
    }
}
