package org.flinkwasm.runtime.operator;

import org.flinkwasm.runtime.protocol.ByteBuilder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Rows on their way through the sidecar, with what stood between them in the stream. Bundles are used again, with their buffers.
 */
class Bundle {
    /** The timestamp of a record that has none. */
    static final long NO_TIMESTAMP = Long.MIN_VALUE;

    private static final int INITIAL_BYTES = 4096;

    long id;
    int rows;
    /** The watermark before the first row. */
    long watermark;
    /** The frame that was sent. */
    final ByteBuilder frame = new ByteBuilder(INITIAL_BYTES);
    /** Where the frame's batch starts. */
    int batchStart;
    /** The batch of columns that are kept here. */
    final ByteBuilder kept = new ByteBuilder(INITIAL_BYTES);
    /** The batch of all columns of the input, where dead letters are made of them. */
    final ByteBuilder input = new ByteBuilder(0);
    /** The payload of the reply; null until it is here. */
    ByteBuilder reply;

    private long[] timestamps = new long[128];
    /** Watermarks and the like, and for each the number of rows before it. */
    private final List<Object> controls = new ArrayList<>();
    private int[] controlPositions = new int[8];

    void addRow(long timestamp) {
        if (rows == timestamps.length) {
            timestamps = Arrays.copyOf(timestamps, rows * 2);
        }
        timestamps[rows++] = timestamp;
    }

    long timestamp(int row) {
        return timestamps[row];
    }

    /** Adds what came after the rows so far. */
    void addControl(Object control) {
        if (controls.size() == controlPositions.length) {
            controlPositions = Arrays.copyOf(controlPositions, controlPositions.length * 2);
        }
        controlPositions[controls.size()] = rows;
        controls.add(control);
    }

    int controlCount() {
        return controls.size();
    }

    Object control(int index) {
        return controls.get(index);
    }

    /** How many rows came before a control. */
    int controlPosition(int index) {
        return controlPositions[index];
    }

    void clear() {
        rows = 0;
        reply = null;
        controls.clear();
    }
}
