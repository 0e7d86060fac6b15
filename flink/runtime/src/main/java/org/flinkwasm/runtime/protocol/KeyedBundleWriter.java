package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarBinaryType;

import java.util.Arrays;
import java.util.Collections;
import java.util.stream.IntStream;

/** Collects the parts of a BUNDLE of a process function. One writer serves all bundles of a subtask. */
public final class KeyedBundleWriter {
    private static final int INITIAL_BYTES = 1024;

    /** Encoded state: a nullable BYTES column. */
    static final LogicalType STATE_TYPE = new VarBinaryType(true, VarBinaryType.MAX_LENGTH);

    /** Bytes of a key's slot, and of an item's key and timestamp. */
    private static final int KEY_BYTES = 4;
    private static final int ITEM_BYTES = 12;

    private final BatchWriter rows;
    private final BatchWriter keyRows;
    private final BatchWriter values;
    private final ByteBuilder evicted = new ByteBuilder(INITIAL_BYTES);
    private final ByteBuilder slots = new ByteBuilder(INITIAL_BYTES);
    private final ByteBuilder timestamps = new ByteBuilder(INITIAL_BYTES);
    private final ByteBuilder keys = new ByteBuilder(INITIAL_BYTES);
    private byte[] fresh = new byte[128];
    private int keyCount;
    private int itemCount;

    /**
     * A writer of bundles.
     *
     * @param rows writes the columns of the input: those of each row are put there directly
     * @param keyRows writes the columns of the key
     * @param valueStates the number of value and reducing states
     */
    public KeyedBundleWriter(BatchWriter rows, BatchWriter keyRows, int valueStates) {
        this.rows = rows;
        this.keyRows = keyRows;
        values = new BatchWriter(
                Collections.nCopies(valueStates, STATE_TYPE),
                Collections.nCopies(valueStates, "state"),
                IntStream.range(0, valueStates).toArray());
    }

    /** Lets the sidecar empty a slot. */
    public void evict(int slot) {
        evicted.putInt(slot);
    }

    /**
     * Adds the columns of a key.
     *
     * @return null, or why the key can't be in the bundle, which is then as it was
     */
    public String addKeyRow(RowData key) {
        return keyRows.write(key);
    }

    /**
     * Adds what else a key has.
     *
     * @param isFresh whether the sidecar does not have its values: {@link #addValues} gives them, in the order of such keys
     */
    public void addKey(int slot, boolean isFresh) {
        slots.putInt(slot);
        int at = keyCount >> 3;
        if ((keyCount & 7) == 0) {
            if (at == fresh.length) {
                fresh = Arrays.copyOf(fresh, fresh.length * 2);
            }
            fresh[at] = 0;
        }
        if (isFresh) {
            fresh[at] |= (byte) (1 << (keyCount & 7));
        }
        keyCount++;
    }

    /** Gives the values of the next fresh key: a BYTES field for each value and reducing state. */
    public void addValues(GenericRowData encoded) {
        values.write(encoded);
    }

    /** Adds a timer, or what a row has besides its columns. */
    public void addItem(int key, long timestamp) {
        keys.putInt(key);
        timestamps.putLong(timestamp);
        itemCount++;
    }

    public int keyCount() {
        return keyCount;
    }

    public int itemCount() {
        return itemCount;
    }

    /** Bytes of the bundle so far, roughly. */
    public int bytes() {
        return rows.bytes() + keyRows.bytes() + values.bytes() + keyCount * KEY_BYTES + itemCount * ITEM_BYTES;
    }

    /** Writes the frame, and starts the next bundle. */
    public void flush(ByteBuilder frame, long id, long processingTime, long watermark, BundleMode mode) {
        frame.clear();
        frame.grow(FrameHeader.BYTES);
        frame.putLong(processingTime);
        frame.putLong(watermark);
        frame.putInt(mode.ordinal());
        frame.putInt(keyCount);
        frame.putInt(evicted.length() / Integer.BYTES);
        frame.putInt(itemCount);
        frame.putSection(evicted.bytes(), evicted.length());
        frame.putSection(slots.bytes(), slots.length());
        frame.putSection(fresh, (keyCount + 7) >> 3);
        keyRows.flush(frame);
        values.flush(frame);
        frame.putSection(timestamps.bytes(), timestamps.length());
        frame.putSection(keys.bytes(), keys.length());
        if (mode == BundleMode.ROWS) {
            rows.flush(frame);
        }
        FrameHeader.write(frame.bytes(), 0, frame.length() - FrameHeader.BYTES, FrameType.BUNDLE, id);
        clear();
    }

    private void clear() {
        evicted.clear();
        slots.clear();
        timestamps.clear();
        keys.clear();
        keyCount = 0;
        itemCount = 0;
    }
}
