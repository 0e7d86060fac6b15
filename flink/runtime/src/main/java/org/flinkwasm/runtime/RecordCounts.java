package org.flinkwasm.runtime;

import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricConfig;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

import java.util.Collection;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * How many records the sources of this JVM's cluster put out and its sinks took in, from Flink's own counters. Counters stay readable after
 * their task is over, so that the last count is exact.
 */
public final class RecordCounts implements MetricReporter, MetricReporterFactory {
    private static final Collection<Counter> IN = new ConcurrentLinkedQueue<>();
    private static final Collection<Counter> OUT = new ConcurrentLinkedQueue<>();

    /** Records that sources put out. */
    static long in() {
        return IN.stream().mapToLong(Counter::getCount).sum();
    }

    /** Records that sinks took in. */
    static long out() {
        return OUT.stream().mapToLong(Counter::getCount).sum();
    }

    static void reset() {
        IN.clear();
        OUT.clear();
    }

    @Override
    public void notifyOfAddedMetric(Metric metric, String name, MetricGroup group) {
        String operator = group.getAllVariables().get("<operator_name>");
        if (operator == null || !(metric instanceof Counter counter)) {
            return;
        }
        if (name.equals("numRecordsOut") && operator.startsWith("Source: ")) {
            IN.add(counter);
        } else if (name.equals("numRecordsIn") && (operator.endsWith(": Writer") || operator.startsWith("Sink: "))) {
            OUT.add(counter);
        }
    }

    @Override
    public void notifyOfRemovedMetric(Metric metric, String name, MetricGroup group) {}

    @Override
    public void open(MetricConfig config) {}

    @Override
    public void close() {}

    @Override
    public MetricReporter createMetricReporter(Properties properties) {
        return this;
    }
}
