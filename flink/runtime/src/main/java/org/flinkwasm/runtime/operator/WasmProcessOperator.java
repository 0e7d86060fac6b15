package org.flinkwasm.runtime.operator;

import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.runtime.state.heap.HeapKeyedStateBackend;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.OutputTag;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.SideOutput;
import org.flinkwasm.runtime.protocol.BatchReader;
import org.flinkwasm.runtime.protocol.BatchWriter;
import org.flinkwasm.runtime.protocol.BundleMode;
import org.flinkwasm.runtime.protocol.ByteBuilder;
import org.flinkwasm.runtime.protocol.KeyedBundleWriter;
import org.flinkwasm.runtime.protocol.Limits;
import org.flinkwasm.runtime.protocol.ProcessReply;
import org.flinkwasm.runtime.protocol.ProtocolException;
import org.flinkwasm.runtime.protocol.StateAnswer;
import org.flinkwasm.runtime.protocol.StateQuestion;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs a process function of a WebAssembly component on rows and timers of keys. Its state is Flink's; the values of the keys of a bundle travel
 * with it, unless the sidecar has them from an earlier one.
 *
 * <p>A key's values are read between its first row and the end of the bundle: no earlier bundle that is not carried out yet has the key then, or
 * the sidecar has the values already. State and timers change when a reply is carried out, before its rows are put out. Only the task thread touches
 * any of it.
 *
 * <p>Where the function has timers, a watermark waits until everything before it is carried out; then timers fire, in bundles of their own,
 * until none is due, and only then the watermark goes on. Timers of processing time are gathered as they fire and go behind the rows that came
 * before them.
 */
public final class WasmProcessOperator extends AbstractWasmOperator<KeyedBundle>
        implements Triggerable<Object, VoidNamespace>, ProcessReply.Changes, ProcessReply.Effects {
    private static final long serialVersionUID = 1L;

    /** Bundles of timers that fire at one watermark: more are taken for timers that register each other without end. */
    private static final int MAX_TIMER_ROUNDS = 10_000;

    /** Timers of one bundle: bounds how long a single call takes. */
    private static final int MAX_TIMERS = 16_384;

    /** Bytes of a bundle of timers, of which state may be most; far below the limit of a frame. */
    private static final int MAX_TIMER_BUNDLE_BYTES = 8 << 20;

    /**
     * Keys whose values are read in one go. Each costs several misses of the processor's cache, one after the other; those of different keys
     * overlap only where the reads stand close together.
     */
    private static final int READ_AHEAD = 32;

    /** A look into a state map on the heap costs little more than one into the table of slots, as long as the processor's caches hold this. */
    private static final int HEAP_CACHE_SLOTS = 16_384;

    private static final String TIMERS = "timers";

    private final transient Keyed keyed;
    /** Keys of a bundle of rows: all bundles together hold less than all slots. */
    private final transient int maxKeys;
    private final transient long cacheBytes;

    private transient StoredDescription description;
    private transient KeyedStates states;
    private transient InternalTimerService<VoidNamespace> timers;
    private transient SlotTable slots;
    private transient int cacheSlots;
    private transient KeySelector<RowData, Object> keySelector;
    private transient RowKeyView keyView;
    private transient boolean hasTtl;

    // The open bundle.
    private transient KeyedBundleWriter writer;
    /** Of the open bundle, or of the next one. */
    private transient int bundleNumber;
    /** Slots of keys of the open bundle whose values were not read yet. */
    private transient int[] unread;
    private transient int unreadCount;

    // The bundle that is carried out.
    private transient ProcessReply reply;
    private transient KeyedBundle replied;
    private transient int selectedKey;
    private transient ColumnarRowData[] resultRows;
    private transient List<OutputTag<RowData>> tags;
    private transient StreamRecord<RowData> resultRecord;

    // What the sidecar asked and was not answered yet.
    private transient long questionId;
    private transient StateQuestion question;
    private transient StateAnswer answer;

    private transient FiredTimers eventTimers;
    private transient FiredTimers processingTimers;
    /** A watermark fires: no bundle of rows or of processing time may come between its bundles. */
    private transient boolean firing;
    private transient boolean sendingProcessingTimers;

    WasmProcessOperator(StreamOperatorParameters<RowData> parameters, WasmOperatorSpec spec) {
        super(parameters, spec);
        keyed = spec.keyed();
        cacheBytes = spec.settings().cacheBytes();
        maxKeys = Limits.MAX_SLOTS / (spec.settings().bundlesInFlight() + 2);
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        if (!keyed.states().isEmpty()) {
            description = new StoredDescription(context.getOperatorStateStore());
            description.check(spec);
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        // From here on they belong to the snapshot.
        slots.forgetValues();
        if (description != null) {
            description.store(spec);
        }
    }

    @Override
    KeyedBundle newBundle() {
        return new KeyedBundle();
    }

    @Override
    @SuppressWarnings("unchecked")
    void openFunction() {
        keySelector = (KeySelector<RowData, Object>) stateKeySelector1;
        boolean onHeap = getKeyedStateBackend() instanceof HeapKeyedStateBackend;
        Integer wanted = spec.settings().cacheSlots();
        cacheSlots = wanted != null ? Math.min(wanted, Limits.MAX_SLOTS) : onHeap ? HEAP_CACHE_SLOTS : Limits.MAX_SLOTS;
        states = new KeyedStates(keyed.states(), getRuntimeContext(), onHeap);
        hasTtl = states.hasTtl();
        slots = new SlotTable(states.valueCount(), onHeap);
        keyView = new RowKeyView(keyed.keyColumns().size());
        timers = getInternalTimerService(TIMERS, VoidNamespaceSerializer.INSTANCE, this);
        BatchWriter rows = writer(spec.arguments());
        writeRowsTo(rows);
        writer = new KeyedBundleWriter(rows, writer(keyed.key()), states.valueCount());
        openValues();
        eventTimers = new FiredTimers();
        processingTimers = new FiredTimers();
        answer = new StateAnswer();
        openResult();
    }

    private void openValues() {
        // Values are read when the bundle is chosen already, so they must fit whatever their size.
        long mostBytes = Math.max(1, spec.stateValueBytes() * states.valueCount());
        unread = new int[(int) Math.max(1, Math.min(READ_AHEAD, Limits.MAX_FRAME_BYTES / 2 / mostBytes))];
    }

    private void openResult() {
        List<BatchReader> readers = new ArrayList<>();
        readers.add(new BatchReader(spec.output()));
        tags = new ArrayList<>();
        for (SideOutput side : keyed.sideOutputs()) {
            readers.add(new BatchReader(side.types()));
            tags.add(tag(side));
        }
        reply = new ProcessReply(readers, states.count());
        resultRows = readers.stream()
                .map(reader -> new ColumnarRowData(new VectorizedColumnBatch(reader.vectors())))
                .toArray(ColumnarRowData[]::new);
        resultRecord = new StreamRecord<>(null);
    }

    /** How a side output is named within Flink. */
    public static OutputTag<RowData> tag(SideOutput side) {
        return new OutputTag<>(side.name(), InternalTypeInfo.of(RowType.of(false, side.types().toArray(new LogicalType[0]))));
    }

    // ---- rows come -------------------------------------------------------------------------------------------------

    /** Nothing: the state backend needs a key only where state is read or written, which is not at every row. */
    @Override
    @SuppressWarnings("rawtypes")
    public void setKeyContextElement1(StreamRecord element) {}

    @Override
    public void processElement(StreamRecord<RowData> element) throws Exception {
        Object key = keySelector.getKey(element.getValue());
        if (!processingTimers.isEmpty()) {
            sendProcessingTimers();
        }
        String problem = write(element.getValue());
        if (problem != null) {
            refuse(element, problem);
            return;
        }
        int slot = slots.find(key, key.hashCode());
        int index = slot < 0 ? -1 : slots.index(slot, bundleNumber);
        if (index < 0) {
            problem = writer.addKeyRow(keyView.of(key));
            if (problem != null) {
                dropLast();
                refuse(element, problem);
                return;
            }
        }
        KeyedBundle bundle = openBundle();
        if (index < 0) {
            index = addKey(bundle, key, slot);
        }
        long timestamp = timestamp(element);
        writer.addItem(index, timestamp);
        bundle.addRow(timestamp);
        sendIfDue(bundle.keyCount >= maxKeys, writer.bytes());
    }

    /**
     * Adds a key, whose columns are written, to the open bundle, and notes to read its values where the sidecar does not have them.
     *
     * @param slot -1 if the key has none
     */
    private int addKey(KeyedBundle bundle, Object key, int slot) throws Exception {
        // What may have expired in a slot is sent again, unless a bundle on its way has the key.
        boolean fresh = slot < 0 || hasTtl && !slots.isHeld(slot);
        if (slot < 0) {
            makeRoom();
            slot = slots.add(key, key.hashCode());
        }
        int index = bundle.addKey(slot);
        slots.hold(slot, bundleNumber, index);
        writer.addKey(slot, fresh);
        if (fresh) {
            unread[unreadCount++] = slot;
            if (unreadCount == unread.length) {
                readValues();
            }
        }
        return index;
    }

    /** Gives up idle slots where the cache is full. */
    private void makeRoom() {
        while (slots.size() >= cacheSlots || slots.bytes() >= cacheBytes) {
            int slot = slots.giveUp();
            if (slot < 0) {
                return;
            }
            writer.evict(slot);
        }
    }

    /** Reads the values of the keys that were noted. */
    private void readValues() throws Exception {
        int valueCount = states.valueCount();
        // A young array: storing a reference into an old one is a memory fence with G1, and reads would overlap no more.
        byte[][] read = new byte[unreadCount * valueCount][];
        for (int i = 0; i < unreadCount; i++) {
            setCurrentKey(slots.key(unread[i]));
            for (int index = 0; index < valueCount; index++) {
                read[i * valueCount + index] = states.value(index);
            }
        }
        GenericRowData values = new GenericRowData(valueCount);
        for (int i = 0; i < unreadCount; i++) {
            for (int index = 0; index < valueCount; index++) {
                byte[] value = read[i * valueCount + index];
                values.setField(index, value);
                slots.setValueBytes(unread[i], index, value == null ? 0 : value.length);
                if (states.isInPlace(index)) {
                    slots.setValue(unread[i], index, value);
                }
            }
            writer.addValues(values);
        }
        unreadCount = 0;
    }

    @Override
    void writeFrame(KeyedBundle bundle, long processingTime) throws Exception {
        readValues();
        bundleNumber++;
        writer.flush(bundle.frame, bundle.id, processingTime, bundle.watermark, bundle.mode);
    }

    // ---- replies come ----------------------------------------------------------------------------------------------

    @Override
    void complete(KeyedBundle bundle) throws Exception {
        try {
            reply.read(bundle.reply.bytes(), bundle.reply.length(), bundle.rows, bundle.keyCount);
            if (reply.trailer() != null) {
                reports.report(reply.trailer());
            }
            handle(reply.failures(), bundle);
            replied = bundle;
            selectedKey = -1;
            reply.change(this);
        } catch (ProtocolException e) {
            throw failed(e);
        }
        for (int key = 0; key < bundle.keyCount; key++) {
            slots.release(bundle.slot(key));
        }
        answerIfReady();
        reply.emit(this);
        for (int control = 0; control < bundle.controlCount(); control++) {
            emitControl(bundle.control(control));
        }
    }

    @Override
    RowData deadLetter(KeyedBundle bundle, int item, String code, String message, long now) {
        if (isOfRows(bundle)) {
            return super.deadLetter(bundle, item, code, message, now);
        }
        RowData key = keyView.of(slots.key(bundle.slot(bundle.timerKey(item))));
        String domain = bundle.mode == BundleMode.EVENT_TIME_TIMERS ? "event-time" : "processing-time";
        return letters.ofTimer(key, bundle.timestamp(item), domain, code, message, now);
    }

    @Override
    boolean isOfRows(KeyedBundle bundle) {
        return bundle.mode == BundleMode.ROWS;
    }

    private void select(int key) {
        if (key != selectedKey) {
            setCurrentKey(slots.key(replied.slot(key)));
            selectedKey = key;
        }
    }

    @Override
    public void onValue(int state, int key, byte[] bytes, int start, int end) throws Exception {
        int slot = replied.slot(key);
        int index = states.valueIndex(state);
        int length = end - start;
        byte[] held = index < 0 ? null : slots.value(slot, index);
        if (bytes != null && held != null && held.length == length) {
            // Nothing that the backend has to know: no search for the key, and no garbage.
            System.arraycopy(bytes, start, held, 0, length);
            return;
        }
        select(key);
        byte[] value = bytes == null ? null : Arrays.copyOfRange(bytes, start, end);
        states.setValue(state, value);
        slots.setValueBytes(slot, index, value == null ? 0 : length);
        if (states.isInPlace(index)) {
            slots.setValue(slot, index, value);
        }
    }

    @Override
    public void onPut(int state, int key, byte[] element, byte[] value) throws Exception {
        select(key);
        states.put(state, element, value);
    }

    @Override
    public void onRemove(int state, int key, byte[] element) throws Exception {
        select(key);
        states.remove(state, element);
    }

    @Override
    public void onClear(int state, int key) {
        select(key);
        states.clear(state);
    }

    @Override
    public void onTimer(int key, long timestamp, boolean processingTime, boolean delete) {
        if (!keyed.timers()) {
            throw ProtocolException.violation("a timer of a function that declares none");
        }
        select(key);
        if (processingTime) {
            if (delete) {
                timers.deleteProcessingTimeTimer(VoidNamespace.INSTANCE, timestamp);
            } else {
                timers.registerProcessingTimeTimer(VoidNamespace.INSTANCE, timestamp);
            }
        } else if (delete) {
            timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, timestamp);
        } else {
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, timestamp);
        }
    }

    @Override
    public void onRow(int output, int row, long timestamp) {
        ColumnarRowData resultRow = resultRows[output];
        resultRow.setRowId(row);
        if (timestamp == Bundle.NO_TIMESTAMP) {
            resultRecord.replace(resultRow);
            resultRecord.eraseTimestamp();
        } else {
            resultRecord.replace(resultRow, timestamp);
        }
        if (output == 0) {
            this.output.collect(resultRecord);
        } else {
            this.output.collect(tags.get(output - 1), resultRecord);
        }
    }

    // ---- questions for lists and maps --------------------------------------------------------------------------------

    @Override
    public void onQuestion(long id, ByteBuilder payload) throws Exception {
        try {
            if (question != null) {
                throw ProtocolException.violation("a second question for state came before the first was answered");
            }
            question = StateQuestion.read(payload);
            questionId = id;
        } catch (ProtocolException e) {
            throw failed(e);
        }
        link.recycle(payload);
        answerIfReady();
    }

    /** Answers once everything before the bundle that asks is carried out. */
    private void answerIfReady() throws Exception {
        if (question == null || pending.isEmpty() || pending.peek().id != questionId) {
            return;
        }
        KeyedBundle bundle = pending.peek();
        StateQuestion asked = question;
        question = null;
        try {
            if (asked.key() < 0 || asked.key() >= bundle.keyCount) {
                throw ProtocolException.violation("a question for key " + Integer.toUnsignedString(asked.key()) + " of " + bundle.keyCount);
            }
            setCurrentKey(slots.key(bundle.slot(asked.key())));
            if (asked.element() != null) {
                states.answer(asked.state(), asked.element(), answer);
            } else {
                states.answerAll(asked.state(), answer);
            }
        } catch (ProtocolException e) {
            throw failed(e);
        }
        link.answer(answer.flush(bundle.id));
    }

    // ---- watermarks and timers -------------------------------------------------------------------------------------

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        if (!keyed.timers()) {
            closeBundle();
            super.processWatermark(mark);
            return;
        }
        drain();
        noteWatermark(mark);
        fire(mark);
        output.emitWatermark(mark);
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        closeBundle();
        super.processWatermarkStatus(status);
    }

    @Override
    public void processRecordAttributes(RecordAttributes attributes) throws Exception {
        closeBundle();
        super.processRecordAttributes(attributes);
    }

    /** What comes next stands behind all rows of the open bundle: its output does not say which row it belongs to. */
    private void closeBundle() throws Exception {
        if (open != null) {
            sendOpenBundle();
        }
    }

    /** Fires timers until none is due. */
    private void fire(Watermark mark) throws Exception {
        firing = true;
        int rounds = 0;
        timeServiceManager.advanceWatermark(mark);
        while (!eventTimers.isEmpty()) {
            while (!eventTimers.isEmpty()) {
                if (++rounds > MAX_TIMER_ROUNDS) {
                    throw endless(mark);
                }
                sendTimers(eventTimers, BundleMode.EVENT_TIME_TIMERS);
            }
            awaitReplies();
            timeServiceManager.advanceWatermark(mark);
        }
        firing = false;
        sendProcessingTimers();
    }

    private WasmFunctionException endless(Watermark mark) {
        return new WasmFunctionException(new Diagnostic(
                        ErrorCode.TIMER_LOOP,
                        "timers of the function `" + spec.function() + "` fired in " + MAX_TIMER_ROUNDS + " bundles at the watermark "
                                + mark.getTimestamp() + ", and more are due")
                .function(spec.function(), spec.component())
                .help("a timer that registers the next one has to register it behind the watermark"));
    }

    /** Sends a bundle of the timers that fired first. All timers of a key are in one bundle: one may delete another. */
    private void sendTimers(FiredTimers fired, BundleMode mode) throws Exception {
        awaitPlace();
        KeyedBundle bundle = openBundle();
        bundle.mode = mode;
        fired.offer((key, timestamp) -> {
            int slot = slots.find(key, key.hashCode());
            int index = slot < 0 ? -1 : slots.index(slot, bundleNumber);
            if (index < 0) {
                if (bundle.rows >= MAX_TIMERS || bundle.keyCount >= maxKeys || writer.bytes() >= MAX_TIMER_BUNDLE_BYTES) {
                    return false;
                }
                String problem = writer.addKeyRow(keyView.of(key));
                if (problem != null) {
                    throw notGiven("timer", problem);
                }
                index = addKey(bundle, key, slot);
            }
            writer.addItem(index, timestamp);
            bundle.addTimer(index, timestamp);
            return true;
        });
        sendNow();
    }

    @Override
    public void onEventTime(InternalTimer<Object, VoidNamespace> timer) {
        eventTimers.add(timer.getKey(), timer.getTimestamp());
    }

    /** Never waits: Flink's timer service is in the middle of its queue. */
    @Override
    public void onProcessingTime(InternalTimer<Object, VoidNamespace> timer) {
        if (processingTimers.isEmpty()) {
            mailbox.execute(this::sendProcessingTimers, "wasm timers of processing time");
        }
        processingTimers.add(timer.getKey(), timer.getTimestamp());
    }

    /** Sends the rows that came, then the timers that fired. */
    private void sendProcessingTimers() throws Exception {
        if (firing || sendingProcessingTimers) {
            return;
        }
        sendingProcessingTimers = true;
        while (!processingTimers.isEmpty()) {
            closeBundle();
            sendTimers(processingTimers, BundleMode.PROCESSING_TIME_TIMERS);
        }
        sendingProcessingTimers = false;
    }

    @Override
    boolean isWaiting() {
        return super.isWaiting() || !processingTimers.isEmpty();
    }

    @Override
    void sendWaiting() throws Exception {
        super.sendWaiting();
        sendProcessingTimers();
    }
}
