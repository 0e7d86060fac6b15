package org.flinkwasm.runtime.protocol;

import org.apache.flink.table.data.GenericRowData;

import java.util.List;

/** Writes STATE frames, the answers to {@link StateQuestion}s. */
public final class StateAnswer {
    private final ByteBuilder frame = new ByteBuilder(1024);
    private final GenericRowData row = new GenericRowData(2);
    private final BatchWriter elements = new BatchWriter(
            List.of(KeyedBundleWriter.STATE_TYPE, KeyedBundleWriter.STATE_TYPE), List.of("element", "value"), new int[] {0, 1});

    /** Adds an element; a list's has no key. */
    public void add(byte[] element, byte[] value) {
        row.setField(0, element);
        row.setField(1, value);
        elements.write(row);
    }

    /** The frame that answers the question of a bundle. */
    public ByteBuilder flush(long bundle) {
        frame.clear();
        frame.grow(FrameHeader.BYTES);
        elements.flush(frame);
        FrameHeader.write(frame.bytes(), 0, frame.length() - FrameHeader.BYTES, FrameType.STATE, bundle);
        return frame;
    }
}
