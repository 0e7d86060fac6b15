package org.flinkwasm.benches;

import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.table.data.RowData;

/** Puts out rows that were made before the job began, again and again until the run's time is over: as little work as a source can have. */
final class RowSource extends OneReaderSource {
    private static final long serialVersionUID = 1L;

    /** The clock is asked once for so many rows, so that it costs nothing. */
    private static final int CLOCK_MASK = 1023;

    private final String run;
    private final Workload workload;

    RowSource(String run, Workload workload) {
        this.run = run;
        this.workload = workload;
    }

    @Override
    Reader reader() {
        Run run = Run.named(this.run);
        RowData[] rows = workload.rows();
        int mask = rows.length - 1;
        return new Reader() {
            private long count;

            @Override
            public InputStatus pollNext(ReaderOutput<RowData> output) {
                if ((count & CLOCK_MASK) == 0 && run.isOver(count, System.nanoTime())) {
                    return InputStatus.END_OF_INPUT;
                }
                output.collect(rows[(int) count++ & mask]);
                return InputStatus.MORE_AVAILABLE;
            }
        };
    }
}
