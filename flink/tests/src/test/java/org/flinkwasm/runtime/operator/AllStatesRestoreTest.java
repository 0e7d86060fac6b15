package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.throwable.ThrowableClassifier;
import org.apache.flink.runtime.throwable.ThrowableType;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.RealSidecar;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.StateKind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** State and timers of {@code all-states} go on elsewhere: on another number of subtasks, or not at all for a function with other types. */
@Timeout(120)
class AllStatesRestoreTest {
    private static final int KEYS = 40;

    @TempDir
    Path folder;

    private RealSidecar sidecar;
    private String digest;
    private URLClassLoader withBundle;

    @BeforeEach
    void start() throws Exception {
        digest = RealSidecar.putBlob(folder, RealSidecar.component("all-states"));
        sidecar = new RealSidecar(folder);
        withBundle = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader());
    }

    @AfterEach
    void stop() throws Exception {
        withBundle.close();
        sidecar.close();
    }

    private AllStates operator(List<State> states, String backend, int parallelism, int subtask) throws Exception {
        return AllStates.inSidecar(
                AllStates.spec(sidecar, digest, states, Policy.FAIL), withBundle, backend, parallelism, subtask);
    }

    /** A snapshot with every kind of state, and a timer, of each key. */
    private OperatorSubtaskState snapshot(String backend) throws Exception {
        try (AllStates one = operator(AllStates.states(), backend, 1, 0)) {
            one.open(null);
            for (long k = 0; k < KEYS; k++) {
                one.process(1, k, 0, "set", "", k);
                one.process(1, k, 0, "sum", "", 2);
                one.process(1, k, 0, "append", "", 3);
                one.process(1, k, 0, "put", "a", 4);
                one.process(1, k, 0, "timer", "", 100);
            }
            one.drain();
            return one.harness.snapshot(1, 1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hashmap", "rocksdb"})
    void rescaledStateIsWithItsKey(String backend) throws Exception {
        OperatorSubtaskState whole = snapshot(backend);
        Set<Long> seen = new TreeSet<>();
        List<OperatorSubtaskState> halves = new ArrayList<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            try (AllStates half = operator(AllStates.states(), backend, 2, subtask)) {
                half.open(AbstractStreamOperatorTestHarness.repartitionOperatorState(
                        whole, AllStates.MAX_PARALLELISM, 1, 2, subtask));
                half.harness.processWatermark(100);
                List<Long> fired = half.events().stream().map(AllStatesRestoreTest::key).toList();
                assertTrue(seen.addAll(fired));
                half.output();
                for (long k : fired) {
                    half.process(1, k, 1, "read", "", 0);
                }
                half.drain();
                List<String> expected = fired.stream().map(k -> "[" + k + ", 1, 1, " + k + ", 3, 3, a=4]@1").toList();
                assertEquals(expected, half.output());
                halves.add(half.harness.snapshot(2, 2));
            }
        }
        assertEquals(KEYS, seen.size());
        OperatorSubtaskState both = AbstractStreamOperatorTestHarness.repackageState(halves.toArray(new OperatorSubtaskState[0]));
        try (AllStates one = operator(AllStates.states(), backend, 1, 0)) {
            one.open(AbstractStreamOperatorTestHarness.repartitionOperatorState(both, AllStates.MAX_PARALLELISM, 2, 1, 0));
            for (long k = 0; k < KEYS; k++) {
                one.process(1, k, 2, "read", "", 0);
            }
            one.drain();
            List<String> output = one.output();
            for (int k = 0; k < KEYS; k++) {
                assertEquals("[" + k + ", 2, 1, " + k + ", 3, 3, a=4]@1", output.get(k));
            }
            // The timer of 100 has fired, and registered another one.
            one.harness.processWatermark(200);
            assertEquals(KEYS, one.events().size());
        }
    }

    private static long key(String event) {
        return Long.parseLong(event.substring(1, event.indexOf(',')));
    }

    @ParameterizedTest
    @CsvSource({
        "hashmap, list, LIST, v1:list<string>, , list `v1:list<i64>`, list `v1:list<string>`",
        "rocksdb, list, LIST, v1:list<string>, , list `v1:list<i64>`, list `v1:list<string>`",
        "hashmap, sum, VALUE, v1:i64, , reducing `v1:i64`, value `v1:i64`",
        "hashmap, value, VALUE, v1:i64, , value `v1:i64` with TTL, value `v1:i64`",
    })
    void anotherTypeIsRefused(String backend, String name, StateKind kind, String schema, Long ttlMs, String before, String now)
            throws Exception {
        OperatorSubtaskState old = snapshot(backend);
        List<State> states = new ArrayList<>(AllStates.states());
        states.replaceAll(state -> state.name().equals(name) ? new State(name, kind, schema, ttlMs) : state);
        try (AllStates other = operator(states, backend, 1, 0)) {
            DiagnosticException e = assertThrows(DiagnosticException.class, () -> other.open(old));
            assertEquals("FW0606", e.diagnostic().code());
            assertEquals(
                    "the state `" + name + "` was stored as " + before + ", the function `all-states` has it as " + now,
                    e.diagnostic().message());
            assertTrue(ThrowableClassifier.findThrowableOfThrowableType(e, ThrowableType.NonRecoverableError).isPresent());
        }
    }
}
