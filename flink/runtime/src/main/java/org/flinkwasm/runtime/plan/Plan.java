package org.flinkwasm.runtime.plan;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;

import java.util.List;
import java.util.Map;

/** What {@code crates/plan} wrote; see {@code docs/plan.md}. */
public record Plan(
        int version, String name, Integer parallelism, Map<String, String> options, Map<String, Function> functions, List<Step> steps) {
    private static final int VERSION = 1;

    /**
     * A function of the job.
     *
     * @param key what a process function reads of the key, by position; empty if nothing
     * @param timers whether a process function may register timers
     */
    public record Function(
            String component,
            String kind,
            List<Field> input,
            List<Field> output,
            JsonObject parameters,
            JsonObject limits,
            List<Field> key,
            List<State> states,
            List<SideOutput> sideOutputs,
            boolean timers,
            JsonArray rateLimiters) {
        public Function {
            input = orEmpty(input);
            output = orEmpty(output);
            parameters = parameters == null ? new JsonObject() : parameters;
            limits = limits == null ? new JsonObject() : limits;
            key = orEmpty(key);
            states = orEmpty(states);
            sideOutputs = orEmpty(sideOutputs);
            rateLimiters = rateLimiters == null ? new JsonArray() : rateLimiters;
        }
    }

    /** A field of a function's input, output or key; the type as SQL. */
    public record Field(String name, String type) {}

    /** A keyed state of a process function. */
    public record State(String name, String kind, String schema, Long ttlMs) {}

    /** A side output of a process function. */
    public record SideOutput(String name, List<Field> fields) {}

    /**
     * A step. Which members are there depends on {@code kind}.
     *
     * @param from JSON pointer into the job definition
     * @param key columns by which a process function is keyed; empty for other functions
     * @param sideOutputs the relations that side outputs become; others are dropped
     * @param onError null: the job fails
     */
    public record Step(
            String kind,
            String from,
            String sql,
            String name,
            List<String> drop,
            String input,
            String column,
            String uid,
            String function,
            List<String> arguments,
            String output,
            String prefix,
            String table,
            Map<String, String> with,
            List<String> key,
            Map<String, String> sideOutputs,
            OnError onError) {
        public Step {
            key = orEmpty(key);
            sideOutputs = sideOutputs == null ? Map.of() : sideOutputs;
        }
    }

    /**
     * What becomes of rows that a function fails on.
     *
     * @param relation the relation that dead letters become; null with another policy
     */
    public record OnError(String policy, int retries, String relation) {}

    private static <T> List<T> orEmpty(List<T> list) {
        return list == null ? List.of() : list;
    }

    /** Reads a plan. */
    public static Plan parse(String text) {
        Plan plan;
        try {
            plan = new Gson().fromJson(text, Plan.class);
        } catch (JsonParseException e) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.INTERNAL, "the plan is malformed: " + e.getMessage()), e);
        }
        if (plan == null || plan.version != VERSION) {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.NEWER_BUNDLE,
                            "the plan has version " + (plan == null ? "none" : plan.version) + ", this runtime reads version " + VERSION)
                    .help("use the flink-wasm that wrote the plan"));
        }
        return new Plan(
                plan.version,
                plan.name == null ? "flink-wasm job" : plan.name,
                plan.parallelism,
                plan.options == null ? Map.of() : plan.options,
                plan.functions == null ? Map.of() : plan.functions,
                plan.steps == null ? List.of() : plan.steps);
    }
}
