package org.flinkwasm.runtime.plan;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.shaded.gson.JsonObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import java.util.List;
import java.util.Map;

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

    private static final String FUNCTIONS = "{\"tax\": "
            + function("map", field("amount", "DOUBLE NOT NULL"), field("total", "DOUBLE NOT NULL"))
            + ", \"big\": " + function("filter", field("amount", "DOUBLE NOT NULL"), "")
            + ", \"over\": " + function("map", field("amount", "DOUBLE"), field("amount", "STRING NOT NULL"))
            + ", \"both\": " + function("map", field("n", "INT NOT NULL") + ", " + field("x", "BIGINT"), field("y", "ARRAY<INT>")) + "}";

    private static StreamExecutionEnvironment environment;

    private static PlanTranslator translate(String... steps) {
        Plan plan = Plan.parse("{\"version\": 1, \"name\": \"test\", \"parallelism\": null, \"options\": {}, \"functions\": " + FUNCTIONS
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
