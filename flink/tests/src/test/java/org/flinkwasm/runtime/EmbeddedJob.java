package org.flinkwasm.runtime;

import org.flinkwasm.shaded.gson.JsonObject;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.lang.ProcessBuilder.Redirect;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Writes a plan step by step, and runs it in a JVM of its own as a user starts it, with the real sidecar. */
abstract class EmbeddedJob {
    @TempDir
    Path folder;

    RealSidecar sidecar;
    private final Map<String, String> functions = new LinkedHashMap<>();
    private final List<String> steps = new ArrayList<>();
    String options = "{}";
    Process process;

    /** What a run printed, and how it ended. */
    record Outcome(List<JsonObject> events, int exitCode) {
        List<String> rows() {
            return rows("sink");
        }

        List<String> rows(String sink) {
            return printed(sink).stream().sorted().toList();
        }

        /** The rows of a sink as they came. */
        List<String> printed(String sink) {
            return events.stream()
                    .filter(event -> event.get("event").getAsString().equals("row") && event.get("sink").getAsString().equals(sink))
                    .map(event -> event.get("row").toString())
                    .toList();
        }

        JsonObject last() {
            return events.get(events.size() - 1);
        }

        JsonObject error() {
            assertEquals("error", last().get("event").getAsString(), events.toString());
            assertEquals(1, exitCode);
            return last().getAsJsonObject("error");
        }
    }

    @BeforeEach
    void start() throws Exception {
        sidecar = new RealSidecar(folder);
    }

    @AfterEach
    void stop() throws Exception {
        if (process != null) {
            process.destroyForcibly().waitFor();
        }
        sidecar.close();
    }

    void function(String name, String component, String kind, String input, String output, String parameters) throws Exception {
        function(name, component, kind, input, output, parameters, "");
    }

    void function(String name, String component, String kind, String input, String output, String parameters, String more)
            throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component(component));
        functions.put(
                name,
                "{\"component\":\"" + digest + "\",\"kind\":\"" + kind + "\",\"input\":[" + input + "],\"output\":[" + output
                        + "],\"parameters\":" + parameters + ",\"limits\":{\"memoryBytes\":67108864,\"deadlineMs\":10000}" + more + "}");
    }

    static String field(String name, String type) {
        return "{\"name\":\"" + name + "\",\"type\":\"" + type + "\"}";
    }

    void statement(String from, String sql) {
        step("statement", from, "\"sql\":\"" + sql + "\"");
    }

    void wasm(String name, String input, String function, String arguments, String output) {
        wasm(name, input, function, arguments, output, "");
    }

    void wasm(String name, String input, String function, String arguments, String output, String more) {
        step("wasm", "/operations/" + steps.size(), "\"name\":\"" + name + "\",\"uid\":\"" + name + "\",\"input\":\"" + input + "\",\"function\":\""
                + function + "\",\"arguments\":" + arguments + ",\"output\":\"" + output + "\",\"prefix\":\"" + (output.equals("flag") ? "flag" : "") + "\"" + more);
    }

    void step(String kind, String from, String more) {
        steps.add("{\"kind\":\"" + kind + "\",\"from\":\"" + from + "\"," + more + "}");
    }

    void console(String input) {
        console("sink", input);
    }

    void console(String sink, String input) {
        step("insert", "/sink", "\"table\":\"" + sink + "\",\"input\":\"" + input + "\",\"with\":{\"connector\":\"flink-wasm-console\"}");
    }

    Path plan() throws Exception {
        List<String> declared = functions.entrySet().stream().map(entry -> "\"" + entry.getKey() + "\":" + entry.getValue()).toList();
        String plan = "{\"version\":1,\"name\":\"a job\",\"parallelism\":1,\"options\":" + options + ",\"functions\":{" + String.join(",", declared)
                + "},\"steps\":[" + String.join(",", steps) + "]}";
        String digest = RealSidecar.putBlob(folder, plan.getBytes(StandardCharsets.UTF_8));
        String manifest = "{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"application/vnd.flink-wasm.plan.v1+json\",\"digest\":\"" + digest + "\"}]}";
        String manifestDigest = RealSidecar.putBlob(folder, manifest.getBytes(StandardCharsets.UTF_8));
        Files.writeString(folder.resolve("flink-wasm/index.json"), "{\"manifests\":[{\"digest\":\"" + manifestDigest + "\"}]}");
        Path file = folder.resolve("plan.json");
        Files.writeString(file, plan);
        return file;
    }

    void launch(Redirect input, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream().filter(option -> option.startsWith("--add-opens")).forEach(command::add);
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-Xmx1g", "-cp"));
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.add(folder + File.pathSeparator + classPath);
        command.add("org.flinkwasm.runtime.Main");
        command.addAll(List.of(arguments));
        process = new ProcessBuilder(command)
                .redirectInput(input)
                .redirectError(folder.resolve("stderr.log").toFile())
                .start();
    }

    Outcome outcome() throws Exception {
        List<JsonObject> events = new ArrayList<>();
        process.inputReader(StandardCharsets.UTF_8)
                .lines()
                .forEach(line -> events.add(JsonParser.parseString(line).getAsJsonObject()));
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        return new Outcome(events, process.exitValue());
    }

    Outcome run(String... more) throws Exception {
        plan();
        List<String> arguments = new ArrayList<>(List.of("run", "--sidecar-socket", sidecar.socket.toString()));
        arguments.addAll(List.of(more));
        launch(Redirect.from(new File("/dev/null")), arguments.toArray(String[]::new));
        return outcome();
    }

    /** Runs a job that has to finish. */
    Outcome runToItsEnd(int parallelism) throws Exception {
        Outcome outcome = run("--parallelism", String.valueOf(parallelism));
        assertEquals("finished", outcome.last().get("event").getAsString(), outcome.last().toString());
        return outcome;
    }
}
