package org.flinkwasm.benches;

import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.data.RowData;

/** A job of source, exchange by key, function and sink; the exchange makes it two tasks, parallelism 1. */
final class KeyedJob {
    private final Cluster cluster;
    private final Configuration configuration = new Configuration();

    KeyedJob(Cluster cluster, Backend backend) {
        this.cluster = cluster;
        backend.configure(configuration);
        // A failure ends the run.
        configuration.setString("restart-strategy.type", "none");
    }

    KeyedJob set(String option, String value) {
        configuration.setString(option, value);
        return this;
    }

    JobID start(OneReaderSource source, Variant variant, Sink<RowData> sink, String name) throws Exception {
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
        // As the plan executor sets it for our jobs.
        environment.getConfig().enableObjectReuse();
        DataStream<RowData> rows =
                environment.fromSource(source, WatermarkStrategy.noWatermarks(), "rows", Variant.type(CountTruth.INPUT));
        variant.apply(rows).sinkTo(sink);
        return cluster.start(environment, name);
    }
}
