package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.StateKind;
import org.flinkwasm.runtime.protocol.ProtocolException;
import org.flinkwasm.runtime.protocol.StateAnswer;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The states of a process function in Flink's state backend, for the current key. States are numbered as the function declares them. */
final class KeyedStates {
    private final List<State> states;
    /** For each state, the one of its kind. */
    private final ValueState<byte[]>[] values;
    private final ReducingState<byte[]>[] reducing;
    private final ListState<byte[]>[] lists;
    private final MapState<MapKey, byte[]>[] maps;
    /** For each state its place among the value and reducing states, or -1. */
    private final int[] valueIndices;
    /** The value and reducing states. */
    private final int[] valueStates;
    private final int valueCount;
    /** For each state, whether its values are objects on the heap that may be written over. */
    private final boolean[] inPlace;

    /** @param onHeap whether the backend hands out the very objects that it holds */
    @SuppressWarnings("unchecked")
    KeyedStates(List<State> states, RuntimeContext context, boolean onHeap) {
        this.states = states;
        int count = states.size();
        values = new ValueState[count];
        reducing = new ReducingState[count];
        lists = new ListState[count];
        maps = new MapState[count];
        valueIndices = new int[count];
        inPlace = new boolean[count];
        int nextValue = 0;
        for (int i = 0; i < count; i++) {
            // A TTL counts from the last update, which the backend has to see.
            inPlace[i] = onHeap && states.get(i).kind().isValue() && states.get(i).ttlMs() == null;
            open(i, states.get(i), context);
            valueIndices[i] = states.get(i).kind().isValue() ? nextValue++ : -1;
        }
        valueCount = nextValue;
        valueStates = IntStream.range(0, count).filter(state -> valueIndices[state] >= 0).toArray();
    }

    private void open(int index, State state, RuntimeContext context) {
        StateSerializer serializer = new StateSerializer(state.schema(), inPlace[index]);
        switch (state.kind()) {
            case VALUE:
                values[index] = context.getState(withTtl(new ValueStateDescriptor<>(state.name(), serializer), state));
                break;
            case REDUCING:
                // The function has reduced already.
                reducing[index] = context.getReducingState(
                        withTtl(new ReducingStateDescriptor<>(state.name(), (old, reduced) -> reduced, serializer), state));
                break;
            case LIST:
                lists[index] = context.getListState(withTtl(new ListStateDescriptor<>(state.name(), serializer), state));
                break;
            default:
                maps[index] = context.getMapState(withTtl(
                        new MapStateDescriptor<>(state.name(), new MapKeySerializer(state.schema()), serializer), state));
        }
    }

    private static <D extends StateDescriptor<?, ?>> D withTtl(D descriptor, State state) {
        if (state.ttlMs() != null) {
            descriptor.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMillis(state.ttlMs()))
                    .setUpdateType(StateTtlConfig.UpdateType.OnCreateAndWrite)
                    .setStateVisibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
                    .build());
        }
        return descriptor;
    }

    int count() {
        return states.size();
    }

    /** The number of value and reducing states. */
    int valueCount() {
        return valueCount;
    }

    /** A state's place among the value and reducing states. */
    int valueIndex(int state) {
        return valueIndices[state];
    }

    /** Whether the values of a value or reducing state, by its place among them, may be written over where they are. */
    boolean isInPlace(int index) {
        return inPlace[valueStates[index]];
    }

    /** Whether a value may expire. */
    boolean hasTtl() {
        return states.stream().anyMatch(state -> state.kind().isValue() && state.ttlMs() != null);
    }

    /** The value of a value or reducing state, by its place among them; null if there is none. */
    byte[] value(int index) throws Exception {
        int state = valueStates[index];
        return values[state] != null ? values[state].value() : reducing[state].get();
    }

    /** Sets the value of a value or reducing state; null clears it. */
    void setValue(int state, byte[] value) throws Exception {
        if (values[state] != null) {
            if (value == null) {
                values[state].clear();
            } else {
                values[state].update(value);
            }
        } else if (reducing[state] != null) {
            if (value == null) {
                reducing[state].clear();
            } else {
                reducing[state].add(value);
            }
        } else {
            throw misused(state, "a value");
        }
    }

    /** Adds to a list, or puts into a map. */
    void put(int state, byte[] element, byte[] value) throws Exception {
        if (value == null) {
            throw misused(state, "an element without value");
        } else if (lists[state] != null) {
            lists[state].add(value);
        } else if (maps[state] != null && element != null) {
            maps[state].put(new MapKey(element), value);
        } else {
            throw misused(state, "an element");
        }
    }

    void remove(int state, byte[] element) throws Exception {
        if (maps[state] == null || element == null) {
            throw misused(state, "a removal");
        }
        maps[state].remove(new MapKey(element));
    }

    void clear(int state) {
        if (lists[state] != null) {
            lists[state].clear();
        } else if (maps[state] != null) {
            maps[state].clear();
        } else {
            throw misused(state, "a clearing");
        }
    }

    /** Adds the value under a map's key to an answer, if there is one. */
    void answer(int state, byte[] element, StateAnswer answer) throws Exception {
        if (state < 0 || state >= maps.length || maps[state] == null) {
            throw misused(state, "a question for an element");
        }
        byte[] value = maps[state].get(new MapKey(element));
        if (value != null) {
            answer.add(element, value);
        }
    }

    /** Adds all elements of a list or map to an answer. */
    void answerAll(int state, StateAnswer answer) throws Exception {
        if (state < 0 || state >= maps.length || lists[state] == null && maps[state] == null) {
            throw misused(state, "a question for elements");
        }
        if (maps[state] != null) {
            for (Map.Entry<MapKey, byte[]> entry : maps[state].entries()) {
                answer.add(entry.getKey().bytes(), entry.getValue());
            }
            return;
        }
        Iterable<byte[]> elements = lists[state].get();
        if (elements != null) {
            for (byte[] element : elements) {
                answer.add(MapKey.NONE, element);
            }
        }
    }

    private ProtocolException misused(int state, String what) {
        boolean known = state >= 0 && state < states.size();
        StateKind kind = known ? states.get(state).kind() : null;
        return ProtocolException.violation(
                what + " for state " + Integer.toUnsignedString(state) + (known ? " of kind " + kind.wireName() : ", which does not exist"));
    }
}
