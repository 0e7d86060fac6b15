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
        List<Variant> variants = CountVariants.of(options);
        LinuxProcess sidecar = new LinuxProcess(options.number("--sidecar-pid"));
        Cluster cluster = new Cluster();
        for (Backend backend : Backend.values()) {
            for (Keys keys : Keys.values()) {
                String panel = "count, " + backend.title + ", " + keys.title;
                Rounds.run(panel, variants, (int) options.number("--rounds"), (variant, round, name) -> {
                    Run run = CountVariants.run(name, keys, options, round);
                    double jvmNanos = LinuxProcess.ofThisJvm().processorNanos();
                    double sidecarNanos = sidecar.processorNanos();
                    cluster.await(new KeyedJob(cluster, backend)
                            .start(new KeySource(name), variant, new CheckingSink(name), name));
                    jvmNanos = LinuxProcess.ofThisJvm().processorNanos() - jvmNanos;
                    sidecarNanos = sidecar.processorNanos() - sidecarNanos;
                    return Map.of(
                            "rowsPerSecond", run.finish(),
                            "rows", (double) run.rows(),
                            "jvmNanos", jvmNanos / run.rows(),
                            "sidecarNanos", sidecarNanos / run.rows(),
                            "nanos", (jvmNanos + sidecarNanos) / run.rows());
                });
            }
        }
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }
}
