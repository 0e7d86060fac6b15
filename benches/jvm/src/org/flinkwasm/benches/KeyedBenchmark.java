package org.flinkwasm.benches;

import org.apache.flink.runtime.util.EnvironmentInformation;

import java.util.List;
import java.util.Map;

/** Counts rows by key, as fast as they are taken: rows a second on each state backend, for each way in which keys come. */
public final class KeyedBenchmark {
    private KeyedBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments);
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        LinuxProcess sidecar = new LinuxProcess(options.number("--sidecar-pid"));
        Cluster cluster = new Cluster();
        for (Backend backend : Backend.values()) {
            List<Variant> variants = CountVariants.of(options, backend);
            for (Keys keys : Keys.values()) {
                String panel = "count, " + backend.title + ", " + keys.title;
                Rounds.run(panel, variants, (int) options.number("--rounds"), (variant, round, name) -> {
                    Run run = CountVariants.run(name, keys, options, round, LinuxProcess.ofThisJvm(), sidecar);
                    cluster.await(new KeyedJob(cluster, backend)
                            .start(new KeySource(name), variant, new CheckingSink(name), name));
                    double rowsPerSecond = run.finish();
                    double[] nanos = run.nanosARow();
                    return Map.of(
                            "rowsPerSecond", rowsPerSecond,
                            "jvmNanos", nanos[0],
                            "sidecarNanos", nanos[1],
                            "nanos", nanos[0] + nanos[1]);
                });
            }
        }
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }
}
