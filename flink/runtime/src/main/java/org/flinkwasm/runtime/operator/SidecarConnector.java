package org.flinkwasm.runtime.operator;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import org.apache.flink.runtime.execution.Environment;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.bundle.BundleOnClassPath;
import org.flinkwasm.runtime.protocol.SidecarConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/** Finds the sidecar, and opens a subtask's function there. */
final class SidecarConnector {
    private static final Logger LOG = LoggerFactory.getLogger(SidecarConnector.class);

    private static final String CLIENT = "flink-wasm-runtime/0.1.0";

    private final WasmOperatorSpec spec;
    private final Environment environment;
    private final ClassLoader classLoader;
    private final UnaryOperator<DiagnosticException> describer;

    SidecarConnector(
            WasmOperatorSpec spec, Environment environment, ClassLoader classLoader, UnaryOperator<DiagnosticException> describer) {
        this.spec = spec;
        this.environment = environment;
        this.classLoader = classLoader;
        this.describer = describer;
    }

    /** Where the sidecar listens. */
    String socketPath() {
        if (spec.settings().socket() != null) {
            return spec.settings().socket();
        }
        String configured = environment.getTaskManagerInfo().getConfiguration().get(WasmOptions.SIDECAR_SOCKET);
        if (configured != null) {
            return configured;
        }
        return System.getenv().getOrDefault(WasmOptions.SOCKET_VARIABLE, WasmOptions.DEFAULT_SOCKET);
    }

    /** Connects and opens the function. A sidecar that goes away meanwhile is tried again until the time is over. */
    SidecarConnection connect(String socket) throws InterruptedException {
        long deadline = System.nanoTime() + spec.settings().connectTimeoutMs() * 1_000_000L;
        while (true) {
            long remainingMs = Math.max(0, (deadline - System.nanoTime()) / 1_000_000L);
            SidecarConnection connection = SidecarConnection.connect(
                    Path.of(socket), remainingMs, spec.settings().connectTimeoutMs(), handshakeTimeoutMs());
            try {
                connection.hello(hello());
                JsonObject opened = connection.open(openRequest(), new BundleOnClassPath(classLoader)::blob);
                connection.opened(spec.replyTimeoutMs());
                LOG.info("{} opened by the sidecar at {}: {}", spec.operatorName(), socket, opened);
                return connection;
            } catch (IOException e) {
                closeQuietly(connection);
                if (System.nanoTime() - deadline >= 0) {
                    throw SidecarConnection.unreachable(Path.of(socket), spec.settings().connectTimeoutMs(), e);
                }
                // A sidecar that accepts and hangs up would be asked without pause.
                Thread.sleep(SidecarConnection.CONNECT_PAUSE_MS);
            } catch (DiagnosticException e) {
                closeQuietly(connection);
                throw describer.apply(e);
            } catch (RuntimeException e) {
                closeQuietly(connection);
                throw e;
            }
        }
    }

    /** No longer than connecting may take: a frozen sidecar ends the attempt too. */
    private long handshakeTimeoutMs() {
        return Math.max(1, Math.min(SidecarConnection.HANDSHAKE_TIMEOUT_MS, spec.settings().connectTimeoutMs()));
    }

    private static void closeQuietly(SidecarConnection connection) {
        try {
            connection.close();
        } catch (IOException e) {
            LOG.debug("closing a broken connection failed", e);
        }
    }

    private JsonObject hello() {
        JsonObject hello = new JsonObject();
        hello.addProperty("client", CLIENT);
        hello.addProperty("jobName", environment.getJobInfo().getJobName());
        hello.addProperty("jobId", environment.getJobID().toHexString());
        hello.addProperty("operator", spec.operatorName());
        hello.addProperty("subtask", environment.getTaskInfo().getIndexOfThisSubtask());
        hello.addProperty("attempt", environment.getTaskInfo().getAttemptNumber());
        hello.addProperty("bundleDigest", spec.bundleDigest());
        return hello;
    }

    private JsonObject openRequest() {
        JsonObject open = SidecarConnection.openRequest(
                spec.function(),
                spec.component(),
                spec.kind().wireName(),
                JsonParser.parseString(spec.parameters()).getAsJsonObject(),
                spec.inputTypes(),
                spec.outputTypes(),
                JsonParser.parseString(spec.limits()).getAsJsonObject());
        if (spec.keyed() != null) {
            addKeyed(open, spec.keyed());
        }
        if (!spec.onError().equals(WasmOperatorSpec.OnError.FAIL)) {
            JsonObject onError = new JsonObject();
            onError.addProperty("policy", spec.onError().policy().wireName());
            onError.addProperty("retries", spec.onError().retries());
            open.add("onError", onError);
        }
        JsonArray limiters = JsonParser.parseString(spec.rateLimiters()).getAsJsonArray();
        if (!limiters.isEmpty()) {
            int parallelism = environment.getTaskInfo().getNumberOfParallelSubtasks();
            open.add("rateLimiters", RateLimiters.ofSubtask(limiters, parallelism));
        }
        return open;
    }

    private static void addKeyed(JsonObject open, WasmOperatorSpec.Keyed keyed) {
        open.add("key", SidecarConnection.array(keyed.keyTypes()));
        open.add("states", StateDescription.states(keyed));
        JsonArray sideOutputs = new JsonArray();
        for (WasmOperatorSpec.SideOutput side : keyed.sideOutputs()) {
            JsonObject json = new JsonObject();
            json.addProperty("name", side.name());
            json.add("types", SidecarConnection.array(side.fieldTypes()));
            sideOutputs.add(json);
        }
        open.add("sideOutputs", sideOutputs);
    }
}
