package org.flinkwasm.runtime;

import org.flinkwasm.shaded.gson.JsonObject;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** The command {@code savepoint}, on a checkpoint that a whole job left behind. */
@Timeout(120)
class SavepointTest {
    /** Flink's hash of the uid `the counts`: murmur3_128 of its UTF-8. */
    private static final String ID = "3da6c6a57578e3a263ec71328f26cad0";

    @TempDir
    Path folder;

    private Process process;

    @AfterEach
    void stop() throws Exception {
        if (process != null) {
            process.destroyForcibly().waitFor();
        }
    }

    private BufferedReader launch(Redirect input, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream().filter(option -> option.startsWith("--add-opens")).forEach(command::add);
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-Xmx1g", "-cp"));
        command.add(folder + File.pathSeparator + System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
        command.add("org.flinkwasm.runtime.Main");
        command.addAll(List.of(arguments));
        process = new ProcessBuilder(command).redirectInput(input).redirectError(folder.resolve("stderr.log").toFile()).start();
        return process.inputReader(StandardCharsets.UTF_8);
    }

    private JsonObject ask(Path path) throws Exception {
        String line = launch(Redirect.from(new File("/dev/null")), "savepoint", "--path", path.toString()).readLine();
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        return JsonParser.parseString(line).getAsJsonObject();
    }

    /** Counts rows by user without end, with the state of `count` in a checkpoint every 200 ms that is kept. */
    private void plan(boolean compressed) throws Exception {
        String component = RealSidecar.putBlob(folder, RealSidecar.component("count"));
        String user = "{\"name\":\"user_id\",\"type\":\"BIGINT NOT NULL\"}";
        String plan = "{\"version\":1,\"name\":\"counts\",\"parallelism\":2,\"options\":{\"execution.checkpointing.interval\":\"200 ms\","
                + "\"execution.checkpointing.dir\":\"" + folder.resolve("checkpoints").toUri() + "\","
                + "\"execution.checkpointing.snapshot-compression\":\"" + compressed + "\","
                + "\"execution.checkpointing.externalized-checkpoint-retention\":\"RETAIN_ON_CANCELLATION\"},"
                + "\"functions\":{\"count\":{\"component\":\"" + component + "\",\"kind\":\"process\",\"input\":[" + user + "],\"output\":["
                + user + ",{\"name\":\"count\",\"type\":\"BIGINT NOT NULL\"}],\"key\":[{\"name\":\"value\",\"type\":\"BIGINT NOT NULL\"}],"
                + "\"states\":[{\"name\":\"count\",\"kind\":\"value\",\"schema\":\"v1:i64\"}]}},\"steps\":["
                + "{\"kind\":\"statement\",\"from\":\"/source\",\"sql\":\"CREATE TEMPORARY TABLE `source` (user_id BIGINT NOT NULL) WITH "
                + "('connector' = 'datagen', 'rows-per-second' = '100', 'fields.user_id.min' = '1', 'fields.user_id.max' = '9')\"},"
                + "{\"kind\":\"wasm\",\"from\":\"/operations/0\",\"name\":\"counts\",\"uid\":\"the counts\",\"input\":\"source\",\"function\":\"count\","
                + "\"output\":\"replace\",\"key\":[\"user_id\"]},"
                + "{\"kind\":\"insert\",\"from\":\"/sink\",\"input\":\"counts\",\"table\":\"sink\",\"with\":{\"connector\":\"blackhole\"}}]}";
        String digest = RealSidecar.putBlob(folder, plan.getBytes(StandardCharsets.UTF_8));
        String manifest = RealSidecar.putBlob(
                folder,
                ("{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"application/vnd.flink-wasm.plan.v1+json\",\"digest\":\"" + digest + "\"}]}")
                        .getBytes(StandardCharsets.UTF_8));
        Files.writeString(folder.resolve("flink-wasm/index.json"), "{\"manifests\":[{\"digest\":\"" + manifest + "\"}]}");
    }

    private Optional<Path> checkpoint() throws IOException {
        Path checkpoints = folder.resolve("checkpoints");
        if (!Files.exists(checkpoints)) {
            return Optional.empty();
        }
        try (Stream<Path> files = Files.walk(checkpoints)) {
            return files.filter(file -> file.endsWith("_metadata")).map(Path::getParent).findFirst();
        } catch (UncheckedIOException e) {
            // A newer checkpoint took its place.
            return Optional.empty();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void stateIsToldByTheHashOfTheUid(boolean compressed) throws Exception {
        plan(compressed);
        try (RealSidecar sidecar = new RealSidecar(folder)) {
            BufferedReader events = launch(Redirect.PIPE, "run", "--sidecar-socket", sidecar.socket.toString());
            while (process.isAlive() && checkpoint().isEmpty()) {
                Thread.sleep(100);
            }
            process.getOutputStream().close();
            String last = events.lines().reduce((earlier, later) -> later).orElse("");
            assertTrue(last.contains("CANCELED"), last);
        }
        Path path = checkpoint().orElseThrow();
        JsonObject answer = ask(path);
        assertEquals(
                "{\"operators\":{\"" + ID + "\":{\"function\":\"count\",\"key\":[\"BIGINT\"],\"states\":["
                        + "{\"name\":\"count\",\"kind\":\"value\",\"schema\":\"v1:i64\"}]}}}",
                answer.toString());
        assertEquals(0, process.exitValue());
        assertEquals(answer, ask(path.resolve("_metadata")));
    }

    @Test
    void whatIsNotThereIsNamed() throws Exception {
        JsonObject error = ask(folder.resolve("nothing")).getAsJsonObject("error");
        assertEquals("FW0002", error.get("code").getAsString());
        assertTrue(error.get("message").getAsString().contains(folder.resolve("nothing").toString()), error.toString());
        assertEquals(1, process.exitValue());
    }
}
