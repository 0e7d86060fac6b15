package org.flinkwasm.runtime.operator;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.protocol.SidecarConnection;

/** What a process function keeps in Flink, as a job tells it to whoever wants to go on with its state. */
public final class StateDescription {
    private StateDescription() {}

    /** Function, types of the key, and states. */
    public static JsonObject of(WasmOperatorSpec spec) {
        JsonObject json = new JsonObject();
        json.addProperty("function", spec.function());
        json.add("key", SidecarConnection.array(spec.keyed().keyedBy()));
        json.add("states", states(spec.keyed()));
        return json;
    }

    /** The states as OPEN and plans write them. */
    static JsonArray states(Keyed keyed) {
        JsonArray states = new JsonArray();
        for (State state : keyed.states()) {
            JsonObject json = new JsonObject();
            json.addProperty("name", state.name());
            json.addProperty("kind", state.kind().wireName());
            json.addProperty("schema", state.schema());
            if (state.ttlMs() != null) {
                json.addProperty("ttlMs", state.ttlMs());
            }
            states.add(json);
        }
        return states;
    }
}
