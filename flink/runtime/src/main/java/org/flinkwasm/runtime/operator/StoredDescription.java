package org.flinkwasm.runtime.operator;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.memory.DataInputView;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The {@link StateDescription} that stands beside the state in each checkpoint and savepoint, as operator state. Each subtask stores it and is
 * given those of all, so that each of them finds out before it touches keyed state.
 */
public final class StoredDescription {
    /** The name of the operator state. */
    public static final String NAME = "flink-wasm-state";

    private final ListState<byte[]> stored;

    StoredDescription(OperatorStateStore store) throws Exception {
        stored = store.getUnionListState(new ListStateDescriptor<>(NAME, BytePrimitiveArraySerializer.INSTANCE));
    }

    /** Refuses what was restored if the function can't go on with it. */
    void check(WasmOperatorSpec spec) throws Exception {
        for (byte[] text : stored.get()) {
            StateDescription.check(parse(text), spec);
        }
    }

    void store(WasmOperatorSpec spec) throws Exception {
        stored.update(List.of(StateDescription.of(spec).toString().getBytes(StandardCharsets.UTF_8)));
    }

    /** Reads an element of the state where it begins in a savepoint's file. */
    public static JsonObject read(DataInputView in) throws IOException {
        return parse(BytePrimitiveArraySerializer.INSTANCE.deserialize(in));
    }

    private static JsonObject parse(byte[] text) {
        try {
            return JsonParser.parseString(new String(text, StandardCharsets.UTF_8)).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            throw new IllegalStateException("operator state `" + NAME + "` is no JSON object", e);
        }
    }
}
