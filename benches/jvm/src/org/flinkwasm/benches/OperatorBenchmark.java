package org.flinkwasm.benches;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.data.RowData;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Runs the same rows through our operator and through its peers, one job after the other: every variant once to warm up, then round by
 * round. Prints one JSON object for each run.
 */
public final class OperatorBenchmark {
    private final Options options;

    private OperatorBenchmark(Options options) {
        this.options = options;
    }

    public static void main(String[] arguments) throws Exception {
        new OperatorBenchmark(new Options(arguments)).run();
    }

    private void run() throws Exception {
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        int rounds = (int) options.number("--rounds");
        for (Workload workload : Workload.values()) {
            List<Variant> variants = variants(workload);
            for (Variant variant : variants) {
                measure(workload, variant, 0, 0, options.seconds("--warm-up"));
            }
            for (int round = 1; round <= rounds; round++) {
                for (Variant variant : variants) {
                    measure(workload, variant, round, options.seconds("--lead"), options.seconds("--seconds"));
                }
            }
        }
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }

    /** In the order of a round. The last is the first again: what differs between them is noise. */
    private List<Variant> variants(Workload workload) {
        List<Variant> variants = new ArrayList<>();
        String component = options.text("--" + workload.title);
        variants.add(Variant.wasm("wasm", workload, options.text("--sidecar"), component));
        switch (workload) {
            case IDENTITY:
                variants.add(Variant.wasm("echo", workload, options.text("--echo"), component));
                variants.add(Variant.nothing("no operator"));
                break;
            case TAX:
                variants.add(Variant.javaMap("Java map"));
                variants.add(Variant.wasmBetweenTables("wasm, tables", workload, options.text("--sidecar"), component));
                variants.add(Variant.javaSql("Java SQL function", workload));
                break;
            case FILTER_10:
                variants.add(Variant.javaFilter("Java filter"));
                break;
        }
        variants.add(Variant.wasm("wasm again", workload, options.text("--sidecar"), component));
        return variants;
    }

    private void measure(Workload workload, Variant variant, int round, double lead, double window) throws Exception {
        String name = workload.title + ", " + variant.title() + ", round " + round;
        Run run = new Run(name, workload, Run.Length.seconds(lead), Run.Length.seconds(window));
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
        // As the plan executor sets it for our jobs.
        environment.getConfig().enableObjectReuse();
        DataStream<RowData> rows = environment.fromSource(
                new RowSource(name, workload), WatermarkStrategy.noWatermarks(), "rows", Variant.type(workload.input));
        variant.apply(rows).sinkTo(new CheckingSink(name));
        environment.execute(name);
        double rowsPerSecond = run.finish();
        System.out.printf(
                Locale.ROOT,
                "{\"workload\":\"%s\",\"variant\":\"%s\",\"round\":%d,\"rows\":%d,\"rowsPerSecond\":%.1f}%n",
                workload.title,
                variant.title(),
                round,
                run.rows(),
                rowsPerSecond);
    }
}
