package org.flinkwasm.benches;

import org.apache.flink.runtime.util.EnvironmentInformation;

import java.util.List;
import java.util.Map;

/** Counts rows by key at a fixed rate: how long a row takes from the moment when it was due at the source to the sink. */
public final class LatencyBenchmark {
    private LatencyBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments);
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        List<Variant> variants = CountVariants.of(options);
        Cluster cluster = new Cluster();
        long rate = options.number("--rate");
        Rounds.run("count, heap", variants, (int) options.number("--rounds"), (variant, round, name) -> {
            Run.Length lead = Run.Length.seconds(round == 0 ? 0 : options.seconds("--lead"));
            Run.Length window = Run.Length.seconds(options.seconds(round == 0 ? "--warm-up" : "--seconds"));
            Run run = new Run(name, new CountTruth(Keys.ZIPF.sequence()), lead, window);
            Latencies latencies = new Latencies();
            run.keep(latencies);
            cluster.await(new KeyedJob(cluster, Backend.HEAP)
                    .set("execution.buffer-timeout.interval", options.text("--buffer-timeout"))
                    .start(new PacedKeySource(name, rate), variant, new CheckingSink(name), name));
            double rowsPerSecond = run.finish();
            int[] micros = latencies.sortedFrom(run.rowsBeforeWindow());
            return Map.of(
                    "p50Ms", Latencies.quantile(micros, 0.5) / 1e3,
                    "p99Ms", Latencies.quantile(micros, 0.99) / 1e3,
                    "maxMs", micros[micros.length - 1] / 1e3,
                    "rowsPerSecond", rowsPerSecond);
        });
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }
}
