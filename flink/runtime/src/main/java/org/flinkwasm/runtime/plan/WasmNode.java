package org.flinkwasm.runtime.plan;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.transformations.LegacySourceTransformation;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.expressions.Expression;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.TimestampKind;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.apache.flink.table.types.utils.DataTypeUtils;
import org.apache.flink.table.types.utils.TypeConversions;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.WasmOperatorFactory;
import org.flinkwasm.runtime.operator.WasmOperatorSpec;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.plan.Plan.Field;
import org.flinkwasm.runtime.plan.Plan.Function;
import org.flinkwasm.runtime.plan.Plan.Step;
import org.flinkwasm.runtime.protocol.ColumnKind;

import java.util.ArrayList;
import java.util.List;

import static org.apache.flink.table.api.Expressions.$;

/** Lays a wasm operator between two relations. */
final class WasmNode {
    private static final int SHORT_DIGEST = 8;

    private final Step step;
    private final Function function;
    private final List<String> names;
    private final List<LogicalType> types;

    // The rows that the operator takes.
    private final List<Expression> selection = new ArrayList<>();
    private final List<RowType.RowField> inputFields = new ArrayList<>();
    private final List<Column> arguments = new ArrayList<>();
    private final List<Column> kept = new ArrayList<>();
    /** For each column of the relation the argument that it is given to as it is; -1 if none. */
    private final int[] argumentOf;

    // The rows that it gives.
    private final List<RowType.RowField> resultFields = new ArrayList<>();
    private final List<ResultColumn> result = new ArrayList<>();
    private String rowtime;

    private WasmNode(Step step, Function function, Table input) {
        this.step = step;
        this.function = function;
        names = input.getResolvedSchema().getColumnNames();
        types = input.getResolvedSchema().getColumnDataTypes().stream().map(type -> type.getLogicalType()).toList();
        argumentOf = new int[names.size()];
    }

    /** The relation that the step makes of its input. */
    static Table translate(
            StreamTableEnvironment tables,
            Step step,
            Function function,
            String bundleDigest,
            WasmOperatorSpec.Settings settings) {
        Table input = tables.from(SqlTypes.quoted(step.input()));
        WasmNode node = new WasmNode(step, function, input);
        node.resolve();
        Table selected = input.select(node.selection.toArray(new Expression[0]));
        RowType inputType = new RowType(false, node.inputFields);
        DataStream<RowData> stream = tables.toDataStream(selected, DataTypeUtils.toInternalDataType(inputType));
        WasmOperatorSpec spec = node.spec(bundleDigest, settings);
        SingleOutputStreamOperator<RowData> rows = stream.transform(
                spec.operatorName(), InternalTypeInfo.of(new RowType(false, node.resultFields)), factory(spec, stream));
        if (step.uid() != null) {
            rows.uid(step.uid());
        }
        if (node.rowtime == null) {
            return tables.fromDataStream(rows);
        }
        return tables.fromDataStream(
                rows, Schema.newBuilder().watermark(node.rowtime, "SOURCE_WATERMARK()").build());
    }

    /**
     * A legacy source has a thread of its own, which must not run an operator that waits in the mailbox: Flink knows that of its own operators
     * by an interface whose package differs between 1.20 and 2.x.
     */
    private static WasmOperatorFactory factory(WasmOperatorSpec spec, DataStream<RowData> input) {
        WasmOperatorFactory factory = new WasmOperatorFactory(spec);
        boolean hasLegacySource = input.getTransformation().getTransitivePredecessors().stream()
                .anyMatch(transformation -> transformation instanceof LegacySourceTransformation);
        factory.setChainingStrategy(hasLegacySource ? ChainingStrategy.HEAD : ChainingStrategy.ALWAYS);
        return factory;
    }

    private void resolve() {
        boolean isFilter = "filter".equals(function.kind());
        boolean wantsFilter = "keep".equals(step.output()) || "flag".equals(step.output());
        if (isFilter != wantsFilter) {
            throw new DiagnosticException(new Diagnostic(
                    ErrorCode.INTERNAL,
                    "the plan asks the " + function.kind() + " function `" + step.function() + "` for output `" + step.output() + "`"));
        }
        List<Integer> positions = argumentPositions();
        if ("replace".equals(step.output())) {
            selectArguments(positions);
            addReplies("", List.of());
            return;
        }
        selectAll(positions);
        List<String> replaced = new ArrayList<>();
        if ("append".equals(step.output())) {
            function.output().forEach(field -> replaced.add(prefix() + field.name()));
        }
        for (int i = 0; i < names.size(); i++) {
            int reply = replaced.indexOf(names.get(i));
            if (reply >= 0) {
                addResult(names.get(i), SqlTypes.parse(function.output().get(reply).type()), Origin.REPLY, reply);
            } else if (argumentOf[i] >= 0) {
                addResult(names.get(i), types.get(i), Origin.ARGUMENT, argumentOf[i]);
            } else {
                addResult(names.get(i), types.get(i), Origin.KEPT, kept.size());
                kept.add(new Column(names.get(i), inputFields.get(i).getType(), i));
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

    /** For each input field of the function the column that it is given. */
    private List<Integer> argumentPositions() {
        List<String> given = step.arguments();
        if (given != null && given.size() != function.input().size()) {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.WRONG_ARGUMENTS,
                            "the function `" + step.function() + "` takes " + function.input().size() + " arguments, "
                                    + given.size() + " are given")
                    .note("its input: " + fields(function.input())));
        }
        List<Integer> positions = new ArrayList<>();
        for (int i = 0; i < function.input().size(); i++) {
            String column = given == null ? function.input().get(i).name() : given.get(i);
            int position = names.indexOf(column);
            if (position < 0) {
                throw new DiagnosticException(new Diagnostic(
                                ErrorCode.UNKNOWN_COLUMN,
                                given == null
                                        ? "the function `" + step.function() + "` takes a field `" + column + "`, its input has no such column"
                                        : "unknown column `" + column + "`")
                        .note("columns: " + String.join(", ", names))
                        .identifier(column, names));
            }
            positions.add(position);
        }
        return positions;
    }

    private static String fields(List<Field> fields) {
        return String.join(", ", fields.stream().map(field -> field.name() + " " + field.type()).toList());
    }

    private void selectArguments(List<Integer> positions) {
        for (int i = 0; i < positions.size(); i++) {
            LogicalType declared = declaredType(i, positions.get(i));
            select("f" + i, positions.get(i), declared);
            arguments.add(new Column(function.input().get(i).name(), declared, i));
        }
    }

    private void selectAll(List<Integer> positions) {
        int rowtimes = 0;
        for (int i = 0; i < names.size(); i++) {
            argumentOf[i] = -1;
            LogicalType type = LogicalTypeUtils.removeTimeAttributes(types.get(i));
            if (!ColumnKind.isSupported(type)) {
                throw new DiagnosticException(new Diagnostic(
                                ErrorCode.TYPE_MISMATCH,
                                "column `" + names.get(i) + "` of type " + type.asSummaryString() + " can't pass a function in the sandbox")
                        .help("leave the column out before the function"));
            }
            // A stream has one timestamp: a second time attribute passes as an ordinary column.
            boolean isSecondRowtime = LogicalTypeChecks.isRowtimeAttribute(types.get(i)) && rowtimes++ > 0;
            Expression column = $(names.get(i));
            selection.add(isSecondRowtime
                    ? $(names.get(i)).cast(TypeConversions.fromLogicalToDataType(type)).as(names.get(i))
                    : column);
            inputFields.add(new RowType.RowField(names.get(i), type));
        }
        for (int i = 0; i < positions.size(); i++) {
            int position = positions.get(i);
            LogicalType declared = declaredType(i, position);
            int at = position;
            if (SqlTypes.isSame(types.get(position), declared)) {
                argumentOf[position] = i;
            } else {
                at = selection.size();
                select(helperName(i), position, declared);
            }
            arguments.add(new Column(function.input().get(i).name(), declared, at));
        }
    }

    /** A name for the cast argument that no column has. */
    private String helperName(int argument) {
        String name = "argument_" + argument;
        while (names.contains(name)) {
            name += "_";
        }
        return name;
    }

    /** Selects a column under another name, cast where its type is not the declared one. */
    private void select(String name, int position, LogicalType declared) {
        LogicalType actual = LogicalTypeUtils.removeTimeAttributes(types.get(position));
        if (SqlTypes.isSame(actual, declared)) {
            selection.add($(names.get(position)).as(name));
            inputFields.add(new RowType.RowField(name, actual));
        } else {
            LogicalType target = declared.copy(actual.isNullable());
            selection.add($(names.get(position)).cast(TypeConversions.fromLogicalToDataType(target)).as(name));
            inputFields.add(new RowType.RowField(name, target));
        }
    }

    /** The declared type of an input field, if the column fits it. */
    private LogicalType declaredType(int argument, int position) {
        Field field = function.input().get(argument);
        LogicalType declared = SqlTypes.parse(field.type());
        LogicalType actual = LogicalTypeUtils.removeTimeAttributes(types.get(position));
        if (!SqlTypes.isImplicitlyCast(actual, declared)) {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.TYPE_MISMATCH,
                            "column `" + names.get(position) + "` is " + SqlTypes.toSql(actual) + ", the function `" + step.function()
                                    + "` takes " + SqlTypes.toSql(declared) + " as `" + field.name() + "`")
                    .help("CAST(" + SqlTypes.name(names.get(position)) + " AS " + SqlTypes.toSql(declared.copy(true)) + ")"));
        }
        return declared;
    }

    /** Adds the function's output fields that take no column's place. */
    private void addReplies(String prefix, List<String> taken) {
        for (int i = 0; i < function.output().size(); i++) {
            Field field = function.output().get(i);
            if (!taken.contains(prefix + field.name())) {
                addResult(prefix + field.name(), SqlTypes.parse(field.type()), Origin.REPLY, i);
            }
        }
    }

    private void addResult(String name, LogicalType type, Origin origin, int index) {
        resultFields.add(new RowType.RowField(name, LogicalTypeUtils.removeTimeAttributes(type)));
        result.add(new ResultColumn(origin, index));
    }

    /** The event-time attribute stays one when its column comes through as it was. */
    private void findRowtime() {
        for (int i = 0; i < names.size(); i++) {
            if (LogicalTypeChecks.isTimeAttribute(types.get(i))
                    && LogicalTypeChecks.isRowtimeAttribute(types.get(i))
                    && result.get(i).origin() != Origin.REPLY) {
                rowtime = names.get(i);
                return;
            }
        }
    }

    private WasmOperatorSpec spec(String bundleDigest, WasmOperatorSpec.Settings settings) {
        Kind kind = "keep".equals(step.output()) ? Kind.FILTER : "flag".equals(step.output()) ? Kind.FLAG : Kind.MAP;
        return new WasmOperatorSpec(
                "wasm " + kind.wireName() + " " + step.function() + "@" + shortDigest(function.component()),
                step.function(),
                function.component(),
                kind,
                function.parameters() == null ? "{}" : function.parameters().toString(),
                function.limits() == null ? "{}" : function.limits().toString(),
                new ArrayList<>(function.input().stream().map(Field::type).toList()),
                new ArrayList<>(outputTypes()),
                arguments,
                kept,
                new ArrayList<>(outputTypes().stream().map(SqlTypes::parse).toList()),
                result,
                bundleDigest,
                settings);
    }

    private List<String> outputTypes() {
        return function.output() == null ? List.of() : function.output().stream().map(Field::type).toList();
    }

    private static String shortDigest(String digest) {
        String hex = digest.substring(digest.indexOf(':') + 1);
        return hex.substring(0, Math.min(SHORT_DIGEST, hex.length()));
    }
}
