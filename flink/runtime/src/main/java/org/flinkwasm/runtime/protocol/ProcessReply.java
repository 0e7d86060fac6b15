package org.flinkwasm.runtime.protocol;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The payload of a REPLY to a bundle of a process function, read in place. All of it is checked by {@link #read}, before any of it is kept.
 */
public final class ProcessReply {
    private static final int KIND_PROCESS = 2;
    private static final int PUT = 0;
    private static final int REMOVE = 1;
    private static final int CLEAR = 2;
    private static final int PROCESSING_TIME = 1;
    private static final int DELETE = 2;

    private final List<BatchReader> outputs;
    private final int stateCount;
    private final Failures failures = new Failures();
    private final StateBatch values = new StateBatch(1);
    private final StateBatch elements = new StateBatch(2);

    private byte[] bytes;
    private int length;
    private int keyCount;
    private String trailer;

    // Where each part starts.
    private int[] effects = new int[4];
    private int effectCount;
    private int[] changes = new int[4];
    private int changeCount;
    private int[] elementChanges = new int[4];
    private int elementChangeCount;
    private int timerCount;
    private int timerKeys;
    private int timerTimestamps;
    private int timerFlags;

    /** Takes what a bundle did to state and timers, in order. */
    public interface Changes {
        /**
         * The new value of a value or reducing state.
         *
         * @param bytes hold the value from {@code start} up to {@code end}, and are valid during the call; null clears the state
         */
        void onValue(int state, int key, byte[] bytes, int start, int end) throws Exception;

        /** Adds to a list, or puts into a map. */
        void onPut(int state, int key, byte[] element, byte[] value) throws Exception;

        /** Removes from a map. */
        void onRemove(int state, int key, byte[] element) throws Exception;

        /** Empties a list or map. */
        void onClear(int state, int key) throws Exception;

        void onTimer(int key, long timestamp, boolean processingTime, boolean delete) throws Exception;
    }

    /** Takes the rows that a bundle put out. */
    public interface Effects {
        /** A row of the output's reader; {@link Long#MIN_VALUE} when it has no timestamp. */
        void onRow(int output, int row, long timestamp) throws Exception;
    }

    /**
     * A reader of replies.
     *
     * @param outputs show the rows of the main output and of the side outputs
     * @param stateCount the number of states, of every kind
     */
    public ProcessReply(List<BatchReader> outputs, int stateCount) {
        this.outputs = List.copyOf(outputs);
        this.stateCount = stateCount;
    }

    /**
     * Reads the reply to a bundle of {@code items} items and {@code keys} distinct keys.
     *
     * @throws ProtocolException if the bytes are no such reply
     */
    public void read(byte[] payload, int payloadLength, int items, int keys) {
        bytes = payload;
        length = payloadLength;
        keyCount = keys;
        Cursor cursor = new Cursor(payload, 0, payloadLength);
        int kind = cursor.takeInt("the header of a reply");
        int failureCount = cursor.takeCount("the number of failures");
        effectCount = cursor.takeCount("the number of emissions");
        int trailerBytes = cursor.takeCount("the size of the trailer");
        if (kind != KIND_PROCESS) {
            throw ProtocolException.violation(
                    "a reply of kind " + Integer.toUnsignedString(kind) + " for a process function, expected " + KIND_PROCESS);
        }
        failures.expect(failureCount, items);
        effects = starts(effects, effectCount, cursor);
        for (int i = 0; i < effectCount; i++) {
            effects[i] = cursor.at();
            readEffect(cursor, null);
        }
        readChanges(cursor);
        failures.read(cursor, items);
        int at = cursor.take(trailerBytes, "the trailer");
        trailer = trailerBytes == 0 ? null : new String(payload, at, trailerBytes, StandardCharsets.UTF_8);
        if (cursor.remaining() != 0) {
            throw ProtocolException.violation(cursor.remaining() + " bytes follow a reply");
        }
    }

    /** Room for the starts of so many parts, each of which has 16 bytes at least. */
    private static int[] starts(int[] starts, int count, Cursor cursor) {
        if (count > cursor.remaining() / 16) {
            throw ProtocolException.violation("a reply of " + count + " parts in " + cursor.remaining() + " bytes");
        }
        return count > starts.length ? new int[count] : starts;
    }

    private void readEffect(Cursor cursor, Effects target) {
        int output = cursor.takeInt("the number of an output");
        int rows = cursor.takeCount("the number of rows");
        if (output < 0 || output >= outputs.size()) {
            throw ProtocolException.violation(
                    "rows for output " + Integer.toUnsignedString(output) + ", the function has " + outputs.size());
        }
        int timestamps = cursor.section(rows * 8L, "timestamps");
        outputs.get(output).read(cursor, rows);
        if (target != null) {
            emit(output, rows, timestamps, target);
        }
    }

    private void emit(int output, int rows, int timestamps, Effects target) {
        try {
            for (int row = 0; row < rows; row++) {
                target.onRow(output, row, LittleEndian.getLong(bytes, timestamps + row * 8));
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private void readChanges(Cursor cursor) {
        changeCount = cursor.takeCount("the number of changes");
        elementChangeCount = cursor.takeCount("the number of element changes");
        timerCount = cursor.takeCount("the number of timers");
        cursor.takeInt("the number of timers");
        changes = starts(changes, changeCount, cursor);
        for (int i = 0; i < changeCount; i++) {
            changes[i] = cursor.at();
            int count = readKeys(cursor, "changes");
            values.read(cursor, count);
        }
        elementChanges = starts(elementChanges, elementChangeCount, cursor);
        for (int i = 0; i < elementChangeCount; i++) {
            elementChanges[i] = cursor.at();
            readElementChange(cursor);
        }
        timerKeys = cursor.section(timerCount * 4L, "the keys of timers");
        checkKeys(timerKeys, timerCount);
        timerTimestamps = cursor.section(timerCount * 8L, "the timestamps of timers");
        timerFlags = cursor.section(timerCount, "the flags of timers");
        for (int i = 0; i < timerCount; i++) {
            if ((bytes[timerFlags + i] & ~(PROCESSING_TIME | DELETE)) != 0) {
                throw ProtocolException.violation("a timer has the flags " + bytes[timerFlags + i]);
            }
        }
    }

    /** Reads the head of a change: its state and keys. */
    private int readKeys(Cursor cursor, String what) {
        int state = cursor.takeInt("the number of a state");
        int count = cursor.takeCount("the number of " + what);
        if (state < 0 || state >= stateCount) {
            throw ProtocolException.violation("a change of state " + Integer.toUnsignedString(state) + ", the function has " + stateCount);
        }
        checkKeys(cursor.section(count * 4L, "the keys of " + what), count);
        return count;
    }

    private void checkKeys(int at, int count) {
        for (int i = 0; i < count; i++) {
            int key = LittleEndian.getInt(bytes, at + i * 4);
            if (key < 0 || key >= keyCount) {
                throw ProtocolException.violation("key " + Integer.toUnsignedString(key) + " of a bundle with " + keyCount);
            }
        }
    }

    private void readElementChange(Cursor cursor) {
        int count = readKeys(cursor, "element changes");
        int ops = cursor.section(count, "the ops of element changes");
        elements.read(cursor, count);
        for (int i = 0; i < count; i++) {
            if (bytes[ops + i] < PUT || bytes[ops + i] > CLEAR) {
                throw ProtocolException.violation("an element change with the op " + bytes[ops + i]);
            }
        }
    }

    /** Hands over the changes of state, then those of timers. */
    public void change(Changes target) throws Exception {
        for (int i = 0; i < changeCount; i++) {
            Cursor cursor = new Cursor(bytes, changes[i], length);
            int state = cursor.takeInt("the number of a state");
            int count = cursor.takeCount("the number of changes");
            int keys = cursor.section(count * 4L, "the keys of changes");
            values.read(cursor, count);
            for (int row = 0; row < count; row++) {
                byte[] value = values.isNull(0, row) ? null : bytes;
                target.onValue(
                        state, LittleEndian.getInt(bytes, keys + row * 4), value, values.start(0, row), values.start(0, row + 1));
            }
        }
        for (int i = 0; i < elementChangeCount; i++) {
            changeElements(new Cursor(bytes, elementChanges[i], length), target);
        }
        for (int i = 0; i < timerCount; i++) {
            byte flags = bytes[timerFlags + i];
            target.onTimer(
                    LittleEndian.getInt(bytes, timerKeys + i * 4),
                    LittleEndian.getLong(bytes, timerTimestamps + i * 8),
                    (flags & PROCESSING_TIME) != 0,
                    (flags & DELETE) != 0);
        }
    }

    private void changeElements(Cursor cursor, Changes target) throws Exception {
        int state = cursor.takeInt("the number of a state");
        int count = cursor.takeCount("the number of element changes");
        int keys = cursor.section(count * 4L, "the keys of element changes");
        int ops = cursor.section(count, "the ops of element changes");
        elements.read(cursor, count);
        for (int row = 0; row < count; row++) {
            int key = LittleEndian.getInt(bytes, keys + row * 4);
            switch (bytes[ops + row]) {
                case PUT:
                    target.onPut(state, key, elements.cell(0, row), elements.cell(1, row));
                    break;
                case REMOVE:
                    target.onRemove(state, key, elements.cell(0, row));
                    break;
                default:
                    target.onClear(state, key);
            }
        }
    }

    /** Hands over the rows, in order; the output's reader shows the row's emission meanwhile. */
    public void emit(Effects target) {
        for (int i = 0; i < effectCount; i++) {
            readEffect(new Cursor(bytes, effects[i], length), target);
        }
    }

    /** The items that failed. */
    public Failures failures() {
        return failures;
    }

    /** Counters, gauges and log lines as JSON; null when there is nothing to tell. */
    public String trailer() {
        return trailer;
    }
}
