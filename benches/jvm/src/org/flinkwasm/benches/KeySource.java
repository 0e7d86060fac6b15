package org.flinkwasm.benches;

import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.data.writer.BinaryRowWriter;

/**
 * Puts out rows that hold a key alone, as fast as they are taken. It is one row whose key is overwritten: the exchange behind it copies
 * every row at once.
 */
final class KeySource extends OneReaderSource {
    private static final long serialVersionUID = 1L;

    private static final int CLOCK_MASK = 1023;

    private final String run;

    KeySource(String run) {
        this.run = run;
    }

    /** A row of one BIGINT. */
    static BinaryRowData row() {
        BinaryRowData row = new BinaryRowData(1);
        BinaryRowWriter writer = new BinaryRowWriter(row);
        writer.writeLong(0, 0);
        writer.complete();
        return row;
    }

    @Override
    Reader reader() {
        Run run = Run.named(this.run);
        Keys.Sequence sequence = ((CountTruth) run.truth()).sequence();
        return new Reader() {
            private final BinaryRowData row = row();
            private long count;

            @Override
            public InputStatus pollNext(ReaderOutput<RowData> output) {
                if ((count & CLOCK_MASK) == 0 && run.isOver(count, System.nanoTime())) {
                    return InputStatus.END_OF_INPUT;
                }
                row.setLong(0, sequence.at(count++));
                output.collect(row);
                return InputStatus.MORE_AVAILABLE;
            }
        };
    }
}
