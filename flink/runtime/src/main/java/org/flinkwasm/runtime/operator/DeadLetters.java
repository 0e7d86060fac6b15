package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.serialization.RuntimeContextInitializationContextAdapters;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.formats.json.JsonFormatOptions.MapNullKeyMode;
import org.apache.flink.formats.json.JsonRowDataSerializationSchema;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.OutputTag;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.protocol.BatchReader;
import org.flinkwasm.runtime.protocol.BatchWriter;

import java.util.List;

/** Keeps every column of the rows that are with the sidecar, and makes dead letters of those that fail. */
public final class DeadLetters {
    private static final LogicalType TEXT = new VarCharType(false, VarCharType.MAX_LENGTH);

    /** The columns of a dead letter. */
    public static final RowType ROW_TYPE = RowType.of(
            false,
            new LogicalType[] {TEXT, TEXT, TEXT, TEXT, TEXT, new LocalZonedTimestampType(false, 3)},
            new String[] {"row", "error", "code", "function", "digest", "failed_at"});

    /** The stream's name within Flink; no side output can have it, since it is no name of a field in Rust. */
    public static final OutputTag<RowData> TAG = new OutputTag<>("dead letters", InternalTypeInfo.of(ROW_TYPE));

    private final WasmOperatorSpec spec;
    private final BatchWriter writer;
    private final BatchReader reader;
    private final ColumnarRowData row;
    private final RowData.FieldGetter[] getters;
    private final JsonRowDataSerializationSchema rowJson;
    private final JsonRowDataSerializationSchema timerJson;
    private Bundle shown;

    DeadLetters(WasmOperatorSpec spec, RuntimeContext context) throws Exception {
        this.spec = spec;
        List<Column> columns = spec.onError().row().stream().map(Column::nullable).toList();
        writer = AbstractWasmOperator.writer(columns);
        reader = new BatchReader(columns.stream().map(Column::type).toList());
        row = new ColumnarRowData(new VectorizedColumnBatch(reader.vectors()));
        getters = columns.stream()
                .map(column -> RowData.createFieldGetter(column.type(), column.position()))
                .toArray(RowData.FieldGetter[]::new);
        rowJson = json(rowType(columns), context);
        timerJson = spec.keyed() == null
                ? null
                : json(
                        RowType.of(
                                false,
                                new LogicalType[] {rowType(spec.keyed().keyColumns()), new BigIntType(false), TEXT},
                                new String[] {"key", "timer", "domain"}),
                        context);
    }

    private static RowType rowType(List<Column> columns) {
        return new RowType(
                false, columns.stream().map(column -> new RowType.RowField(column.name(), column.type())).toList());
    }

    private JsonRowDataSerializationSchema json(RowType type, RuntimeContext context) throws Exception {
        JsonRowDataSerializationSchema json;
        try {
            json = new JsonRowDataSerializationSchema(type, TimestampFormat.ISO_8601, MapNullKeyMode.LITERAL, "null", true, false);
        } catch (UnsupportedOperationException e) {
            throw new WasmFunctionException(new Diagnostic(
                            ErrorCode.TYPE_MISMATCH, "a row can't become a dead letter, since JSON has no such column: " + e.getMessage())
                    .function(spec.function(), spec.component())
                    .help("leave the column out before the function, or let `onError` be `skip`"));
        }
        json.open(RuntimeContextInitializationContextAdapters.serializationAdapter(context));
        return json;
    }

    /** Keeps the rows of the open bundle. */
    BatchWriter writer() {
        return writer;
    }

    /** Keeps the rows with their bundle, and starts the next. */
    void flush(Bundle bundle) {
        bundle.input.clear();
        writer.flush(bundle.input);
        shown = null;
    }

    /** The dead letter of a row that comes into no bundle. */
    RowData ofInput(RowData input, String code, String message, long now) {
        GenericRowData columns = new GenericRowData(getters.length);
        for (int i = 0; i < getters.length; i++) {
            columns.setField(i, getters[i].getFieldOrNull(input));
        }
        return letter(rowJson, columns, code, message, now);
    }

    /** The dead letter of a row. */
    RowData ofRow(Bundle bundle, int index, String code, String message, long now) {
        if (shown != bundle) {
            reader.read(bundle.input.bytes(), 0, bundle.input.length(), bundle.rows);
            shown = bundle;
        }
        row.setRowId(index);
        return letter(rowJson, row, code, message, now);
    }

    /** The dead letter of a timer. */
    RowData ofTimer(RowData key, long timestamp, String domain, String code, String message, long now) {
        return letter(timerJson, GenericRowData.of(key, timestamp, StringData.fromString(domain)), code, message, now);
    }

    private RowData letter(JsonRowDataSerializationSchema json, RowData what, String code, String message, long now) {
        return GenericRowData.of(
                StringData.fromBytes(json.serialize(what)),
                StringData.fromString(message),
                StringData.fromString(code),
                StringData.fromString(spec.function()),
                StringData.fromString(spec.component()),
                TimestampData.fromEpochMillis(now));
    }
}
