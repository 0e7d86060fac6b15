package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.flinkwasm.runtime.RealSidecar;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/**
 * The component {@code all-states} in a sidecar and the same rules in a {@code KeyedProcessFunction} are given the same rows, watermarks,
 * clocks and restores. Whatever they put out for a key is the same, in the same order.
 */
@Timeout(120)
class AllStatesTest {
    private static final int STEPS = 6000;
    private static final int KEYS = 60;
    private static final List<String> OPS = List.of(
            "set", "unset", "sum", "append", "append", "put", "put", "count", "remove", "clear", "timer", "timer", "delete-timer", "alarm",
            "alarm", "delete-alarm", "copy", "read");

    @TempDir
    Path folder;

    private RealSidecar sidecar;
    private String digest;
    private URLClassLoader withBundle;
    private AllStates java;
    private AllStates wasm;
    private long watermark;
    private long clock;
    private long ttlClock;

    @BeforeEach
    void start() throws Exception {
        digest = RealSidecar.putBlob(folder, RealSidecar.component("all-states"));
        sidecar = new RealSidecar(folder);
        withBundle = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader());
    }

    @AfterEach
    void stop() throws Exception {
        java.close();
        wasm.close();
        withBundle.close();
        sidecar.close();
    }

    private void open(String backend, OperatorSubtaskState javaState, OperatorSubtaskState wasmState) throws Exception {
        java = AllStates.inJava(backend);
        wasm = AllStates.inSidecar(
                AllStates.spec(sidecar, digest, AllStates.states(), Policy.FAIL), withBundle, backend);
        java.open(javaState);
        wasm.open(wasmState);
        setClocks();
    }

    private void setClocks() throws Exception {
        for (AllStates each : List.of(java, wasm)) {
            each.harness.setStateTtlProcessingTime(ttlClock);
            each.harness.setProcessingTime(clock);
        }
        wasm.drain();
    }

    @ParameterizedTest
    @CsvSource({"hashmap, 1", "hashmap, 2", "rocksdb, 3"})
    void sameAsInJava(String backend, long seed) throws Exception {
        Random random = new Random(seed);
        open(backend, null, null);
        int fired = 0;
        for (int id = 0; id < STEPS; id++) {
            int kind = random.nextInt(400);
            if (kind == 0) {
                // What is in flight is carried out by the clock of before, as rows of a process function in Java are.
                wasm.drain();
                clock += random.nextInt(60);
                ttlClock += random.nextInt(4) == 0 ? AllStates.HOUR_MS : random.nextInt(1000);
                setClocks();
            } else if (kind == 1 && id % 3 == 0) {
                fired += compare();
                restore(backend);
            } else if (kind < 12) {
                watermark += random.nextInt(50);
                java.harness.processWatermark(watermark);
                wasm.harness.processWatermark(watermark);
            } else {
                row(random, id);
            }
        }
        java.harness.processWatermark(Long.MAX_VALUE);
        wasm.harness.processWatermark(Long.MAX_VALUE);
        fired += compare();
        assertTrue(fired > 100, "only " + fired + " rows came by the side output");
    }

    private void row(Random random, int id) throws Exception {
        long k = random.nextInt(random.nextBoolean() ? 5 : KEYS);
        String op = OPS.get(random.nextInt(OPS.size()));
        String name = String.valueOf((char) ('a' + random.nextInt(4)));
        long n = op.endsWith("timer")
                ? watermark + random.nextInt(40) - 5
                : op.endsWith("alarm") ? clock + 1 + random.nextInt(80) : random.nextInt(1000) - 500;
        long timestamp = watermark + random.nextInt(30);
        java.process(timestamp, k, id, op, name, n);
        wasm.process(timestamp, k, id, op, name, n);
    }

    /** Takes a snapshot of both, and goes on from it with new operators. */
    private void restore(String backend) throws Exception {
        OperatorSubtaskState javaState = java.harness.snapshot(1, 1);
        OperatorSubtaskState wasmState = wasm.harness.snapshot(1, 1);
        java.close();
        wasm.close();
        open(backend, javaState, wasmState);
        java.harness.processWatermark(watermark);
        wasm.harness.processWatermark(watermark);
    }

    /** Compares what was put out, and says how much of it came by the side output. */
    private int compare() throws Exception {
        wasm.drain();
        Map<String, List<String>> events = byKey(java.events());
        assertSame(events, byKey(wasm.events()));
        assertSame(byKey(java.output()), byKey(wasm.output()));
        assertEquals(java.harness.numEventTimeTimers(), wasm.harness.numEventTimeTimers());
        return events.values().stream().mapToInt(List::size).sum();
    }

    /** Names the first difference, not all rows. */
    private static void assertSame(Map<String, List<String>> expected, Map<String, List<String>> actual) {
        Set<String> keys = new TreeSet<>(expected.keySet());
        keys.addAll(actual.keySet());
        keys.forEach(key -> {
            List<String> rows = expected.getOrDefault(key, List.of());
            List<String> others = actual.getOrDefault(key, List.of());
            for (int i = 0; i < Math.min(rows.size(), others.size()); i++) {
                assertEquals(rows.get(i), others.get(i), "row " + i + " of key " + key);
            }
            int same = Math.min(rows.size(), others.size());
            assertEquals(rows.subList(same, rows.size()), others.subList(same, others.size()), "rows of key " + key);
        });
    }

    /** Flink promises an order within a key only. */
    private static Map<String, List<String>> byKey(List<String> rows) {
        return rows.stream().collect(Collectors.groupingBy(row -> row.split("[,@]")[0], TreeMap::new, Collectors.toList()));
    }
}
