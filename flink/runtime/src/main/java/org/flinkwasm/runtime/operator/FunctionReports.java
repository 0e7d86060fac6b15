package org.flinkwasm.runtime.operator;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.flinkwasm.runtime.protocol.ProtocolException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** What a function counts, measures and logs becomes Flink's metrics and the task manager's log. */
final class FunctionReports {
    /** The log's name is this and the function's name. */
    private static final String LOGGER_PREFIX = "org.flinkwasm.function.";

    private final MetricGroup group;
    private final Logger log;
    private final Map<String, Counter> counters = new HashMap<>();
    private final Map<String, double[]> gauges = new HashMap<>();

    FunctionReports(MetricGroup operatorGroup, String function) {
        group = operatorGroup.addGroup("wasm", function);
        log = LoggerFactory.getLogger(LOGGER_PREFIX + function);
    }

    /** A counter of the operator's own beside those of the function. */
    Counter counter(String name) {
        return counters.computeIfAbsent(name, group::counter);
    }

    /** Takes in the trailer of a reply. */
    void report(String trailer) {
        try {
            JsonObject json = JsonParser.parseString(trailer).getAsJsonObject();
            for (Map.Entry<String, JsonElement> entry : members(json, "counters")) {
                counter(entry.getKey()).inc(entry.getValue().getAsLong());
            }
            for (Map.Entry<String, JsonElement> entry : members(json, "gauges")) {
                gauges.computeIfAbsent(entry.getKey(), this::newGauge)[0] = entry.getValue().getAsDouble();
            }
            if (json.has("logs")) {
                for (JsonElement line : json.getAsJsonArray("logs")) {
                    log(line.getAsJsonObject());
                }
            }
            if (json.has("droppedLogs") && json.get("droppedLogs").getAsLong() > 0) {
                log.warn("{} log lines of a bundle were dropped", json.get("droppedLogs").getAsLong());
            }
        } catch (JsonParseException | IllegalStateException | UnsupportedOperationException | ClassCastException
                | NumberFormatException e) {
            throw ProtocolException.violation("the trailer of a reply can't be read: " + e.getMessage());
        }
    }

    private static Iterable<Map.Entry<String, JsonElement>> members(JsonObject json, String name) {
        return json.has(name) ? json.getAsJsonObject(name).entrySet() : Map.<String, JsonElement>of().entrySet();
    }

    private double[] newGauge(String name) {
        double[] value = new double[1];
        group.gauge(name, (Gauge<Double>) () -> value[0]);
        return value;
    }

    private void log(JsonObject line) {
        String message = line.get("message").getAsString();
        switch (line.get("level").getAsString().toLowerCase(Locale.ROOT)) {
            case "trace":
                log.trace("{}", message);
                break;
            case "debug":
                log.debug("{}", message);
                break;
            case "warn":
                log.warn("{}", message);
                break;
            case "error":
                log.error("{}", message);
                break;
            default:
                log.info("{}", message);
        }
    }
}
