package org.flinkwasm.benches;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Runs variants one after the other: every one once to warm up, as round 0, then round by round. */
final class Rounds {
    /** One run; gives what it measured, by name. */
    @FunctionalInterface
    interface Measurement {
        Map<String, Double> run(Variant variant, int round, String name) throws Exception;
    }

    private Rounds() {}

    /** Prints one JSON object for each run. */
    static void run(String panel, List<Variant> variants, int rounds, Measurement measurement) throws Exception {
        for (int round = 0; round <= rounds; round++) {
            for (Variant variant : variants) {
                // No run pays for what the one before it left behind.
                System.gc();
                String name = panel + ", " + variant.title() + ", round " + round;
                print(panel, variant, round, measurement.run(variant, round, name));
            }
        }
    }

    private static void print(String panel, Variant variant, int round, Map<String, Double> values) {
        String measured = new TreeMap<>(values)
                .entrySet().stream()
                        .map(value -> String.format(Locale.ROOT, "\"%s\":%.3f", value.getKey(), value.getValue()))
                        .collect(Collectors.joining(","));
        System.out.printf("{\"panel\":\"%s\",\"variant\":\"%s\",\"round\":%d,%s}%n", panel, variant.title(), round, measured);
    }
}
