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

/** A source whose one reader makes its rows itself: what Flink asks of a source beyond a poll, which here is nothing. */
abstract class OneReaderSource implements Source<RowData, OneReaderSource.Part, Boolean> {
    private static final long serialVersionUID = 1L;

    /** There are no splits: the one reader has all rows. */
    record Part(String splitId) implements SourceSplit {}

    abstract Reader reader();

    /** Puts out rows, one a poll as Flink's own readers do. */
    abstract static class Reader implements SourceReader<RowData, Part> {
        @Override
        public abstract InputStatus pollNext(ReaderOutput<RowData> output);

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
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<RowData, Part> createReader(SourceReaderContext context) {
        return reader();
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
        return new Constant<>(new Part("rows"));
    }

    @Override
    public SimpleVersionedSerializer<Boolean> getEnumeratorCheckpointSerializer() {
        return new Constant<>(true);
    }

    /** There is one value, so nothing is written. */
    private record Constant<T>(T value) implements SimpleVersionedSerializer<T> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(T value) {
            return new byte[0];
        }

        @Override
        public T deserialize(int version, byte[] bytes) {
            return value;
        }
    }
}
