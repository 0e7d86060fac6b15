package org.flinkwasm.runtime.plan;

import com.google.gson.Gson;
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

    /** A function of the job. */
    public record Function(
            String component, String kind, List<Field> input, List<Field> output, JsonObject parameters, JsonObject limits) {}

    /** A field of a function's input or output; the type as SQL. */
    public record Field(String name, String type) {}

    /**
     * A step. Which members are there depends on {@code kind}.
     *
     * @param from JSON pointer into the job definition
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
            Map<String, String> with) {}

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
