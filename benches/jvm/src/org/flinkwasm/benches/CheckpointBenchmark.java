package org.flinkwasm.benches;

import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.checkpoint.CompletedCheckpointStats;
import org.apache.flink.runtime.util.EnvironmentInformation;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Counts rows by key under full load, with aligned checkpoints all the time: how long a checkpoint takes from its trigger to its end. */
public final class CheckpointBenchmark {
    private static final String INTERVAL = "1 s";

    private CheckpointBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments);
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        List<Variant> variants = CountVariants.of(options);
        Cluster cluster = new Cluster();
        String folder = Path.of(options.text("--checkpoints")).toUri().toString();
        for (Backend backend : Backend.values()) {
            Rounds.run(backend.title, variants, (int) options.number("--rounds"), (variant, round, name) -> {
                Run run = CountVariants.run(name, Keys.UNIFORM, options, round);
                JobID job = new KeyedJob(cluster, backend)
                        .set("execution.checkpointing.interval", INTERVAL)
                        .set("execution.checkpointing.dir", folder)
                        .start(new KeySource(name), variant, new CheckingSink(name), name);
                cluster.await(job);
                double rowsPerSecond = run.finish();
                double[] durations = cluster.checkpoints(job).stream()
                        .filter(checkpoint -> run.isInWindow(checkpoint.getTriggerTimestamp()))
                        .mapToDouble(CompletedCheckpointStats::getEndToEndDuration)
                        .sorted()
                        .toArray();
                if (durations.length == 0) {
                    throw new IllegalStateException(name + ": no checkpoint was completed");
                }
                return Map.of(
                        "medianMs", durations[durations.length / 2],
                        "maxMs", durations[durations.length - 1],
                        "checkpoints", (double) durations.length,
                        "rowsPerSecond", rowsPerSecond);
            });
        }
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }
}
