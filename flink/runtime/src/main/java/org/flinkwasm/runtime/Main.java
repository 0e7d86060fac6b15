package org.flinkwasm.runtime;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.flinkwasm.runtime.bundle.BundleOnClassPath;
import org.flinkwasm.runtime.plan.Plan;
import org.flinkwasm.runtime.plan.PlanTranslator;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The command line that {@code docs/plan.md} describes: {@code resolve}, {@code run}, {@code submit} and {@code savepoint}. */
public final class Main {
    private static final int EXIT_WRONG = 1;
    private static final int EXIT_USAGE = 2;
    private static final int EXIT_DEFECT = 3;
    private static final String USAGE = "usage: resolve --plan FILE | run [--parallelism N] [--sidecar-socket PATH] | submit [--parallelism N] [--sidecar-socket PATH] | savepoint --path PATH";
    private static final Map<String, List<String>> COMMANDS = Map.of(
            "resolve", List.of("--plan"),
            "run", List.of("--parallelism", "--sidecar-socket"),
            "submit", List.of("--parallelism", "--sidecar-socket"),
            "savepoint", List.of("--path"));
    /** The options that a command can't do without. */
    private static final Map<String, String> REQUIRED = Map.of("resolve", "--plan", "savepoint", "--path");

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = options(arguments);
        if (arguments.length > 0 && arguments[0].equals("submit")) {
            if (options == null) {
                // This is the JobManager's JVM: it must not exit.
                throw new IllegalArgumentException(USAGE);
            }
            submit(parallelism(options), options.get("--sidecar-socket"));
        } else if (options == null) {
            System.err.println(USAGE);
            System.exit(EXIT_USAGE);
        } else {
            System.exit(answer(arguments[0], options));
        }
    }

    private static Map<String, String> options(String[] arguments) {
        List<String> known = arguments.length == 0 ? null : COMMANDS.get(arguments[0]);
        if (known == null || arguments.length % 2 == 0) {
            return null;
        }
        Map<String, String> options = new HashMap<>();
        for (int i = 1; i < arguments.length; i += 2) {
            if (!known.contains(arguments[i])) {
                return null;
            }
            options.put(arguments[i], arguments[i + 1]);
        }
        boolean complete = !REQUIRED.containsKey(arguments[0]) || options.containsKey(REQUIRED.get(arguments[0]));
        boolean numeric = options.getOrDefault("--parallelism", "1").matches("[1-9][0-9]{0,4}");
        return complete && numeric ? options : null;
    }

    private static Integer parallelism(Map<String, String> options) {
        String parallelism = options.get("--parallelism");
        return parallelism == null ? null : Integer.valueOf(parallelism);
    }

    /** Carries out a command that answers on standard output. */
    private static int answer(String command, Map<String, String> options) {
        Events events = Events.takeStandardOutput();
        boolean runs = command.equals("run");
        try {
            if (command.equals("resolve")) {
                events.print(resolve(Path.of(options.get("--plan"))));
            } else if (command.equals("savepoint")) {
                JsonObject answer = new JsonObject();
                answer.add("operators", Savepoint.operators(options.get("--path")));
                events.print(answer);
            } else {
                new EmbeddedRun(events, Main.class.getClassLoader()).run(parallelism(options), options.get("--sidecar-socket"));
            }
            return 0;
        } catch (DiagnosticException e) {
            events.print(error(runs, e.diagnostic()));
            return EXIT_WRONG;
        } catch (Exception | LinkageError e) {
            e.printStackTrace();
            events.print(error(runs, new Diagnostic(ErrorCode.INTERNAL, e.toString())));
            return EXIT_DEFECT;
        }
    }

    private static JsonObject error(boolean runs, Diagnostic diagnostic) {
        JsonObject json = runs ? Events.event("error") : new JsonObject();
        json.add("error", diagnostic.toJson());
        return json;
    }

    private static JsonObject resolve(Path file) throws IOException {
        Plan plan = Plan.parse(Files.readString(file));
        Configuration configuration = PlanTranslator.configuration(plan, null);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(configuration);
        PlanTranslator translator = new PlanTranslator(plan, "sha256:0", environment, configuration).translate();
        translator.validate();
        JsonObject relations = new JsonObject();
        translator.relations().forEach((relation, columns) -> {
            JsonArray array = new JsonArray();
            columns.forEach((name, type) -> {
                JsonObject column = new JsonObject();
                column.addProperty("name", name);
                column.addProperty("type", type);
                array.add(column);
            });
            relations.add(relation, array);
        });
        JsonObject answer = new JsonObject();
        answer.add("relations", relations);
        answer.addProperty("flinkVersion", EnvironmentInformation.getVersion());
        return answer;
    }

    /** Called by the JobManager, in the environment that Flink gives. */
    private static void submit(Integer parallelism, String sidecarSocket) throws Exception {
        BundleOnClassPath bundle = new BundleOnClassPath(Thread.currentThread().getContextClassLoader());
        Plan plan = Plan.parse(bundle.plan());
        Configuration configuration = PlanTranslator.configuration(plan, sidecarSocket);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        Integer chosen = parallelism != null ? parallelism : plan.parallelism();
        if (chosen != null) {
            environment.setParallelism(chosen);
        }
        new PlanTranslator(plan, bundle.digest(), environment, configuration).translate().attach();
        environment.execute(plan.name());
    }
}
