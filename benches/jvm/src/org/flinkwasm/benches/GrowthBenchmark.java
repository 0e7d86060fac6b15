package org.flinkwasm.benches;

import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.jobmaster.JobResult;
import org.apache.flink.runtime.util.EnvironmentInformation;

import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;

/** Counts many rows by key, and looks at memory again and again: what lives on this JVM's heap, and what the sidecar has resident. */
public final class GrowthBenchmark {
    private static final long PAUSE_MS = 20;

    private GrowthBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Options options = new Options(arguments);
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        Variant variant = CountVariants.of(options).get(0);
        Cluster cluster = new Cluster();
        long rows = options.number("--rows");
        int samples = (int) options.number("--samples");
        String name = "growth";
        Run run = new Run(name, new CountTruth(Keys.UNIFORM.sequenceBehindAll()), new Run.Length(0, Keys.COUNT), new Run.Length(0, rows));
        JobID job = new KeyedJob(cluster, Backend.HEAP)
                .start(new KeySource(name), variant, new CheckingSink(name), name);
        CompletableFuture<JobResult> end = cluster.end(job);
        for (int sample = 1; sample <= samples; sample++) {
            // The last sample comes before the job's end.
            long due = rows * sample / (samples + 1);
            while (run.rowsInWindow() < due && !end.isDone()) {
                Thread.sleep(PAUSE_MS);
            }
            sample(sample, run.rows(), new LinuxProcess(options.number("--sidecar-pid")));
        }
        cluster.await(job);
        run.finish();
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }

    private static void sample(int sample, long rows, LinuxProcess sidecar) {
        System.gc();
        double heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() / 1048576.0;
        System.out.printf(
                Locale.ROOT,
                "{\"sample\":%d,\"rows\":%d,\"heapMib\":%.3f,\"jvmMib\":%.3f,\"sidecarMib\":%.3f}%n",
                sample,
                rows,
                heap,
                LinuxProcess.ofThisJvm().residentMib(),
                sidecar.residentMib());
    }
}
