package org.flinkwasm.benches;

import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Puts out rows that were made before the job began, again and again until the run's time is over: as little work as a source can have,
 * one row a poll as Flink's own readers do.
 */
final class RowSource implements Source<RowData, RowSource.Part, Boolean> {
    private static final long serialVersionUID = 1L;

    private final String run;

    RowSource(String run) {
        this.run = run;
    }

    /** There are no splits: the one reader has all rows. */
    record Part(String splitId) implements SourceSplit {}

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<RowData, Part> createReader(SourceReaderContext context) {
        return new Reader(Run.named(run));
    }

    private static final class Reader implements SourceReader<RowData, Part> {
        /** The clock is asked once for so many rows, so that it costs nothing. */
        private static final int CLOCK_MASK = 1023;

        private final Run run;
        private final RowData[] rows;
        private final int mask;
        private long count;

        Reader(Run run) {
            this.run = run;
            rows = run.workload().rows();
            mask = rows.length - 1;
        }

        @Override
        public InputStatus pollNext(ReaderOutput<RowData> output) {
            if ((count & CLOCK_MASK) == 0 && run.isOver(count, System.nanoTime())) {
                return InputStatus.END_OF_INPUT;
            }
            output.collect(rows[(int) count++ & mask]);
            return InputStatus.MORE_AVAILABLE;
        }

        @Override
        public void start() {}

        @Override
        public List<Part> snapshotState(long checkpointId) {
            return List.of();
        }

        @Override
        public CompletableFuture<Void> isAvailable() {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void addSplits(List<Part> splits) {}

        @Override
        public void notifyNoMoreSplits() {}

        @Override
        public void close() {}
    }

    @Override
    public SplitEnumerator<Part, Boolean> createEnumerator(SplitEnumeratorContext<Part> context) {
        return new Enumerator();
    }

    @Override
    public SplitEnumerator<Part, Boolean> restoreEnumerator(SplitEnumeratorContext<Part> context, Boolean state) {
        return new Enumerator();
    }

    private static final class Enumerator implements SplitEnumerator<Part, Boolean> {
        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String hostname) {}

        @Override
        public void addSplitsBack(List<Part> splits, int subtask) {}

        @Override
        public void addReader(int subtask) {}

        @Override
        public Boolean snapshotState(long checkpointId) {
            return true;
        }

        @Override
        public void close() {}
    }

    @Override
    public SimpleVersionedSerializer<Part> getSplitSerializer() {
        return new NoSerializer<>();
    }

    @Override
    public SimpleVersionedSerializer<Boolean> getEnumeratorCheckpointSerializer() {
        return new NoSerializer<>();
    }

    /** Runs take no checkpoints. */
    private static final class NoSerializer<T> implements SimpleVersionedSerializer<T> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(T value) {
            throw new UnsupportedOperationException("a run takes no checkpoints");
        }

        @Override
        public T deserialize(int version, byte[] bytes) {
            throw new UnsupportedOperationException("a run takes no checkpoints");
        }
    }
}
