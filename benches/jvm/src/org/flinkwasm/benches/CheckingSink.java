package org.flinkwasm.benches;

import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.table.data.RowData;

/** Reads every column of every row, as a sink that writes would, and keeps count and checksum for the end of the run. */
final class CheckingSink implements Sink<RowData> {
    private static final long serialVersionUID = 1L;

    private final String run;

    CheckingSink(String run) {
        this.run = run;
    }

    @Override
    public SinkWriter<RowData> createWriter(WriterInitContext context) {
        return new Writer(Run.named(run));
    }

    private static final class Writer implements SinkWriter<RowData> {
        private final Run run;
        private final Truth truth;
        private final Latencies latencies;
        private long count;
        private long checksum;

        Writer(Run run) {
            this.run = run;
            truth = run.truth();
            latencies = run.latencies();
        }

        @Override
        public void write(RowData row, Context context) {
            count++;
            checksum = Truth.add(checksum, truth.hash(row));
            if (latencies != null) {
                latencies.add(PacedKeySource.clock() - context.timestamp());
            }
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public void close() {
            run.arrived(count, checksum);
        }
    }
}
