package org.flinkwasm.runtime.operator;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.BooleanColumnVector;
import org.apache.flink.table.data.columnar.vector.ColumnVector;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.bundle.BundleOnClassPath;
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

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;

/**
 * Runs a function of a WebAssembly component on every row: rows go to the sidecar in bundles and come back in order.
 *
 * <p>A bundle is sent when it has enough rows or bytes, when its first row has waited long enough, and at once when nothing is in flight and
 * rows come slowly. Some bundles may be in flight; when all are, the task thread waits in {@link MailboxExecutor#yield()}, which is how
 * back-pressure reaches the source. Watermarks, watermark statuses and record attributes keep their place between the rows. Before a
 * checkpoint's barrier goes on, everything in flight is awaited and put out, so that nothing of it belongs to the snapshot.
 *
 * <p>Rows are copied into columns when they come and put out as views of columns: no object is made or held for a row.
 */
public final class WasmOperator extends AbstractStreamOperator<RowData>
        implements OneInputStreamOperator<RowData, RowData>, BoundedOneInput {
    private static final long serialVersionUID = 1L;

    /** Rows come slowly when fewer than these come in the time that a row waits for others. */
    private static final int SLOW_ROWS = 100;

    private static final int HISTOGRAM_WINDOW = 1000;

    private static final String CLIENT = "flink-wasm-runtime/0.1.0";

    private final transient WasmOperatorSpec spec;
    private final transient MailboxExecutor mailbox;
    private final transient int bundleRows;
    private final transient int bundleBytes;
    private final transient long bundleTimeMs;
    private final transient int bundlesInFlight;

    private transient SidecarLink link;
    private transient FunctionReports reports;
    private transient Counter bundleCounter;
    private transient Counter sentBytes;
    private transient Counter receivedBytes;
    private transient Histogram rowsPerBundle;

    // The open bundle.
    private transient BatchWriter arguments;
    private transient BatchWriter kept;
    private transient Bundle open;
    private transient long openedAt;
    private transient boolean timerArmed;
    /** The open bundle's time is over, but all bundles are in flight: it goes with the next reply. */
    private transient boolean overdue;
    private transient boolean slow;
    private transient long slowSince;
    private transient int slowRows;

    // Bundles that are in flight or wait for their turn, in the order of the stream.
    private transient ArrayDeque<Bundle> pending;
    private transient ArrayDeque<Bundle> spare;
    private transient int inFlight;
    private transient long lastId;
    private transient long lastReplyId;
    private transient boolean emitting;
    private transient long receivedWatermark;

    // The bundle that is put out.
    private transient BatchReader argumentReader;
    private transient BatchReader keptReader;
    private transient BatchReader outputReader;
    private transient Reply reply;
    private transient ColumnarRowData resultRow;
    private transient StreamRecord<RowData> resultRecord;

    WasmOperator(StreamOperatorParameters<RowData> parameters, WasmOperatorSpec spec) {
        this.spec = spec;
        mailbox = parameters.getMailboxExecutor();
        processingTimeService = parameters.getProcessingTimeService();
        bundleRows = spec.settings().bundleRows();
        bundleBytes = spec.settings().bundleBytes();
        bundleTimeMs = spec.settings().bundleTimeMs();
        bundlesInFlight = spec.settings().bundlesInFlight();
        setup(parameters.getContainingTask(), parameters.getStreamConfig(), parameters.getOutput());
    }

    @Override
    public void open() throws Exception {
        super.open();
        arguments = writer(spec.arguments());
        kept = spec.kept().isEmpty() ? null : writer(spec.kept());
        pending = new ArrayDeque<>();
        spare = new ArrayDeque<>();
        receivedWatermark = Long.MIN_VALUE;
        slow = true;
        openResult();
        registerMetrics();
        String socket = socketPath();
        link = new SidecarLink(
                connect(socket),
                socket,
                mailbox,
                this::onReply,
                this::failed,
                "wasm reader of " + spec.operatorName(),
                getUserCodeClassloader());
    }

    private static BatchWriter writer(List<Column> columns) {
        return new BatchWriter(
                columns.stream().map(Column::type).toList(),
                columns.stream().map(Column::name).toList(),
                columns.stream().mapToInt(Column::position).toArray());
    }

    private static BatchReader reader(List<Column> columns) {
        return new BatchReader(columns.stream().map(Column::type).toList());
    }

    private void openResult() {
        List<ResultColumn> result = spec.result();
        boolean showsArguments = result.stream().anyMatch(column -> column.origin() == Origin.ARGUMENT);
        argumentReader = showsArguments ? reader(spec.arguments()) : null;
        keptReader = kept == null ? null : reader(spec.kept());
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

    private void registerMetrics() {
        reports = new FunctionReports(getMetricGroup(), spec.function());
        MetricGroup group = getMetricGroup().addGroup("wasm");
        bundleCounter = group.counter("bundles");
        sentBytes = group.counter("bytesSent");
        receivedBytes = group.counter("bytesReceived");
        rowsPerBundle = group.histogram("rowsPerBundle", new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
        group.gauge("inFlight", (Gauge<Integer>) () -> inFlight);
    }

    private String socketPath() {
        if (spec.settings().socket() != null) {
            return spec.settings().socket();
        }
        String configured = getContainingTask()
                .getEnvironment()
                .getTaskManagerInfo()
                .getConfiguration()
                .get(WasmOptions.SIDECAR_SOCKET);
        if (configured != null) {
            return configured;
        }
        return System.getenv().getOrDefault(WasmOptions.SOCKET_VARIABLE, WasmOptions.DEFAULT_SOCKET);
    }

    /** Connects and opens the function. A sidecar that goes away meanwhile is tried again until the time is over. */
    private SidecarConnection connect(String socket) throws InterruptedException {
        long deadline = System.nanoTime() + spec.settings().connectTimeoutMs() * 1_000_000L;
        while (true) {
            long remainingMs = Math.max(0, (deadline - System.nanoTime()) / 1_000_000L);
            SidecarConnection connection = SidecarConnection.connect(Path.of(socket), remainingMs, spec.settings().connectTimeoutMs());
            try {
                connection.hello(hello());
                JsonObject opened = connection.open(openRequest(), new BundleOnClassPath(getUserCodeClassloader())::blob);
                LOG.info("{} opened by the sidecar at {}: {}", spec.operatorName(), socket, opened);
                return connection;
            } catch (IOException e) {
                closeQuietly(connection);
                if (System.nanoTime() - deadline >= 0) {
                    throw SidecarConnection.unreachable(Path.of(socket), spec.settings().connectTimeoutMs(), e);
                }
                // A sidecar that accepts and hangs up would be asked without pause.
                Thread.sleep(SidecarConnection.CONNECT_PAUSE_MS);
            } catch (DiagnosticException e) {
                closeQuietly(connection);
                throw failed(e);
            } catch (RuntimeException e) {
                closeQuietly(connection);
                throw e;
            }
        }
    }

    private static void closeQuietly(SidecarConnection connection) {
        try {
            connection.close();
        } catch (IOException e) {
            LOG.debug("closing a broken connection failed", e);
        }
    }

    private JsonObject hello() {
        Environment environment = getContainingTask().getEnvironment();
        JsonObject hello = new JsonObject();
        hello.addProperty("client", CLIENT);
        hello.addProperty("jobName", environment.getJobInfo().getJobName());
        hello.addProperty("jobId", environment.getJobID().toHexString());
        hello.addProperty("operator", spec.operatorName());
        hello.addProperty("subtask", environment.getTaskInfo().getIndexOfThisSubtask());
        hello.addProperty("attempt", environment.getTaskInfo().getAttemptNumber());
        hello.addProperty("bundleDigest", spec.bundleDigest());
        return hello;
    }

    private JsonObject openRequest() {
        return SidecarConnection.openRequest(
                spec.function(),
                spec.component(),
                spec.kind().wireName(),
                JsonParser.parseString(spec.parameters()).getAsJsonObject(),
                spec.inputTypes(),
                spec.outputTypes(),
                JsonParser.parseString(spec.limits()).getAsJsonObject());
    }

    @Override
    public void processElement(StreamRecord<RowData> element) throws Exception {
        if (open == null) {
            open = spare.isEmpty() ? new Bundle() : spare.pop();
            open.watermark = receivedWatermark;
        }
        write(element.getValue());
        open.addRow(element.hasTimestamp() ? element.getTimestamp() : Bundle.NO_TIMESTAMP);
        if (open.rows >= bundleRows || bytes() >= bundleBytes) {
            sendOpenBundle();
        } else if (slow && inFlight == 0) {
            sendNow();
        } else if (open.rows == 1) {
            startBundleTime();
        }
    }

    private void write(RowData row) {
        String nullField;
        try {
            nullField = arguments.write(row);
            if (kept != null) {
                kept.write(row);
            }
        } catch (ArithmeticException e) {
            throw new WasmFunctionException(new Diagnostic(ErrorCode.SCHEMA_VIOLATED, "a TIMESTAMP is out of range")
                    .function(spec.function(), spec.component())
                    .row(open.rows));
        }
        if (nullField != null) {
            throw new WasmFunctionException(new Diagnostic(
                            ErrorCode.SCHEMA_VIOLATED,
                            "row " + open.rows + " has NULL in column `" + nullField + "`, the function `" + spec.function()
                                    + "` declares it NOT NULL")
                    .function(spec.function(), spec.component())
                    .row(open.rows)
                    .help("filter such rows out, or use COALESCE; or let the function take an Option"));
        }
    }

    private int bytes() {
        return kept == null ? arguments.bytes() : arguments.bytes() + kept.bytes();
    }

    private void startBundleTime() {
        openedAt = processingTimeService.getCurrentProcessingTime();
        if (!timerArmed) {
            timerArmed = true;
            processingTimeService.registerTimer(openedAt + bundleTimeMs, time -> onBundleTime());
        }
    }

    /** One timer serves many bundles: when its bundle is long gone, it is set again for the open one. */
    private void onBundleTime() throws Exception {
        timerArmed = false;
        if (open == null) {
            return;
        }
        long due = openedAt + bundleTimeMs;
        if (processingTimeService.getCurrentProcessingTime() < due) {
            timerArmed = true;
            processingTimeService.registerTimer(due, time -> onBundleTime());
            return;
        }
        if (open.rows < SLOW_ROWS) {
            slow = true;
        }
        if (inFlight < bundlesInFlight) {
            sendNow();
        } else {
            overdue = true;
        }
    }

    /** Sends the open bundle; waits until it may. */
    private void sendOpenBundle() throws Exception {
        while (inFlight >= bundlesInFlight) {
            mailbox.yield();
        }
        // A mail may have sent it meanwhile.
        if (open != null) {
            sendNow();
        }
    }

    private void sendNow() throws Exception {
        Bundle bundle = open;
        open = null;
        overdue = false;
        observeSpeed(bundle.rows);
        bundle.id = ++lastId;
        bundle.batchStart = SidecarConnection.writeBundle(
                bundle.frame, bundle.id, processingTimeService.getCurrentProcessingTime(), bundle.watermark, arguments);
        if (kept != null) {
            bundle.kept.clear();
            kept.flush(bundle.kept);
        }
        pending.add(bundle);
        inFlight++;
        bundleCounter.inc();
        sentBytes.inc(bundle.frame.length());
        rowsPerBundle.update(bundle.rows);
        link.send(bundle.frame);
    }

    /** Rows that go one by one although many come cost a round trip each: then they wait for others again. */
    private void observeSpeed(int rows) {
        if (!slow) {
            return;
        }
        long now = processingTimeService.getCurrentProcessingTime();
        if (now - slowSince > bundleTimeMs) {
            slowSince = now;
            slowRows = 0;
        }
        slowRows += rows;
        if (slowRows > SLOW_ROWS) {
            slow = false;
        }
    }

    private void onReply(long id, ByteBuilder payload) throws Exception {
        if (id != lastReplyId + 1 || inFlight == 0) {
            throw failed(ProtocolException.violation("a reply to bundle " + id + " came, expected " + (lastReplyId + 1)));
        }
        lastReplyId = id;
        receivedBytes.inc(payload.length());
        for (Bundle bundle : pending) {
            if (bundle.id == id) {
                bundle.reply = payload;
            }
        }
        inFlight--;
        emitReady();
        if (open != null && (overdue && inFlight < bundlesInFlight || slow && inFlight == 0)) {
            sendNow();
        }
    }

    private void emitReady() throws Exception {
        if (emitting) {
            return;
        }
        emitting = true;
        try {
            while (!pending.isEmpty() && pending.peek().reply != null) {
                Bundle bundle = pending.poll();
                emit(bundle);
                link.recycle(bundle.reply);
                bundle.clear();
                spare.push(bundle);
            }
        } finally {
            emitting = false;
        }
    }

    private void emit(Bundle bundle) throws Exception {
        read(bundle);
        int emissions = spec.kind() == Kind.MAP ? reply.emissionCount() : 1;
        int row = 0;
        int control = 0;
        for (int emission = 0; emission < emissions; emission++) {
            int end = spec.kind() == Kind.MAP ? reply.show(emission, outputReader) : bundle.rows;
            for (; row < end; row++) {
                while (control < bundle.controlCount() && bundle.controlPosition(control) <= row) {
                    emitControl(bundle.control(control++));
                }
                emitRow(bundle, row);
            }
        }
        while (control < bundle.controlCount()) {
            emitControl(bundle.control(control++));
        }
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
        if (reply.failureCount() > 0) {
            throw new WasmFunctionException(new Diagnostic(
                            ErrorCode.ROW_FAILED,
                            "the function `" + spec.function() + "` refused row " + reply.firstFailureRow() + ": " + reply.firstFailure())
                    .function(spec.function(), spec.component())
                    .row(reply.firstFailureRow())
                    .note(reply.failureCount() + " of " + bundle.rows + " rows of the bundle were refused"));
        }
        if (argumentReader != null) {
            argumentReader.read(bundle.frame.bytes(), bundle.batchStart, bundle.frame.length(), bundle.rows);
        }
        if (keptReader != null) {
            keptReader.read(bundle.kept.bytes(), 0, bundle.kept.length(), bundle.rows);
        }
    }

    /** The same failure, with the function and component named. Touches no state: any thread may call it. */
    private DiagnosticException failed(DiagnosticException e) {
        return SidecarException.of(e.diagnostic().function(spec.function(), spec.component()), e.getCause());
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        receivedWatermark = mark.getTimestamp();
        if (!delayed(mark)) {
            emitControl(mark);
        }
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        if (!delayed(status)) {
            emitControl(status);
        }
    }

    @Override
    public void processRecordAttributes(RecordAttributes attributes) throws Exception {
        if (!delayed(attributes)) {
            emitControl(attributes);
        }
    }

    /** Puts a control behind the rows that came before it, if any of them is still on its way. */
    private boolean delayed(Object control) {
        Bundle last = open != null ? open : pending.peekLast();
        if (last == null) {
            return false;
        }
        last.addControl(control);
        return true;
    }

    private void emitControl(Object control) throws Exception {
        if (control instanceof Watermark mark) {
            super.processWatermark(mark);
        } else if (control instanceof WatermarkStatus status) {
            super.processWatermarkStatus(status);
        } else {
            super.processRecordAttributes((RecordAttributes) control);
        }
    }

    /** Awaits and puts out everything. */
    private void drain() throws Exception {
        while (open != null || !pending.isEmpty()) {
            if (open != null) {
                sendOpenBundle();
            }
            while (inFlight > 0) {
                mailbox.yield();
            }
            emitReady();
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        drain();
        super.prepareSnapshotPreBarrier(checkpointId);
    }

    @Override
    public void endInput() throws Exception {
        drain();
    }

    @Override
    public void finish() throws Exception {
        drain();
        super.finish();
    }

    @Override
    public void close() throws Exception {
        if (link != null) {
            link.close();
        }
        super.close();
    }
}
