package org.flinkwasm.benches;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.data.RowData;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Runs the same rows through our operator and through its peers, one job after the other: every variant once to warm up, then round by
 * round. Prints one JSON object for each run.
 */
public final class OperatorBenchmark {
    private final Map<String, String> options;

    private OperatorBenchmark(Map<String, String> options) {
        this.options = options;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        new OperatorBenchmark(options).run();
    }

    private String option(String name) {
        String value = options.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    private double seconds(String name) {
        return Double.parseDouble(option(name));
    }

    private void run() throws Exception {
        System.out.printf("{\"flink\":\"%s\"}%n", EnvironmentInformation.getVersion());
        int rounds = Integer.parseInt(option("--rounds"));
        for (Workload workload : Workload.values()) {
            List<Variant> variants = variants(workload);
            for (Variant variant : variants) {
                measure(workload, variant, 0, 0, seconds("--warm-up"));
            }
            for (int round = 1; round <= rounds; round++) {
                for (Variant variant : variants) {
                    measure(workload, variant, round, seconds("--lead"), seconds("--seconds"));
                }
            }
        }
        // Flink leaves threads behind that are no daemons.
        System.exit(0);
    }

    /** In the order of a round. The last is the first again: what differs between them is noise. */
    private List<Variant> variants(Workload workload) {
        List<Variant> variants = new ArrayList<>();
        String component = option("--" + workload.title);
        variants.add(Variant.wasm("wasm", workload, option("--sidecar"), component));
        switch (workload) {
            case IDENTITY:
                variants.add(Variant.wasm("echo", workload, option("--echo"), component));
                variants.add(Variant.nothing("no operator"));
                break;
            case TAX:
                variants.add(Variant.javaMap("Java map"));
                variants.add(Variant.wasmBetweenTables("wasm, tables", workload, option("--sidecar"), component));
                variants.add(Variant.javaSql("Java SQL function", workload));
                break;
            case FILTER_10:
                variants.add(Variant.javaFilter("Java filter"));
                break;
        }
        variants.add(Variant.wasm("wasm again", workload, option("--sidecar"), component));
        return variants;
    }

    private void measure(Workload workload, Variant variant, int round, double lead, double window) throws Exception {
        String name = workload.title + ", " + variant.title() + ", round " + round;
        Run run = new Run(name, workload, lead, window);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
        // As the plan executor sets it for our jobs.
        environment.getConfig().enableObjectReuse();
        DataStream<RowData> rows = environment.fromSource(
                new RowSource(name), WatermarkStrategy.noWatermarks(), "rows", Variant.type(workload.input));
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
