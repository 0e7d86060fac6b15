package org.flinkwasm.benches;

import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.checkpoint.CompletedCheckpointStats;
import org.apache.flink.runtime.checkpoint.SubtaskStateStats;
import org.apache.flink.runtime.util.EnvironmentInformation;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/** Counts rows by key under full load, with aligned checkpoints all the time: how long a checkpoint takes from its trigger to its end. */
public final class CheckpointBenchmark {
    private static final String INTERVAL = "1 s";

    private CheckpointBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments);
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        Cluster cluster = new Cluster();
        String folder = Path.of(options.text("--checkpoints")).toUri().toString();
        for (Backend backend : Backend.values()) {
            List<Variant> variants = CountVariants.of(options, backend);
            Rounds.run(backend.title, variants, (int) options.number("--rounds"), (variant, round, name) -> {
                Run run = CountVariants.run(name, Keys.UNIFORM, options, round);
                JobID job = new KeyedJob(cluster, backend)
                        .set("execution.checkpointing.interval", INTERVAL)
                        .set("execution.checkpointing.dir", folder)
                        .start(new KeySource(name), variant, new CheckingSink(name), name);
                cluster.await(job);
                double rowsPerSecond = run.finish();
                List<CompletedCheckpointStats> checkpoints = cluster.checkpoints(job).stream()
                        .filter(checkpoint -> run.isInWindow(checkpoint.getTriggerTimestamp()))
                        .toList();
                if (checkpoints.isEmpty()) {
                    throw new IllegalStateException(name + ": no checkpoint was completed");
                }
                double[] durations = sorted(checkpoints, CompletedCheckpointStats::getEndToEndDuration);
                return Map.of(
                        "medianMs", median(durations),
                        "maxMs", durations[durations.length - 1],
                        "barrierMs", median(sorted(checkpoints, longest(CheckpointBenchmark::barrier))),
                        "syncMs", median(sorted(checkpoints, longest(SubtaskStateStats::getSyncCheckpointDuration))),
                        "asyncMs", median(sorted(checkpoints, longest(SubtaskStateStats::getAsyncCheckpointDuration))),
                        "checkpoints", (double) checkpoints.size(),
                        "rowsPerSecond", rowsPerSecond);
            });
        }
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }

    /** From the trigger until the subtask had its barriers and let what was in flight out. */
    private static long barrier(SubtaskStateStats subtask) {
        return subtask.getCheckpointStartDelay() + subtask.getAlignmentDuration();
    }

    /** The greatest among the subtasks. */
    private static ToLongFunction<CompletedCheckpointStats> longest(ToLongFunction<SubtaskStateStats> duration) {
        return checkpoint -> checkpoint.getAllTaskStateStats().stream()
                .flatMap(task -> Arrays.stream(task.getSubtaskStats()))
                .mapToLong(duration)
                .max()
                .orElseThrow();
    }

    private static double[] sorted(List<CompletedCheckpointStats> checkpoints, ToLongFunction<CompletedCheckpointStats> duration) {
        return checkpoints.stream().mapToLong(duration).sorted().asDoubleStream().toArray();
    }

    private static double median(double[] sorted) {
        return sorted[sorted.length / 2];
    }
}
