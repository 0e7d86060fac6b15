package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
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
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.flinkwasm.runtime.protocol.BatchWriter;
import org.flinkwasm.runtime.protocol.ByteBuilder;
import org.flinkwasm.runtime.protocol.Failures;
import org.flinkwasm.runtime.protocol.ProtocolException;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * What all wasm operators have in common: bundles on their way to the sidecar and back, in order.
 *
 * <p>A bundle is sent when it has enough rows or bytes, when its first row has waited long enough, and at once when nothing is in flight and
 * rows come slowly. Some bundles may be in flight; when all are, the task thread waits in {@link MailboxExecutor#yield()}, which is how
 * back-pressure reaches the source. Watermarks, watermark statuses and record attributes keep their place between the rows. Before a
 * checkpoint's barrier goes on, everything in flight is awaited and put out, so that nothing of it belongs to the snapshot.
 */
abstract class AbstractWasmOperator<B extends Bundle> extends AbstractStreamOperator<RowData>
        implements OneInputStreamOperator<RowData, RowData>, BoundedOneInput, SidecarLink.FrameHandler {
    private static final long serialVersionUID = 1L;

    /** Rows come slowly when fewer than these come in a millisecond: each is then sent as soon as nothing is in flight. */
    private static final int SLOW_ROWS_PER_MS = 10;

    private static final int HISTOGRAM_WINDOW = 1000;

    final transient WasmOperatorSpec spec;
    final transient MailboxExecutor mailbox;
    private final transient int bundleRows;
    private final transient int bundleBytes;
    private final transient long bundleTimeMs;
    private final transient int bundlesInFlight;

    transient SidecarLink link;
    transient FunctionReports reports;
    private transient Counter bundleCounter;
    private transient Counter sentBytes;
    private transient Counter receivedBytes;
    private transient Histogram rowsPerBundle;
    private transient Counter skippedRows;
    private transient Counter deadLetterRows;
    /** Null where the policy for errors makes none. */
    transient DeadLetters letters;
    /** What takes columns of the rows of the open bundle. */
    private transient List<BatchWriter> rowWriters;

    /** The open bundle. */
    transient B open;
    private transient long openedAt;
    private transient boolean timerArmed;
    /** The open bundle's time is over, but all bundles are in flight: it goes with the next reply. */
    private transient boolean overdue;
    private transient boolean slow;
    private transient long slowSince;
    private transient int slowRows;

    /** Bundles that are in flight or wait for their turn, in the order of the stream. */
    transient ArrayDeque<B> pending;
    private transient ArrayDeque<B> spare;
    private transient int inFlight;
    private transient long lastId;
    private transient long lastReplyId;
    private transient boolean emitting;
    private transient long receivedWatermark;

    AbstractWasmOperator(StreamOperatorParameters<RowData> parameters, WasmOperatorSpec spec) {
        this.spec = spec;
        mailbox = parameters.getMailboxExecutor();
        processingTimeService = parameters.getProcessingTimeService();
        bundleRows = spec.settings().bundleRows();
        bundleBytes = spec.settings().bundleBytes();
        bundleTimeMs = spec.settings().bundleTimeMs();
        bundlesInFlight = spec.settings().bundlesInFlight();
        setup(parameters.getContainingTask(), parameters.getStreamConfig(), parameters.getOutput());
    }

    abstract B newBundle();

    /** Makes ready what the kind of function needs, before the sidecar is asked for it. */
    abstract void openFunction() throws Exception;

    /** Writes the frame of the bundle that was open. */
    abstract void writeFrame(B bundle, long processingTime) throws Exception;

    /** Carries out what the reply to a bundle says. */
    abstract void complete(B bundle) throws Exception;

    @Override
    public void open() throws Exception {
        super.open();
        pending = new ArrayDeque<>();
        spare = new ArrayDeque<>();
        receivedWatermark = Long.MIN_VALUE;
        slow = true;
        registerMetrics();
        letters = spec.onError().policy() == Policy.DEAD_LETTER ? new DeadLetters(spec, getRuntimeContext()) : null;
        openFunction();
        SidecarConnector connector = new SidecarConnector(
                spec, getContainingTask().getEnvironment(), getUserCodeClassloader(), this::failed);
        String socket = connector.socketPath();
        link = new SidecarLink(
                connector.connect(socket),
                socket,
                spec.replyTimeoutMs(),
                mailbox,
                this,
                this::failed,
                "wasm reader of " + spec.operatorName(),
                getUserCodeClassloader());
    }

    static BatchWriter writer(List<Column> columns) {
        return new BatchWriter(
                columns.stream().map(Column::type).toList(),
                columns.stream().map(Column::name).toList(),
                columns.stream().mapToInt(Column::position).toArray());
    }

    private void registerMetrics() {
        reports = new FunctionReports(getMetricGroup(), spec.function());
        skippedRows = reports.counter("skippedRows");
        deadLetterRows = reports.counter("deadLetterRows");
        MetricGroup group = getMetricGroup().addGroup("wasm");
        bundleCounter = group.counter("bundles");
        sentBytes = group.counter("bytesSent");
        receivedBytes = group.counter("bytesReceived");
        rowsPerBundle = group.histogram("rowsPerBundle", new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
        group.gauge("inFlight", (Gauge<Integer>) () -> inFlight);
    }

    /** Says what takes columns of the rows, besides what dead letters need. */
    final void writeRowsTo(BatchWriter... writers) {
        rowWriters = new ArrayList<>(List.of(writers));
        if (letters != null) {
            rowWriters.add(letters.writer());
        }
    }

    /**
     * Writes the columns of a row.
     *
     * @return null, or why the function can't be given the row, of which nothing is written then
     */
    final String write(RowData row) {
        for (int i = 0; i < rowWriters.size(); i++) {
            String problem = rowWriters.get(i).write(row);
            if (problem != null) {
                rowWriters.subList(0, i).forEach(BatchWriter::dropLast);
                return problem;
            }
        }
        return null;
    }

    /** Takes back the columns of the row that was written last. */
    final void dropLast() {
        rowWriters.forEach(BatchWriter::dropLast);
    }

    /** The bundle for what comes next. */
    final B openBundle() {
        if (open == null) {
            open = spare.isEmpty() ? newBundle() : spare.pop();
            open.watermark = receivedWatermark;
        }
        return open;
    }

    /** Sends the open bundle, to which a row was added, if it is time. */
    final void sendIfDue(boolean full, int bytes) throws Exception {
        if (full || open.rows >= bundleRows || bytes >= bundleBytes) {
            sendOpenBundle();
        } else if (slow && inFlight == 0) {
            sendNow();
        } else if (open.rows == 1) {
            startBundleTime();
        }
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
        if (open.rows < bundleTimeMs * SLOW_ROWS_PER_MS) {
            slow = true;
        }
        if (inFlight < bundlesInFlight) {
            sendNow();
        } else {
            overdue = true;
        }
    }

    /** Sends the open bundle; waits until it may. */
    final void sendOpenBundle() throws Exception {
        awaitPlace();
        // A mail may have sent it meanwhile.
        if (open != null) {
            sendNow();
        }
    }

    final void sendNow() throws Exception {
        B bundle = open;
        open = null;
        overdue = false;
        observeSpeed(bundle.rows);
        bundle.id = ++lastId;
        writeFrame(bundle, processingTimeService.getCurrentProcessingTime());
        if (letters != null) {
            letters.flush(bundle);
        }
        pending.add(bundle);
        inFlight++;
        bundleCounter.inc();
        sentBytes.inc(bundle.frame.length());
        if (isOfRows(bundle)) {
            rowsPerBundle.update(bundle.rows);
        }
        link.send(bundle.frame);
    }

    /** Waits until another bundle may be sent. */
    final void awaitPlace() throws Exception {
        while (inFlight >= bundlesInFlight) {
            mailbox.yield();
        }
    }

    /** Waits until every bundle that was sent is answered, and its reply carried out. */
    final void awaitReplies() throws Exception {
        while (inFlight > 0) {
            mailbox.yield();
        }
        emitReady();
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
        if (slowRows > bundleTimeMs * SLOW_ROWS_PER_MS) {
            slow = false;
        }
    }

    @Override
    public final void onReply(long id, ByteBuilder payload) throws Exception {
        if (id != lastReplyId + 1 || inFlight == 0) {
            throw failed(ProtocolException.violation("a reply to bundle " + id + " came, expected " + (lastReplyId + 1)));
        }
        lastReplyId = id;
        receivedBytes.inc(payload.length());
        for (B bundle : pending) {
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

    final void emitReady() throws Exception {
        if (emitting) {
            return;
        }
        emitting = true;
        try {
            while (!pending.isEmpty() && pending.peek().reply != null) {
                B bundle = pending.poll();
                complete(bundle);
                link.recycle(bundle.reply);
                bundle.clear();
                spare.push(bundle);
            }
        } finally {
            emitting = false;
        }
    }

    /** Does with a row that the function can't be given, and that is in no bundle, what the policy for errors says. */
    final void refuse(StreamRecord<RowData> element, String problem) {
        switch (spec.onError().policy()) {
            case FAIL:
                throw notGiven("row", problem);
            case SKIP:
                skippedRows.inc();
                break;
            default:
                deadLetterRows.inc();
                long now = processingTimeService.getCurrentProcessingTime();
                RowData letter = letters.ofInput(element.getValue(), ErrorCode.SCHEMA_VIOLATED.code(), problem, now);
                output.collect(DeadLetters.TAG, record(letter, timestamp(element)));
        }
    }

    /** The exception for an item of the open bundle that the function can't be given. */
    final WasmFunctionException notGiven(String item, String problem) {
        int index = open == null ? 0 : open.rows;
        Diagnostic diagnostic = new Diagnostic(
                        ErrorCode.SCHEMA_VIOLATED,
                        item + " " + index + " can't be given to the function `" + spec.function() + "`: " + problem)
                .function(spec.function(), spec.component())
                .help("filter such rows out, use COALESCE, or let the function take an Option; or let its `onError` be `skip` or `dead-letter`");
        return new WasmFunctionException(item.equals("row") ? diagnostic.row(index) : diagnostic);
    }

    static long timestamp(StreamRecord<RowData> element) {
        return element.hasTimestamp() ? element.getTimestamp() : Bundle.NO_TIMESTAMP;
    }

    /** Does with the rows of a bundle that failed what the policy for errors says. */
    final void handle(Failures failures, B bundle) {
        if (failures.count() == 0) {
            return;
        }
        switch (spec.onError().policy()) {
            case FAIL:
                throw refused(failures, bundle);
            case SKIP:
                skippedRows.inc(failures.count());
                break;
            default:
                deadLetterRows.inc(failures.count());
                long now = processingTimeService.getCurrentProcessingTime();
                for (int i = 0; i < failures.count(); i++) {
                    int row = failures.row(i);
                    RowData letter = deadLetter(bundle, row, failures.code(i), failures.message(i), now);
                    output.collect(DeadLetters.TAG, record(letter, bundle.timestamp(row)));
                }
        }
    }

    private static StreamRecord<RowData> record(RowData row, long timestamp) {
        return timestamp == Bundle.NO_TIMESTAMP ? new StreamRecord<>(row) : new StreamRecord<>(row, timestamp);
    }

    /** The dead letter of an item that failed. */
    RowData deadLetter(B bundle, int row, String code, String message, long now) {
        return letters.ofRow(bundle, row, code, message, now);
    }

    /** Whether the items of a bundle are rows, not timers. */
    boolean isOfRows(B bundle) {
        return true;
    }

    /** The exception for items that the function refused. */
    private WasmFunctionException refused(Failures failures, B bundle) {
        String item = isOfRows(bundle) ? "row" : "timer";
        Diagnostic diagnostic = new Diagnostic(
                        ErrorCode.of(failures.code(0)).orElse(ErrorCode.ROW_FAILED),
                        "the function `" + spec.function() + "` refused " + item + " " + failures.row(0) + ": " + failures.message(0))
                .function(spec.function(), spec.component())
                .note(failures.count() + " of " + bundle.rows + " " + item + "s of the bundle were refused");
        return new WasmFunctionException(isOfRows(bundle) ? diagnostic.row(failures.row(0)) : diagnostic);
    }

    /** The same failure, with the function and component named. Touches no state: any thread may call it. */
    final DiagnosticException failed(DiagnosticException e) {
        return SidecarException.of(e.diagnostic().function(spec.function(), spec.component()), e.getCause());
    }

    /** Rows that come from now on see this watermark. */
    final void noteWatermark(Watermark mark) {
        receivedWatermark = mark.getTimestamp();
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        noteWatermark(mark);
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
        B last = open != null ? open : pending.peekLast();
        if (last == null) {
            return false;
        }
        last.addControl(control);
        return true;
    }

    final void emitControl(Object control) throws Exception {
        if (control instanceof Watermark mark) {
            super.processWatermark(mark);
        } else if (control instanceof WatermarkStatus status) {
            super.processWatermarkStatus(status);
        } else {
            super.processRecordAttributes((RecordAttributes) control);
        }
    }

    /** Awaits and puts out everything. */
    final void drain() throws Exception {
        while (isWaiting() || !pending.isEmpty()) {
            sendWaiting();
            awaitReplies();
        }
    }

    /** Whether something came that was not sent yet. */
    boolean isWaiting() {
        return open != null;
    }

    /** Sends what came and was not sent yet. */
    void sendWaiting() throws Exception {
        if (open != null) {
            sendOpenBundle();
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
