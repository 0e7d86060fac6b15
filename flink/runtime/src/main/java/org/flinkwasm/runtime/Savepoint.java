package org.flinkwasm.runtime;

import com.google.gson.JsonObject;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.memory.DataInputViewStreamWrapper;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.state.CompletedCheckpointStorageLocation;
import org.apache.flink.runtime.state.CompressibleFSDataInputStream;
import org.apache.flink.runtime.state.OperatorBackendSerializationProxy;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.SnappyStreamCompressionDecorator;
import org.apache.flink.runtime.state.filesystem.AbstractFsCheckpointStorageAccess;
import org.flinkwasm.runtime.operator.StoredDescription;

import java.io.DataInputStream;
import java.io.IOException;

/** What the operators of a savepoint or checkpoint say of their state. */
final class Savepoint {
    private Savepoint() {}

    /** By the ids of operators, which are the hashes of their uids; those without state of a process function are left out. */
    static JsonObject operators(String path) {
        JsonObject operators = new JsonObject();
        try {
            for (OperatorState operator : metadata(path).getOperatorStates()) {
                JsonObject description = description(operator);
                if (description != null) {
                    operators.add(operator.getOperatorID().toHexString(), description);
                }
            }
        } catch (IOException e) {
            throw new DiagnosticException(
                    new Diagnostic(ErrorCode.IO, "no savepoint can be read at " + path + ": " + e.getMessage())
                            .help("the path is a savepoint's folder, or its file `_metadata`; its storage has to be in reach from here"),
                    e);
        }
        return operators;
    }

    private static CheckpointMetadata metadata(String path) throws IOException {
        CompletedCheckpointStorageLocation location = AbstractFsCheckpointStorageAccess.resolveCheckpointPointer(path);
        try (DataInputStream in = new DataInputStream(location.getMetadataHandle().openInputStream())) {
            return Checkpoints.loadCheckpointMetadata(in, Savepoint.class.getClassLoader(), path);
        }
    }

    /** Every subtask stores the same: the first that is found counts. */
    private static JsonObject description(OperatorState operator) throws IOException {
        for (OperatorSubtaskState subtask : operator.getStates()) {
            for (OperatorStateHandle handle : subtask.getManagedOperatorState()) {
                OperatorStateHandle.StateMetaInfo info = handle.getStateNameToPartitionOffsets().get(StoredDescription.NAME);
                if (info != null && info.getOffsets().length > 0) {
                    return read(handle, info.getOffsets()[0]);
                }
            }
        }
        return null;
    }

    private static JsonObject read(OperatorStateHandle handle, long offset) throws IOException {
        try (FSDataInputStream in = handle.openInputStream()) {
            in.seek(offset);
            return StoredDescription.read(new DataInputViewStreamWrapper(in));
        } catch (IOException | RuntimeException plain) {
            return readCompressed(handle, offset, plain);
        }
    }

    /** Whether the state is compressed stands in a part of the file that Flink alone can read; the compressed stream begins behind it. */
    private static JsonObject readCompressed(OperatorStateHandle handle, long offset, Exception plain) throws IOException {
        try (FSDataInputStream in = handle.openInputStream()) {
            new OperatorBackendSerializationProxy(Savepoint.class.getClassLoader()).read(new DataInputViewStreamWrapper(in));
            FSDataInputStream decompressed = new CompressibleFSDataInputStream(in, SnappyStreamCompressionDecorator.INSTANCE);
            decompressed.seek(offset);
            return StoredDescription.read(new DataInputViewStreamWrapper(decompressed));
        } catch (IOException | RuntimeException e) {
            e.addSuppressed(plain);
            throw new IOException("operator state `" + StoredDescription.NAME + "` is damaged", e);
        }
    }
}
