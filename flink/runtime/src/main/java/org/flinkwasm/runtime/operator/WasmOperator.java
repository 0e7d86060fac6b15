package org.flinkwasm.runtime.operator;

import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.BooleanColumnVector;
import org.apache.flink.table.data.columnar.vector.ColumnVector;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.protocol.BatchReader;
import org.flinkwasm.runtime.protocol.BatchWriter;
import org.flinkwasm.runtime.protocol.ByteBuilder;
import org.flinkwasm.runtime.protocol.ProtocolException;
import org.flinkwasm.runtime.protocol.Reply;
import org.flinkwasm.runtime.protocol.SidecarConnection;

import java.util.List;

/**
 * Runs a map or filter function of a WebAssembly component on every row: rows go to the sidecar in bundles and come back in order.
 *
 * <p>Rows are copied into columns when they come and put out as views of columns: no object is made or held for a row.
 */
public final class WasmOperator extends AbstractWasmOperator<Bundle> {
    private static final long serialVersionUID = 1L;

    // The open bundle.
    private transient BatchWriter arguments;
    private transient BatchWriter kept;

    // The bundle that is put out.
    private transient BatchReader argumentReader;
    private transient BatchReader keptReader;
    private transient BatchReader outputReader;
    private transient Reply reply;
    private transient ColumnarRowData resultRow;
    private transient StreamRecord<RowData> resultRecord;

    WasmOperator(StreamOperatorParameters<RowData> parameters, WasmOperatorSpec spec) {
        super(parameters, spec);
    }

    @Override
    Bundle newBundle() {
        return new Bundle();
    }

    @Override
    void openFunction() {
        arguments = writer(spec.arguments());
        List<Column> keptColumns = spec.kept().stream().map(Column::nullable).toList();
        if (keptColumns.isEmpty()) {
            writeRowsTo(arguments);
        } else {
            kept = writer(keptColumns);
            keptReader = reader(keptColumns);
            writeRowsTo(arguments, kept);
        }
        openResult();
    }

    private static BatchReader reader(List<Column> columns) {
        return new BatchReader(columns.stream().map(Column::type).toList());
    }

    private void openResult() {
        List<ResultColumn> result = spec.result();
        boolean showsArguments = result.stream().anyMatch(column -> column.origin() == Origin.ARGUMENT);
        argumentReader = showsArguments ? reader(spec.arguments()) : null;
        outputReader = new BatchReader(spec.output());
        reply = new Reply(spec.kind() != Kind.MAP);
        ColumnVector[] fromArguments = showsArguments ? argumentReader.vectors() : null;
        ColumnVector[] fromKept = kept == null ? null : keptReader.vectors();
        ColumnVector[] fromReply =
                spec.kind() == Kind.FLAG ? new ColumnVector[] {new FlagVector(reply)} : outputReader.vectors();
        ColumnVector[] columns = new ColumnVector[result.size()];
        for (int i = 0; i < columns.length; i++) {
            ResultColumn column = result.get(i);
            switch (column.origin()) {
                case ARGUMENT:
                    columns[i] = fromArguments[column.index()];
                    break;
                case KEPT:
                    columns[i] = fromKept[column.index()];
                    break;
                default:
                    columns[i] = fromReply[column.index()];
            }
        }
        resultRow = new ColumnarRowData(new VectorizedColumnBatch(columns));
        resultRecord = new StreamRecord<>(resultRow);
    }

    /** What a filter function said, as a column. */
    private record FlagVector(Reply reply) implements BooleanColumnVector {
        @Override
        public boolean getBoolean(int i) {
            return reply.keeps(i);
        }

        @Override
        public boolean isNullAt(int i) {
            return false;
        }
    }

    @Override
    public void processElement(StreamRecord<RowData> element) throws Exception {
        String problem = write(element.getValue());
        if (problem != null) {
            refuse(element, problem);
            return;
        }
        openBundle().addRow(timestamp(element));
        sendIfDue(false, kept == null ? arguments.bytes() : arguments.bytes() + kept.bytes());
    }

    @Override
    void writeFrame(Bundle bundle, long processingTime) {
        bundle.batchStart =
                SidecarConnection.writeBundle(bundle.frame, bundle.id, processingTime, bundle.watermark, arguments);
        if (kept != null) {
            bundle.kept.clear();
            kept.flush(bundle.kept);
        }
    }

    @Override
    public void onQuestion(long id, ByteBuilder payload) {
        throw failed(ProtocolException.violation("a question for state came, a " + spec.kind().wireName() + " has none"));
    }

    @Override
    void complete(Bundle bundle) throws Exception {
        read(bundle);
        handle(reply.failures(), bundle);
        if (reply.failures().count() > 0) {
            completeWithFailures(bundle);
            return;
        }
        int emissions = spec.kind() == Kind.MAP ? reply.emissionCount() : 1;
        int row = 0;
        int control = 0;
        for (int emission = 0; emission < emissions; emission++) {
            int end = spec.kind() == Kind.MAP ? reply.show(emission, outputReader) : bundle.rows;
            for (; row < end; row++) {
                control = emitControlsBefore(bundle, control, row);
                emitRow(bundle, row);
            }
        }
        emitControlsBefore(bundle, control, Integer.MAX_VALUE);
    }

    /** The same, where rows are missing from the answer. */
    private void completeWithFailures(Bundle bundle) throws Exception {
        int control = 0;
        if (spec.kind() == Kind.MAP) {
            for (int emission = 0; emission < reply.emissionCount(); emission++) {
                reply.show(emission, outputReader);
                for (int index = 0; index < reply.shownRows(); index++) {
                    int row = reply.showRow(index, outputReader);
                    control = emitControlsBefore(bundle, control, row);
                    emitRow(bundle, row);
                }
            }
        } else {
            int failure = 0;
            for (int row = 0; row < bundle.rows; row++) {
                control = emitControlsBefore(bundle, control, row);
                if (failure < reply.failures().count() && reply.failures().row(failure) == row) {
                    failure++;
                } else {
                    emitRow(bundle, row);
                }
            }
        }
        emitControlsBefore(bundle, control, Integer.MAX_VALUE);
    }

    /** Puts out what stood before a row, and says which control is the next. */
    private int emitControlsBefore(Bundle bundle, int control, int row) throws Exception {
        while (control < bundle.controlCount() && bundle.controlPosition(control) <= row) {
            emitControl(bundle.control(control++));
        }
        return control;
    }

    private void emitRow(Bundle bundle, int row) {
        if (spec.kind() == Kind.FILTER && !reply.keeps(row)) {
            return;
        }
        resultRow.setRowId(row);
        long timestamp = bundle.timestamp(row);
        if (timestamp == Bundle.NO_TIMESTAMP) {
            resultRecord.replace(resultRow);
            resultRecord.eraseTimestamp();
        } else {
            resultRecord.replace(resultRow, timestamp);
        }
        output.collect(resultRecord);
    }

    private void read(Bundle bundle) {
        try {
            reply.read(bundle.reply.bytes(), bundle.reply.length(), bundle.rows, outputReader);
            if (reply.trailer() != null) {
                reports.report(reply.trailer());
            }
        } catch (ProtocolException e) {
            throw failed(e);
        }
        if (argumentReader != null) {
            argumentReader.read(bundle.frame.bytes(), bundle.batchStart, bundle.frame.length(), bundle.rows);
        }
        if (keptReader != null) {
            keptReader.read(bundle.kept.bytes(), 0, bundle.kept.length(), bundle.rows);
        }
    }
}
