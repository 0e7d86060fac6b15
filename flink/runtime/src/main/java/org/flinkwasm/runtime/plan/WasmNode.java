package org.flinkwasm.runtime.plan;

import com.google.gson.JsonObject;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.transformations.LegacySourceTransformation;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.apache.flink.table.types.utils.DataTypeUtils;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.DeadLetters;
import org.flinkwasm.runtime.operator.StateDescription;
import org.flinkwasm.runtime.operator.WasmOperatorFactory;
import org.flinkwasm.runtime.operator.WasmOperatorSpec;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.OnError;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.plan.Plan.Field;
import org.flinkwasm.runtime.plan.Plan.Function;
import org.flinkwasm.runtime.plan.Plan.Step;
import org.flinkwasm.runtime.protocol.ColumnKind;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Lays a wasm operator between relations. */
abstract class WasmNode {
    private static final int SHORT_DIGEST = 8;

    private final StreamTableEnvironment tables;
    private final Table input;
    final Step step;
    final Function function;
    final List<String> names;
    final List<LogicalType> types;
    final Selection selection;
    final List<Column> arguments = new ArrayList<>();
    private WasmOperatorSpec spec;

    WasmNode(StreamTableEnvironment tables, Step step, Function function) {
        this.tables = tables;
        this.step = step;
        this.function = function;
        input = tables.from(SqlTypes.quoted(step.input()));
        names = input.getResolvedSchema().getColumnNames();
        types = input.getResolvedSchema().getColumnDataTypes().stream().map(type -> type.getLogicalType()).toList();
        selection = new Selection(names, types);
    }

    /** Finds out what the operator takes and gives. */
    abstract void resolve();

    abstract Kind kind();

    /** The rows that the operator gives. */
    abstract RowType resultType();

    /** The column of the result that is the stream's event time; null if none is. */
    abstract String rowtime();

    /** Columns of the input that are not sent but put out again. */
    abstract List<Column> kept();

    abstract List<ResultColumn> result();

    /** What a process function has besides; null for others. */
    abstract Keyed keyed();

    /** Brings rows to the subtask that they belong to. */
    abstract DataStream<RowData> distribute(DataStream<RowData> rows);

    /** The relations of side outputs. */
    abstract Map<String, Table> sideOutputs(SingleOutputStreamOperator<RowData> rows);

    /** What the operator keeps in Flink; null if nothing. */
    final JsonObject state() {
        return spec.keyed() == null ? null : StateDescription.of(spec);
    }

    /** The relations that the step makes of its input, by name. */
    final Map<String, Table> lay(String bundleDigest, WasmOperatorSpec.Settings settings) {
        boolean hasDeadLetters = policy() == Policy.DEAD_LETTER;
        if (hasDeadLetters) {
            selectAll();
        }
        resolve();
        spec = spec(bundleDigest, settings);
        DataStream<RowData> stream = tables.toDataStream(
                input.select(selection.expressions()), DataTypeUtils.toInternalDataType(selection.rowType()));
        SingleOutputStreamOperator<RowData> rows = distribute(stream)
                .transform(spec.operatorName(), InternalTypeInfo.of(resultType()), factory(spec, stream));
        if (step.uid() != null) {
            rows.uid(step.uid());
        }
        Map<String, Table> relations = new LinkedHashMap<>();
        relations.put(step.name(), relation(rows, rowtime()));
        relations.putAll(sideOutputs(rows));
        if (hasDeadLetters && step.onError().relation() != null) {
            relations.put(step.onError().relation(), relation(rows.getSideOutput(DeadLetters.TAG), null));
        }
        return relations;
    }

    /** A stream as a relation, whose event time is one of its columns if {@code rowtime} names it. */
    final Table relation(DataStream<RowData> rows, String rowtime) {
        return rowtime == null
                ? tables.fromDataStream(rows)
                : tables.fromDataStream(rows, Schema.newBuilder().watermark(rowtime, "SOURCE_WATERMARK()").build());
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

    private WasmOperatorSpec spec(String bundleDigest, WasmOperatorSpec.Settings settings) {
        return new WasmOperatorSpec(
                "wasm " + kind().wireName() + " " + step.function() + "@" + shortDigest(function.component()),
                step.function(),
                function.component(),
                kind(),
                function.parameters().toString(),
                function.limits().toString(),
                new ArrayList<>(SqlTypes.texts(function.input())),
                new ArrayList<>(SqlTypes.texts(function.output())),
                arguments,
                kept(),
                new ArrayList<>(SqlTypes.parse(function.output())),
                result(),
                bundleDigest,
                settings,
                keyed(),
                onError(),
                function.rateLimiters().toString());
    }

    private static String shortDigest(String digest) {
        String hex = digest.substring(digest.indexOf(':') + 1);
        return hex.substring(0, Math.min(SHORT_DIGEST, hex.length()));
    }

    // ---- errors --------------------------------------------------------------------------------------------------------

    private Policy policy() {
        String name = step.onError() == null ? Policy.FAIL.wireName() : step.onError().policy();
        for (Policy policy : Policy.values()) {
            if (policy.wireName().equals(name)) {
                return policy;
            }
        }
        throw new DiagnosticException(new Diagnostic(ErrorCode.NEWER_BUNDLE, "the plan has the unknown error policy `" + name + "`")
                .help("use the flink-wasm that wrote the plan"));
    }

    private OnError onError() {
        if (step.onError() == null) {
            return OnError.FAIL;
        }
        List<Column> row = new ArrayList<>();
        if (policy() == Policy.DEAD_LETTER) {
            for (int i = 0; i < names.size(); i++) {
                row.add(new Column(names.get(i), selection.typeAt(selection.add(i)), selection.add(i)));
            }
        }
        return new OnError(policy(), step.onError().retries(), row);
    }

    // ---- what the function is given ------------------------------------------------------------------------------------

    /** Takes every column as it is, in order. */
    final void selectAll() {
        for (int i = 0; i < names.size(); i++) {
            LogicalType type = LogicalTypeUtils.removeTimeAttributes(types.get(i));
            if (!ColumnKind.isSupported(type)) {
                throw new DiagnosticException(new Diagnostic(
                                ErrorCode.TYPE_MISMATCH,
                                "column `" + names.get(i) + "` of type " + type.asSummaryString() + " can't pass a function in the sandbox")
                        .help("leave the column out before the function"));
            }
            selection.add(i);
        }
    }

    /** Takes what the function is given. */
    final void selectArguments() {
        List<Integer> positions = argumentPositions();
        for (int i = 0; i < positions.size(); i++) {
            LogicalType declared = declaredType(function.input().get(i), positions.get(i));
            arguments.add(new Column(function.input().get(i).name(), declared, selection.add(positions.get(i), declared)));
        }
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
            positions.add(position(
                    column,
                    given == null
                            ? "the function `" + step.function() + "` takes a field `" + column + "`, its input has no such column"
                            : "unknown column `" + column + "`"));
        }
        return positions;
    }

    /** The position of a column in the input. */
    final int position(String column, String unknown) {
        int position = names.indexOf(column);
        if (position < 0) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.UNKNOWN_COLUMN, unknown)
                    .note("columns: " + String.join(", ", names))
                    .identifier(column, names));
        }
        return position;
    }

    static String fields(List<Field> fields) {
        return String.join(", ", fields.stream().map(field -> field.name() + " " + field.type()).toList());
    }

    /** The declared type of an input field, if the column fits it. */
    private LogicalType declaredType(Field field, int position) {
        LogicalType declared = SqlTypes.parse(field.type());
        LogicalType actual = LogicalTypeUtils.removeTimeAttributes(types.get(position));
        if (!SqlTypes.isImplicitlyCast(actual, declared)) {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.TYPE_MISMATCH,
                            "column `" + names.get(position) + "` is " + SqlTypes.toSql(actual) + ", the function `" + step.function()
                                    + "` takes " + SqlTypes.toSql(declared) + " as `" + field.name() + "`")
                    .help(cast(position, declared)));
        }
        return declared;
    }

    final String cast(int position, LogicalType declared) {
        return "CAST(" + SqlTypes.name(names.get(position)) + " AS " + SqlTypes.toSql(declared.copy(true)) + ")";
    }
}
