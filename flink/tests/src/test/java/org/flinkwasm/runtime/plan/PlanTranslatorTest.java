package org.flinkwasm.runtime.plan;

import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.table.types.logical.BigIntType;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.operator.RowKeySelector;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.shaded.gson.JsonObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Plans become graphs, or diagnostics. Nothing runs here. */
@Timeout(120)
class PlanTranslatorTest {
    private static final String SOURCE = statement(
            "/source",
            "CREATE TEMPORARY TABLE `source` (id BIGINT NOT NULL, region STRING, amount DOUBLE, price DECIMAL(10, 2), n INT, "
                    + "ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen', 'number-of-rows' = '1')");
    private static final String SINK = insert("source", "\"with\": {\"connector\": \"blackhole\"}");

    private static String statement(String from, String sql) {
        return "{\"kind\": \"statement\", \"from\": \"" + from + "\", \"sql\": \"" + sql + "\"}";
    }

    private static String view(String name, String sql) {
        return "{\"kind\": \"view\", \"from\": \"/operations/0\", \"name\": \"" + name + "\", \"sql\": \"" + sql + "\", \"drop\": []}";
    }

    private static String wasm(String name, String input, String function, String arguments, String output) {
        return "{\"kind\": \"wasm\", \"from\": \"/operations/0\", \"name\": \"" + name + "\", \"uid\": \"" + name + "\", \"input\": \"" + input
                + "\", \"function\": \"" + function + "\", \"arguments\": " + arguments + ", \"output\": \"" + output + "\", \"prefix\": \"\"}";
    }

    private static String process(String name, String input, String function, String key, String more) {
        String step = wasm(name, input, function, "null", "replace");
        return step.substring(0, step.length() - 1) + ", \"key\": " + key + more + "}";
    }

    private static String insert(String input, String more) {
        return "{\"kind\": \"insert\", \"from\": \"/sink\", \"table\": \"sink\", \"input\": \"" + input + "\"" + (more.isEmpty() ? "" : ", " + more)
                + "}";
    }

    private static String function(String kind, String input, String output) {
        return "{\"component\": \"sha256:1a2b3c4d5e\", \"kind\": \"" + kind + "\", \"input\": [" + input + "], \"output\": [" + output + "]}";
    }

    private static String field(String name, String type) {
        return "{\"name\": \"" + name + "\", \"type\": \"" + type + "\"}";
    }

    private static final String SESSIONS = function(
                    "process", field("id", "BIGINT NOT NULL") + ", " + field("n", "INT"), field("id", "BIGINT NOT NULL") + ", " + field("ts", "TIMESTAMP(3)"))
            .replace(
                    "}]}",
                    "}], \"key\": [" + field("user", "BIGINT NOT NULL") + "], \"states\": [{\"name\": \"open\", \"kind\": \"value\", \"schema\": \"v1:i64\", "
                            + "\"ttlMs\": 60000}, {\"name\": \"seen\", \"kind\": \"map\", \"schema\": \"v1:map<i64,string>\"}], \"sideOutputs\": "
                            + "[{\"name\": \"late\", \"fields\": [" + field("n", "INT NOT NULL") + ", " + field("ts", "TIMESTAMP(6)") + "]}, {\"name\": \"odd\", \"fields\": ["
                            + field("id", "BIGINT") + "]}], \"timers\": true}");
    private static final String FUNCTIONS = "{\"sessions\": " + SESSIONS + ", \"count\": "
            + function("process", field("n", "INT"), field("count", "BIGINT NOT NULL")) + ", \"tax\": "
            + function("map", field("amount", "DOUBLE NOT NULL"), field("total", "DOUBLE NOT NULL"))
            + ", \"big\": " + function("filter", field("amount", "DOUBLE NOT NULL"), "")
            + ", \"over\": " + function("map", field("amount", "DOUBLE"), field("amount", "STRING NOT NULL"))
            + ", \"both\": " + function("map", field("n", "INT NOT NULL") + ", " + field("x", "BIGINT"), field("y", "ARRAY<INT>")) + "}";

    private static StreamExecutionEnvironment environment;

    private static PlanTranslator translate(String... steps) {
        return translateWith("{}", steps);
    }

    private static PlanTranslator translateWith(String options, String... steps) {
        Plan plan = Plan.parse("{\"version\": 1, \"name\": \"test\", \"parallelism\": null, \"options\": " + options + ", \"functions\": " + FUNCTIONS
                + ", \"steps\": [" + String.join(", ", steps) + "]}");
        Configuration configuration = PlanTranslator.configuration(plan, null);
        environment = StreamExecutionEnvironment.createLocalEnvironment(configuration);
        PlanTranslator translator = new PlanTranslator(plan, "sha256:00", environment, configuration).translate();
        translator.validate();
        return translator;
    }

    private static void checkColumns(String relation, String expected, String... steps) {
        Map<String, String> columns = translate(steps).relations().get(relation);
        assertEquals(expected, String.join(", ", columns.entrySet().stream().map(c -> c.getKey() + " " + c.getValue()).toList()));
    }

    private static Diagnostic checkRefused(String code, String message, String pointer, String... steps) {
        Diagnostic diagnostic = assertThrows(DiagnosticException.class, () -> translate(steps)).diagnostic();
        JsonObject json = diagnostic.toJson();
        assertEquals(code + ": " + message, diagnostic.code() + ": " + diagnostic.message());
        assertEquals(pointer, json.getAsJsonObject("location").get("pointer").getAsString());
        return diagnostic;
    }

    @Test
    void typesAreWrittenPlainly() {
        checkColumns(
                "t",
                "a STRING, b ROW<x INT, `y z` STRING NOT NULL> NOT NULL, c MAP<STRING, ARRAY<BYTES>>, d CHAR(3), e TIMESTAMP_LTZ(9), f TIMESTAMP(3)",
                statement(
                        "/source",
                        "CREATE TEMPORARY TABLE t (a STRING, b ROW<x INT, `y z` STRING NOT NULL> NOT NULL, c MAP<STRING, ARRAY<BYTES>>, d CHAR(3), "
                                + "e TIMESTAMP_LTZ(9), f TIMESTAMP(3), WATERMARK FOR f AS f) WITH ('connector' = 'datagen')"),
                SOURCE,
                SINK);
    }

    @Test
    void outputsOfFunctions() {
        String all = "id BIGINT NOT NULL, region STRING, amount DOUBLE, price DECIMAL(10, 2), n INT, ts TIMESTAMP(3)";
        String sink = insert("m", "\"with\": {\"connector\": \"blackhole\"}");
        checkColumns("m", "total DOUBLE NOT NULL", SOURCE, wasm("m", "source", "tax", "null", "replace"), sink);
        checkColumns("m", all + ", total DOUBLE NOT NULL", SOURCE, wasm("m", "source", "tax", "[\"amount\"]", "append"), sink);
        checkColumns("m", all, SOURCE, wasm("m", "source", "big", "null", "keep"), sink);
        checkColumns("m", all + ", total DOUBLE NOT NULL", SOURCE, wasm("m", "source", "tax", "[\"n\"]", "append"), sink);
        checkColumns(
                "m",
                all + ", y ARRAY<INT>",
                SOURCE,
                wasm("m", "source", "both", "[\"n\", \"n\"]", "append"),
                sink);
        checkColumns("m", all.replace("amount DOUBLE", "amount STRING NOT NULL"), SOURCE, wasm("m", "source", "over", "null", "append"), sink);
        checkColumns(
                "m",
                all + ", ok BOOLEAN NOT NULL",
                SOURCE,
                wasm("m", "source", "big", "[\"amount\"]", "flag").replace("\"prefix\": \"\"", "\"prefix\": \"ok\""),
                sink);
    }

    @Test
    void operatorsAreNamedAfterFunctionAndComponent() {
        translate(
                        SOURCE,
                        wasm("m", "source", "tax", "null", "append"),
                        insert("m", "\"with\": {\"connector\": \"blackhole\"}"))
                .attach();
        List<StreamNode> nodes = environment.getStreamGraph().getStreamNodes().stream()
                .filter(node -> node.getOperatorName().equals("wasm map tax@1a2b3c4d"))
                .toList();
        assertEquals(1, nodes.size());
        assertEquals("m", nodes.get(0).getTransformationUID());
    }

    @Test
    void eventTimeComesThrough() {
        translate(
                SOURCE,
                wasm("m", "source", "tax", "null", "append"),
                view("w", "SELECT window_start, SUM(total) AS s FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
                        + "GROUP BY window_start, window_end"),
                insert("w", "\"with\": {\"connector\": \"blackhole\"}"));
        // A window over a column that is no time attribute is refused.
        Diagnostic refused = assertThrows(
                        DiagnosticException.class,
                        () -> translate(
                                SOURCE,
                                wasm("m", "source", "tax", "null", "replace"),
                                view("w", "SELECT window_start FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(total), INTERVAL '1' MINUTE))"),
                                insert("w", "\"with\": {\"connector\": \"blackhole\"}")))
                .diagnostic();
        assertTrue(List.of("FW0206", "FW0204").contains(refused.code()), refused.toString());
    }

    @Test
    void outputsOfProcessFunctions() {
        String side = process("p", "source", "sessions", "[\"id\"]", ", \"sideOutputs\": {\"late\": \"p_late\"}");
        String sink = insert("p", "\"with\": {\"connector\": \"blackhole\"}");
        checkColumns("p", "id BIGINT NOT NULL, ts TIMESTAMP(3)", SOURCE, side, sink);
        checkColumns("p_late", "n INT NOT NULL, ts TIMESTAMP(6)", SOURCE, side, sink);
        assertEquals(List.of("source", "p", "p_late", "sink"), List.copyOf(translate(SOURCE, side, sink).relations().keySet()));
        // Side outputs may be all that a job writes.
        translate(SOURCE, side, insert("p_late", "\"with\": {\"connector\": \"blackhole\"}"));
    }

    @Test
    void deadLettersAreRelations() {
        String onError = ", \"onError\": {\"policy\": \"dead-letter\", \"retries\": 2, \"relation\": \"m_dead\"}";
        String columns = "row STRING NOT NULL, error STRING NOT NULL, code STRING NOT NULL, function STRING NOT NULL, digest STRING NOT NULL, "
                + "failed_at TIMESTAMP_LTZ(3) NOT NULL";
        String sink = insert("m_dead", "\"with\": {\"connector\": \"blackhole\"}");
        for (String output : List.of("replace", "append")) {
            String map = wasm("m", "source", "tax", "null", output);
            checkColumns("m_dead", columns, SOURCE, map.substring(0, map.length() - 1) + onError + "}", sink);
        }
        checkColumns("m_dead", columns, SOURCE, process("m", "source", "sessions", "[\"id\"]", onError), sink);
        checkRefused(
                "FW0404",
                "the plan has the unknown error policy `shrug`",
                "/operations/0",
                SOURCE,
                process("m", "source", "sessions", "[\"id\"]", ", \"onError\": {\"policy\": \"shrug\", \"retries\": 0}"),
                SINK);
    }

    @Test
    void processFunctionsAreKeyed() {
        translate(
                        SOURCE,
                        process("p", "source", "sessions", "[\"n\"]", ""),
                        insert("p", "\"with\": {\"connector\": \"blackhole\"}"))
                .attach();
        StreamNode node = environment.getStreamGraph().getStreamNodes().stream()
                .filter(candidate -> candidate.getOperatorName().equals("wasm process sessions@1a2b3c4d"))
                .findFirst()
                .orElseThrow();
        assertEquals("p", node.getTransformationUID());
        assertEquals("HASH", node.getInEdges().get(0).getPartitioner().toString());
        assertEquals(1, node.getStatePartitioners().length);
        // The column is INT; the function reads its key as BIGINT.
        RowKeySelector key = new RowKeySelector(List.of(new Column("n", new BigIntType(), 0)));
        assertEquals(
                key.keyType().createSerializer(new SerializerConfigImpl()), node.getStateKeySerializer());
    }

    /** State of sources and sinks is found by uids that neither the parallelism nor a further operation changes. */
    @Test
    void uidsStay() {
        String window = "SELECT ts, SUM(n) OVER (PARTITION BY id ORDER BY ts) AS n FROM `source`";
        String sink = insert("w", "\"with\": {\"connector\": \"print\"}");
        List<List<String>> uids = new ArrayList<>();
        for (int parallelism : new int[] {1, 4}) {
            PlanTranslator translator = translate(SOURCE, view("w", window), sink);
            environment.setParallelism(parallelism);
            translator.attach();
            uids.add(environment.getStreamGraph().getStreamNodes().stream().map(StreamNode::getTransformationUID).sorted().toList());
        }
        assertEquals(uids.get(0), uids.get(1));
        assertTrue(uids.get(0).containsAll(List.of("sql: source", "sql: OverAggregate", "sql: sink")), uids.toString());
        PlanTranslator translator =
                translate(SOURCE, wasm("m", "source", "tax", "null", "append"), view("w", window.replace("`source`", "m")), sink);
        translator.attach();
        List<String> more = environment.getStreamGraph().getStreamNodes().stream().map(StreamNode::getTransformationUID).toList();
        assertTrue(more.containsAll(List.of("sql: source", "sql: OverAggregate", "sql: sink", "m")), more.toString());
    }

    @Test
    void jobsTellTheirState() {
        translateWith(
                        "{\"pipeline.global-job-parameters\": \"team:maps\"}",
                        SOURCE,
                        process("p", "source", "sessions", "[\"id\"]", ""),
                        process("c", "source", "count", "[\"region\", \"id\"]", ""),
                        insert("p", "\"with\": {\"connector\": \"blackhole\"}"),
                        insert("c", "\"with\": {\"connector\": \"blackhole\"}").replace("\"sink\"", "\"c_sink\""))
                .attach();
        Map<String, String> parameters = environment.getStreamGraph().getExecutionConfig().getGlobalJobParameters().toMap();
        assertEquals("maps", parameters.get("team"));
        assertEquals("sha256:00", parameters.get("flink-wasm.digest"));
        assertEquals(
                "{\"p\":{\"function\":\"sessions\",\"key\":[\"BIGINT\"],\"states\":[{\"name\":\"open\",\"kind\":\"value\",\"schema\":\"v1:i64\",\"ttlMs\":60000},"
                        + "{\"name\":\"seen\",\"kind\":\"map\",\"schema\":\"v1:map<i64,string>\"}]},"
                        + "\"c\":{\"function\":\"count\",\"key\":[\"STRING\",\"BIGINT\"],\"states\":[]}}",
                parameters.get("flink-wasm.state"));
    }

    @Test
    void operatorsKeepTheirIdsWhenAJobIsRescaled() {
        Set<String> one = operatorIds(1);
        assertTrue(one.size() > 4, one.toString());
        assertEquals(one, operatorIds(3));
    }

    /** With one subtask the sink's writer and committer are chained, with several they are not: Flink's own ids tell the difference. */
    private static Set<String> operatorIds(int parallelism) {
        String files = "\"with\": {\"connector\": \"filesystem\", \"path\": \"/tmp/rows\", \"format\": \"json\"}";
        translateWith(
                        "{\"parallelism.default\": \"" + parallelism + "\"}",
                        SOURCE,
                        process("p", "source", "sessions", "[\"id\"]", ""),
                        insert("p", files))
                .attach();
        Set<String> ids = new TreeSet<>();
        for (JobVertex vertex : environment.getStreamGraph().getJobGraph().getVertices()) {
            vertex.getOperatorIDs().forEach(pair -> ids.add(pair.getGeneratedOperatorID().toHexString()));
        }
        return ids;
    }

    @Test
    void keysThatDoNotFit() {
        checkRefused(
                "FW0208",
                "the plan gives no key to the process function `sessions`",
                "/operations/0",
                SOURCE,
                wasm("p", "source", "sessions", "null", "replace"),
                SINK);
        checkRefused(
                "FW0201", "unknown column `usr`", "/operations/0", SOURCE, process("p", "source", "sessions", "[\"usr\"]", ""), SINK);
        checkRefused(
                "FW0204",
                "`sessions` reads a key of 1 column, but rows are grouped by 2 columns",
                "/operations/0",
                SOURCE,
                process("p", "source", "sessions", "[\"id\", \"n\"]", ""),
                SINK);
        for (String column : List.of("region STRING", "amount DOUBLE", "ts TIMESTAMP(3)")) {
            String[] parts = column.split(" ");
            checkRefused(
                    "FW0204",
                    "`sessions` reads its key `user` as BIGINT NOT NULL, but column `" + parts[0] + "` is " + parts[1],
                    "/operations/0",
                    SOURCE,
                    process("p", "source", "sessions", "[\"" + parts[0] + "\"]", ""),
                    SINK);
        }
    }

    @Test
    void batchModeHasNoProcessFunctions() {
        String[] steps = {SOURCE, process("p", "source", "count", "[\"id\"]", ""), insert("p", "\"with\": {\"connector\": \"blackhole\"}")};
        Diagnostic refused = assertThrows(
                        DiagnosticException.class, () -> translateWith("{\"execution.runtime-mode\": \"BATCH\"}", steps))
                .diagnostic();
        assertEquals("FW0209: the process function `count` can't run in BATCH mode", refused.code() + ": " + refused.message());
        translate(steps);
    }

    @Test
    void eventTimeComesThroughProcessFunctions() {
        String window = "SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE %s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
                + "GROUP BY window_start, window_end";
        String sink = insert("w", "\"with\": {\"connector\": \"blackhole\"}");
        String step = process("p", "source", "sessions", "[\"id\"]", ", \"sideOutputs\": {\"late\": \"p_late\"}");
        translate(SOURCE, step, view("w", window.formatted("p")), sink);
        // A field of another precision is none.
        assertThrows(DiagnosticException.class, () -> translate(SOURCE, step, view("w", window.formatted("p_late")), sink));
    }

    @Test
    void unknownNames() {
        Diagnostic column = checkRefused(
                "FW0201", "unknown column `amuont`", "/operations/0", SOURCE, view("v", "SELECT * FROM `source` WHERE amuont > 1"), SINK);
        assertEquals("amuont", column.toJson().get("identifier").getAsString());
        assertEquals("[\"id\",\"region\",\"amount\",\"price\",\"n\",\"ts\"]", column.toJson().get("candidates").toString());
        checkRefused(
                "FW0201",
                "unknown column `amuont`",
                "/operations/1",
                SOURCE,
                "{\"kind\": \"assign\", \"from\": \"/operations/1\", \"name\": \"a\", \"input\": \"source\", \"column\": \"c\", \"sql\": \"amuont * 2\"}",
                SINK);
        checkRefused(
                "FW0201", "unknown column `nope`", "/operations/0", SOURCE, wasm("m", "source", "tax", "[\"nope\"]", "append"), SINK);
        checkRefused(
                "FW0201",
                "the function `both` takes a field `x`, its input has no such column",
                "/operations/0",
                SOURCE,
                wasm("m", "source", "both", "null", "append"),
                SINK);
        Diagnostic function = checkRefused(
                "FW0203", "unknown function `UPER`", "/operations/0", SOURCE, view("v", "SELECT UPER(region) AS r FROM `source`"), SINK);
        assertTrue(function.toJson().get("candidates").toString().contains("\"upper\""));
        assertTrue(function.toJson().get("candidates").toString().contains("\"tax\""));
    }

    @Test
    void typesThatDoNotFit() {
        checkRefused(
                "FW0204",
                "column `region` is STRING, the function `tax` takes DOUBLE NOT NULL as `amount`",
                "/operations/0",
                SOURCE,
                wasm("m", "source", "tax", "[\"region\"]", "append"),
                SINK);
        checkRefused(
                "FW0205",
                "the function `tax` takes 1 arguments, 2 are given",
                "/operations/0",
                SOURCE,
                wasm("m", "source", "tax", "[\"n\", \"n\"]", "append"),
                SINK);
        checkRefused(
                "FW0204",
                "column `region` is STRING, the sink `sink` takes BIGINT",
                "/sink",
                SOURCE,
                statement("/sink", "CREATE TEMPORARY TABLE sink (region BIGINT) WITH ('connector' = 'blackhole')"),
                insert("source", ""));
        Diagnostic builtIn = assertThrows(
                        DiagnosticException.class, () -> translate(SOURCE, view("v", "SELECT ABS(region) AS r FROM `source`"), SINK))
                .diagnostic();
        assertEquals("FW0204", builtIn.code(), builtIn.toString());
    }

    @Test
    void sinksMatchByName() {
        translate(
                SOURCE,
                statement("/sink", "CREATE TEMPORARY TABLE sink (n BIGINT, extra STRING, id BIGINT NOT NULL) WITH ('connector' = 'blackhole')"),
                insert("source", ""));
        checkRefused(
                "FW0201",
                "the sink `sink` needs a column `missing`, its input has none",
                "/sink",
                SOURCE,
                statement("/sink", "CREATE TEMPORARY TABLE sink (missing BIGINT NOT NULL) WITH ('connector' = 'blackhole')"),
                insert("source", ""));
    }

    @Test
    void refusedPlans() {
        checkRefused(
                "FW0206",
                "rows that change or take back earlier rows can't enter a function or a sink that only appends",
                "/operations/0",
                SOURCE,
                view("g", "SELECT region, SUM(amount) AS amount FROM `source` GROUP BY region"),
                wasm("m", "g", "tax", "null", "append"),
                SINK);
        checkRefused("FW0103", "a job can't hold the statement SELECT", "/source", statement("/source", "SELECT 1"), SOURCE, SINK);
        Diagnostic connector = assertThrows(
                        DiagnosticException.class,
                        () -> translate(statement("/source", "CREATE TEMPORARY TABLE `source` (id BIGINT) WITH ('connector' = 'nope')"), SINK))
                .diagnostic();
        assertEquals("FW0206", connector.code());
        assertTrue(connector.message().contains("nope"), connector.message());
        Diagnostic empty = assertThrows(DiagnosticException.class, () -> translate(SOURCE)).diagnostic();
        assertEquals("the job writes to no sink", empty.message());
    }
}
