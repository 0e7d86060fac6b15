package org.flinkwasm.runtime;

import com.google.gson.JsonObject;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.SerializedThrowable;
import org.flinkwasm.runtime.bundle.BundleOnClassPath;
import org.flinkwasm.runtime.connector.ConsolePrinter;
import org.flinkwasm.runtime.plan.Plan;
import org.flinkwasm.runtime.plan.PlanTranslator;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Runs the bundle on the class path in a cluster inside this JVM, and tells how it goes. */
final class EmbeddedRun {
    private static final long PROGRESS_PERIOD_MS = 1000;
    private static final long POLL_MS = 50;
    private static final long CANCEL_TIMEOUT_S = 20;
    private static final Pattern CODED = Pattern.compile("\\b(FW\\d{4}): (.*)", Pattern.DOTALL);

    private final Events events;
    private final BundleOnClassPath bundle;
    private long startedAt;
    private JobStatus shown;

    EmbeddedRun(Events events, ClassLoader classLoader) {
        this.events = events;
        this.bundle = new BundleOnClassPath(classLoader);
    }

    /** Runs to the end. Returns whether the job finished, or was cancelled from outside. */
    boolean run(Integer parallelism, String sidecarSocket) throws Exception {
        Plan plan = Plan.parse(bundle.plan());
        Configuration configuration = PlanTranslator.configuration(plan, sidecarSocket);
        configuration.setString("metrics.reporter.flink-wasm.factory.class", RecordCounts.class.getName());
        if (!plan.options().containsKey(RestartStrategyOptions.RESTART_STRATEGY.key())) {
            // What fails here should be seen at once.
            configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        }
        RecordCounts.reset();
        ConsolePrinter.listen(events::printRow);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(configuration);
        Integer chosen = parallelism != null ? parallelism : plan.parallelism();
        if (chosen != null) {
            environment.setParallelism(chosen);
        }
        new PlanTranslator(plan, bundle.digest(), environment, configuration).translate().attach();
        startedAt = System.currentTimeMillis();
        JobClient client = environment.executeAsync(plan.name());
        JsonObject submitted = Events.event("submitted");
        submitted.addProperty("jobId", client.getJobID().toHexString());
        submitted.addProperty("name", plan.name());
        events.print(submitted);
        cancelWhenAsked(client);
        return watch(client);
    }

    private boolean watch(JobClient client) throws InterruptedException {
        var result = client.getJobExecutionResult();
        long nextProgress = startedAt + PROGRESS_PERIOD_MS;
        while (true) {
            try {
                result.get(POLL_MS, TimeUnit.MILLISECONDS);
                finished(JobStatus.FINISHED);
                return true;
            } catch (TimeoutException e) {
                showState(client);
                long now = System.currentTimeMillis();
                if (now >= nextProgress && (shown == null || !shown.isGloballyTerminalState())) {
                    nextProgress = now + PROGRESS_PERIOD_MS;
                    events.print(withCounts(Events.event("progress")));
                }
            } catch (ExecutionException e) {
                if (isCancellation(e)) {
                    finished(JobStatus.CANCELED);
                    return true;
                }
                throw new DiagnosticException(diagnose(e), e);
            }
        }
    }

    private void showState(JobClient client) throws InterruptedException {
        try {
            showState(client.getJobStatus().get());
        } catch (ExecutionException | IllegalStateException e) {
            // The cluster is gone: the result says the rest.
        }
    }

    private void showState(JobStatus state) {
        if (state != shown) {
            shown = state;
            JsonObject event = Events.event("state");
            event.addProperty("state", state.name());
            events.print(event);
        }
    }

    private void finished(JobStatus state) {
        showState(state);
        JsonObject event = Events.event("finished");
        event.addProperty("state", state.name());
        events.print(withCounts(event));
    }

    private JsonObject withCounts(JsonObject event) {
        event.addProperty("elapsedMs", System.currentTimeMillis() - startedAt);
        event.addProperty("recordsIn", RecordCounts.in());
        event.addProperty("recordsOut", RecordCounts.out());
        return event;
    }

    private static boolean isCancellation(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof org.apache.flink.runtime.client.JobCancellationException) {
                return true;
            }
        }
        return false;
    }

    /** The diagnostic that a task threw; else the root cause in Flink's words. */
    static Diagnostic diagnose(Throwable error) {
        Throwable root = error;
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            Throwable actual = cause instanceof SerializedThrowable serialized
                    ? serialized.deserializeError(EmbeddedRun.class.getClassLoader())
                    : cause;
            if (actual instanceof DiagnosticException known) {
                return known.diagnostic();
            }
            if (actual.getMessage() != null) {
                Matcher coded = CODED.matcher(actual.getMessage());
                if (coded.find() && ErrorCode.of(coded.group(1)).isPresent()) {
                    return new Diagnostic(ErrorCode.of(coded.group(1)).get(), coded.group(2));
                }
            }
            root = actual;
        }
        String message = root.getMessage() == null ? root.toString() : root.getMessage();
        return new Diagnostic(ErrorCode.JOB_FAILED, message.strip()).note(root.getClass().getName());
    }

    /** SIGTERM, and the end of a pipe on standard input (whoever started this JVM is gone), cancel the job. */
    private static void cancelWhenAsked(JobClient client) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> cancel(client), "flink-wasm cancel"));
        if (isPipe(Path.of("/proc/self/fd/0"))) {
            Thread watcher = new Thread(
                    () -> {
                        try {
                            while (System.in.read() >= 0) {
                                // What is written there means nothing.
                            }
                        } catch (IOException e) {
                            // As good as the end.
                        }
                        cancel(client);
                    },
                    "flink-wasm standard input");
            watcher.setDaemon(true);
            watcher.start();
        }
    }

    private static boolean isPipe(Path descriptor) {
        try {
            String target = Files.readSymbolicLink(descriptor).toString();
            return target.startsWith("pipe:") || target.startsWith("socket:");
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    private static void cancel(JobClient client) {
        try {
            if (!client.getJobStatus().get(CANCEL_TIMEOUT_S, TimeUnit.SECONDS).isGloballyTerminalState()) {
                client.cancel().get(CANCEL_TIMEOUT_S, TimeUnit.SECONDS);
            }
        } catch (ExecutionException | TimeoutException | InterruptedException | IllegalStateException e) {
            // The job, or its cluster, is over already.
        }
    }
}
