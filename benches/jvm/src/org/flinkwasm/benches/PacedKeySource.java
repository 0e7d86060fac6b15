package org.flinkwasm.benches;

import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;

import java.util.concurrent.locks.LockSupport;

/**
 * Puts out a fixed number of rows a second. A row's timestamp is the moment when it was due, in microseconds of {@link #clock}, whenever it
 * was taken: a job that lags behind can't hide it.
 */
final class PacedKeySource extends OneReaderSource {
    private static final long serialVersionUID = 1L;

    private final String run;
    private final long rowsPerSecond;

    PacedKeySource(String run, long rowsPerSecond) {
        this.run = run;
        this.rowsPerSecond = rowsPerSecond;
    }

    static long clock() {
        return System.nanoTime() / 1000;
    }

    @Override
    Reader reader() {
        Run run = Run.named(this.run);
        Keys.Sequence sequence = ((CountTruth) run.truth()).sequence();
        return new Reader() {
            private final BinaryRowData row = KeySource.row();
            private final long startedAt = clock();
            private long count;

            @Override
            public InputStatus pollNext(ReaderOutput<RowData> output) {
                long due = startedAt + count * 1_000_000 / rowsPerSecond;
                long early = due - clock();
                if (early > 0) {
                    LockSupport.parkNanos(early * 1000);
                    return InputStatus.MORE_AVAILABLE;
                }
                if (run.isOver(count, System.nanoTime())) {
                    return InputStatus.END_OF_INPUT;
                }
                row.setLong(0, sequence.at(count++));
                output.collect(row, due);
                return InputStatus.MORE_AVAILABLE;
            }
        };
    }
}
