package org.flinkwasm.runtime.operator;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.ErrorCode;
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

    /**
     * Refuses to go on with state of another type. A state that is new begins empty, and one that is missing is given up.
     *
     * @param old the description that was stored with the state
     */
    static void check(JsonObject old, WasmOperatorSpec spec) {
        for (JsonElement element : old.getAsJsonArray("states")) {
            JsonObject before = element.getAsJsonObject();
            String name = before.get("name").getAsString();
            for (State state : spec.keyed().states()) {
                if (state.name().equals(name) && !type(before).equals(type(state))) {
                    throw incompatible(name, type(before), old.get("function").getAsString(), type(state), spec);
                }
            }
        }
    }

    private static WasmFunctionException incompatible(
            String name, String before, String functionBefore, String now, WasmOperatorSpec spec) {
        return new WasmFunctionException(new Diagnostic(
                        ErrorCode.STATE_INCOMPATIBLE, "the state `" + name + "` was stored as " + before + ", the function `"
                                + spec.function() + "` has it as " + now)
                .function(spec.function(), spec.component())
                .note("it was stored by the function `" + functionBefore + "`")
                .help("give the state of the new type another name; it begins empty"));
    }

    private static String type(JsonObject state) {
        return type(state.get("kind").getAsString(), state.get("schema").getAsString(), state.has("ttlMs"));
    }

    private static String type(State state) {
        return type(state.kind().wireName(), state.schema(), state.ttlMs() != null);
    }

    /** What Flink can't go on from when it differs. How long a TTL is may change. */
    private static String type(String kind, String schema, boolean hasTtl) {
        return kind + " `" + schema + "`" + (hasTtl ? " with TTL" : "");
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
