package org.flinkwasm.runtime;

import org.flinkwasm.shaded.gson.JsonArray;
import org.flinkwasm.shaded.gson.JsonObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import java.io.File;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Whole jobs: the runtime in a JVM of its own as a user starts it, the real sidecar, real components. */
@Timeout(180)
class EmbeddedJobTest extends EmbeddedJob {
    private static final String TAX_FIELDS = "{\"name\":\"id\",\"type\":\"BIGINT NOT NULL\"},{\"name\":\"region\",\"type\":\"STRING NOT NULL\"},"
            + "{\"name\":\"amount\",\"type\":\"DOUBLE NOT NULL\"}";
    private static final String HOSTILE_FIELDS = "{\"name\":\"mode\",\"type\":\"STRING NOT NULL\"},{\"name\":\"value\",\"type\":\"BIGINT NOT NULL\"}";

    private void tax() throws Exception {
        function("tax", "tax", "map", TAX_FIELDS, TAX_FIELDS + ",{\"name\":\"total\",\"type\":\"DOUBLE NOT NULL\"}", "{\"rate\":0.5}");
    }

    private void hostile() throws Exception {
        function("hostile", "hostile", "map", HOSTILE_FIELDS, HOSTILE_FIELDS, "{}");
    }

    private void count() throws Exception {
        function("count", "count", "process", field("user_id", "BIGINT NOT NULL"), field("user_id", "BIGINT NOT NULL") + "," + field("count", "BIGINT NOT NULL"), "{}",
                ",\"key\":[" + field("value", "BIGINT NOT NULL") + "],\"states\":[{\"name\":\"count\",\"kind\":\"value\",\"schema\":\"v1:i64\"}]");
    }

    private void sessions() throws Exception {
        String user = field("user_id", "BIGINT NOT NULL");
        function(
                "sessions",
                "session-detector",
                "process",
                user + "," + field("page", "STRING NOT NULL"),
                user + "," + field("start_ms", "BIGINT NOT NULL") + "," + field("end_ms", "BIGINT NOT NULL") + ","
                        + field("clicks", "BIGINT NOT NULL") + "," + field("exit_page", "STRING NOT NULL"),
                "{\"gap_ms\":60000}",
                ",\"key\":[" + field("value", "BIGINT NOT NULL") + "],\"states\":[{\"name\":\"open\",\"kind\":\"value\","
                        + "\"schema\":\"v1:{start_ms:i64,end_ms:i64,clicks:i64,exit_page:string}\"}],\"timers\":true,\"sideOutputs\":["
                        + "{\"name\":\"opened\",\"fields\":[" + user + "," + field("start_ms", "BIGINT NOT NULL") + "]},"
                        + "{\"name\":\"late\",\"fields\":[" + user + "," + field("page", "STRING NOT NULL") + "," + field("timestamp_ms", "BIGINT NOT NULL") + "]}]");
    }

    /** A table of JSON lines in a file. */
    private void source(String columns, String... lines) throws Exception {
        Path file = folder.resolve("rows.json");
        Files.writeString(file, String.join("\n", lines));
        statement("/source", "CREATE TEMPORARY TABLE `source` (" + columns + ") WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = '"
                + file + "')");
    }

    private static void checkFinished(Outcome outcome, long in, long out) {
        JsonObject last = outcome.last();
        assertEquals("finished", last.get("event").getAsString(), outcome.events().toString());
        assertEquals("FINISHED", last.get("state").getAsString());
        assertEquals(in, last.get("recordsIn").getAsLong());
        assertEquals(out, last.get("recordsOut").getAsLong());
        assertEquals(0, outcome.exitCode());
    }

    @Test
    void mapsFiltersAndWindows() throws Exception {
        tax();
        function("large", "large-order", "filter", "{\"name\":\"amount\",\"type\":\"DOUBLE NOT NULL\"}", "", "{\"minimum\":10}");
        source(
                "id BIGINT NOT NULL, region STRING, amount INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts",
                "{\"id\":1,\"region\":\"eu\",\"amount\":10,\"ts\":\"2026-01-01 00:00:01\"}",
                "{\"id\":2,\"region\":\"us\",\"amount\":9,\"ts\":\"2026-01-01 00:00:02\"}",
                "{\"id\":3,\"region\":\"eu\",\"amount\":20,\"ts\":\"2026-01-01 00:00:59\"}",
                "{\"id\":4,\"region\":\"us\",\"amount\":30,\"ts\":\"2026-01-01 00:01:00\"}");
        wasm("kept", "source", "large", "[\"amount\"]", "keep");
        wasm("taxed", "kept", "tax", "null", "append");
        step("view", "/operations/3", "\"name\":\"sums\",\"drop\":[],\"sql\":\"SELECT CAST(window_start AS STRING) AS w, SUM(total) AS total, COUNT(*) AS n "
                + "FROM TABLE(TUMBLE(TABLE taxed, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end\"");
        console("sums");
        Outcome outcome = run();
        checkFinished(outcome, 4, 2);
        assertEquals(
                List.of("{\"w\":\"2026-01-01 00:00:00.000\",\"total\":45.0,\"n\":2}", "{\"w\":\"2026-01-01 00:01:00.000\",\"total\":45.0,\"n\":1}"),
                outcome.rows());
        assertEquals("submitted", outcome.events().get(0).get("event").getAsString());
        assertEquals("a job", outcome.events().get(0).get("name").getAsString());
    }

    @Test
    void flagsReplacementsAndBatchMode() throws Exception {
        tax();
        function("large", "large-order", "filter", "{\"name\":\"amount\",\"type\":\"DOUBLE NOT NULL\"}", "", "{\"minimum\":10}");
        options = "{\"execution.runtime-mode\":\"BATCH\"}";
        source(
                "region STRING, other ARRAY<DECIMAL(20, 3)>, amount DOUBLE, id BIGINT NOT NULL",
                "{\"id\":1,\"region\":\"eu\",\"amount\":10,\"other\":[1.5,null]}",
                "{\"id\":2,\"region\":\"\",\"amount\":9}");
        wasm("replaced", "source", "tax", "[\"id\",\"region\",\"amount\"]", "replace");
        wasm("flagged", "source", "large", "[\"amount\"]", "flag");
        step("view", "/operations/3", "\"name\":\"joined\",\"drop\":[],\"sql\":\"SELECT f.*, r.total FROM flagged f JOIN replaced r ON f.id = r.id\"");
        console("joined");
        Outcome outcome = run();
        assertEquals(
                List.of(
                        "{\"region\":\"\",\"other\":null,\"amount\":9.0,\"id\":2,\"flag\":false,\"total\":13.5}",
                        "{\"region\":\"eu\",\"other\":[1.5,null],\"amount\":10.0,\"id\":1,\"flag\":true,\"total\":15.0}"),
                outcome.rows());
    }

    @Test
    void countsRowsOfKeys() throws Exception {
        count();
        source("other STRING, user_id INT", "{\"user_id\":1}", "{\"user_id\":2}", "{\"user_id\":1}", "{\"user_id\":1}", "{\"user_id\":3}");
        wasm("counts", "source", "count", "null", "replace", ",\"key\":[\"user_id\"]");
        console("counts");
        Outcome outcome = run("--parallelism", "2");
        checkFinished(outcome, 5, 5);
        assertEquals(
                List.of(
                        "{\"user_id\":1,\"count\":1}",
                        "{\"user_id\":1,\"count\":2}",
                        "{\"user_id\":1,\"count\":3}",
                        "{\"user_id\":2,\"count\":1}",
                        "{\"user_id\":3,\"count\":1}"),
                outcome.rows());
    }

    @Test
    void timersFireAndSideOutputsAreRelations() throws Exception {
        sessions();
        source(
                "user_id BIGINT, page STRING, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts",
                "{\"user_id\":1,\"page\":\"/a\",\"ts\":\"1970-01-01 00:10:00Z\"}",
                "{\"user_id\":1,\"page\":\"/b\",\"ts\":\"1970-01-01 00:10:50Z\"}",
                "{\"user_id\":1,\"page\":\"/old\",\"ts\":\"1970-01-01 00:01:00Z\"}",
                "{\"user_id\":2,\"page\":\"/c\",\"ts\":\"1970-01-01 00:20:00Z\"}");
        wasm("p", "source", "sessions", "null", "replace", ",\"key\":[\"user_id\"],\"sideOutputs\":{\"opened\":\"p_opened\",\"late\":\"p_late\"}");
        step("view", "/operations/2", "\"name\":\"opened\",\"drop\":[],\"sql\":\"SELECT start_ms / 1000 AS start_s, user_id FROM p_opened\"");
        console("opened_sink", "opened");
        console("late_sink", "p_late");
        console("p");
        Outcome outcome = run();
        checkFinished(outcome, 4, 5);
        assertEquals(
                List.of(
                        "{\"user_id\":1,\"start_ms\":600000,\"end_ms\":650000,\"clicks\":2,\"exit_page\":\"/b\"}",
                        "{\"user_id\":2,\"start_ms\":1200000,\"end_ms\":1200000,\"clicks\":1,\"exit_page\":\"/c\"}"),
                outcome.rows());
        assertEquals(List.of("{\"start_s\":1200,\"user_id\":2}", "{\"start_s\":600,\"user_id\":1}"), outcome.rows("opened_sink"));
        assertEquals(List.of("{\"user_id\":1,\"page\":\"/old\",\"timestamp_ms\":60000}"), outcome.rows("late_sink"));
    }

    @Test
    void deadLettersHoldTheWholeRow() throws Exception {
        hostile();
        source(
                "mode STRING, extra DECIMAL(4, 2), `value` INT",
                "{\"mode\":\"fine\",\"value\":1,\"extra\":1.5}",
                "{\"mode\":\"error\",\"value\":7,\"extra\":2.25}",
                "{\"mode\":\"panic\",\"value\":8}",
                "{\"mode\":\"fine\",\"value\":9}");
        wasm("m", "source", "hostile", "null", "replace", ",\"onError\":{\"policy\":\"dead-letter\",\"retries\":0,\"relation\":\"m_dead\"}");
        step("view", "/operations/1", "\"name\":\"dead\",\"drop\":[],\"sql\":\"SELECT `row`, code, `function`, failed_at > TO_TIMESTAMP_LTZ(0, 3) AS timed FROM m_dead\"");
        console("dead_sink", "dead");
        console("m");
        Outcome outcome = run();
        checkFinished(outcome, 4, 4);
        assertEquals(List.of("{\"mode\":\"fine\",\"value\":1}", "{\"mode\":\"fine\",\"value\":9}"), outcome.rows());
        assertEquals(
                List.of(
                        "{\"row\":\"{\\\"mode\\\":\\\"error\\\",\\\"extra\\\":2.25,\\\"value\\\":7}\",\"code\":\"FW0507\",\"function\":\"hostile\",\"timed\":true}",
                        "{\"row\":\"{\\\"mode\\\":\\\"panic\\\",\\\"extra\\\":null,\\\"value\\\":8}\",\"code\":\"FW0504\",\"function\":\"hostile\",\"timed\":true}"),
                outcome.rows("dead_sink"));
    }

    @Test
    void deadLettersOfAProcessFunction() throws Exception {
        sessions();
        // Without event time the function refuses every row.
        source("user_id INT, page STRING, more ARRAY<INT>", "{\"user_id\":1,\"page\":\"/a\",\"more\":[1,null]}");
        wasm("p", "source", "sessions", "null", "replace", ",\"key\":[\"user_id\"],\"onError\":{\"policy\":\"dead-letter\",\"retries\":0,\"relation\":\"p_dead\"}");
        step("view", "/operations/2", "\"name\":\"dead\",\"drop\":[],\"sql\":\"SELECT `row`, code FROM p_dead\"");
        console("dead_sink", "dead");
        console("p");
        Outcome outcome = run();
        checkFinished(outcome, 1, 1);
        assertEquals(List.of(), outcome.rows());
        assertEquals(
                List.of("{\"row\":\"{\\\"user_id\\\":1,\\\"page\\\":\\\"/a\\\",\\\"more\\\":[1,null]}\",\"code\":\"FW0507\"}"),
                outcome.rows("dead_sink"));
    }

    @Test
    void trapsFailTheJobOnceAndForAll() throws Exception {
        hostile();
        options = "{\"restart-strategy.type\":\"fixed-delay\",\"restart-strategy.fixed-delay.attempts\":\"1000\"}";
        source("mode STRING, `value` BIGINT", "{\"mode\":\"fine\",\"value\":1}", "{\"mode\":\"panic\",\"value\":7}");
        wasm("m", "source", "hostile", "null", "replace");
        console("m");
        JsonObject error = run().error();
        assertEquals("FW0504", error.get("code").getAsString(), error.toString());
        assertEquals("hostile", error.get("function").getAsString());
        assertTrue(error.get("component").getAsString().startsWith("sha256:"));
        assertTrue(error.has("row"), error.toString());
        assertTrue(error.toString().contains("told to panic with 7"), error.toString());
    }

    @Test
    void refusedRowsFailTheJob() throws Exception {
        hostile();
        source("mode STRING, `value` BIGINT", "{\"mode\":\"error\",\"value\":7}");
        wasm("m", "source", "hostile", "null", "replace");
        console("m");
        JsonObject error = run().error();
        assertEquals("FW0507", error.get("code").getAsString(), error.toString());
        assertTrue(error.get("message").getAsString().endsWith("told to fail with 7"), error.toString());
    }

    @Test
    void nullsWhereNoneMayBeFailTheJob() throws Exception {
        tax();
        source("id BIGINT NOT NULL, region STRING, amount DOUBLE", "{\"id\":1,\"amount\":1}");
        wasm("m", "source", "tax", "null", "append");
        console("m");
        JsonObject error = run().error();
        assertEquals("FW0508", error.get("code").getAsString(), error.toString());
        assertEquals(
                "row 0 can't be given to the function `tax`: NULL in the NOT NULL column `region`", error.get("message").getAsString());
    }

    @Test
    void absentSidecarIsNamed() throws Exception {
        tax();
        options = "{\"flink-wasm.sidecar.connect-timeout\":\"1 s\"}";
        source("id BIGINT NOT NULL, region STRING, amount DOUBLE", "{\"id\":1,\"region\":\"\",\"amount\":1}");
        wasm("m", "source", "tax", "null", "append");
        console("m");
        plan();
        Path nowhere = folder.resolve("nowhere.sock");
        launch(Redirect.from(new File("/dev/null")), "run", "--sidecar-socket", nowhere.toString());
        JsonObject error = outcome().error();
        assertEquals("FW0501", error.get("code").getAsString(), error.toString());
        assertTrue(error.get("message").getAsString().contains(nowhere.toString()), error.toString());
    }

    @Test
    void closedInputCancels() throws Exception {
        tax();
        statement(
                "/source",
                "CREATE TEMPORARY TABLE `source` (id BIGINT NOT NULL, region STRING NOT NULL, amount DOUBLE NOT NULL) WITH ('connector' = 'datagen', "
                        + "'rows-per-second' = '20', 'fields.amount.min' = '0', 'fields.amount.max' = '9')");
        wasm("m", "source", "tax", "null", "append");
        console("m");
        plan();
        launch(Redirect.PIPE, "run", "--sidecar-socket", sidecar.socket.toString());
        var out = process.inputReader(StandardCharsets.UTF_8);
        for (String line = out.readLine(); !line.contains("\"event\":\"row\""); line = out.readLine()) {
            assertTrue(!line.contains("\"event\":\"error\""), line);
        }
        process.getOutputStream().close();
        JsonObject last = outcome().last();
        assertEquals("finished", last.get("event").getAsString());
        assertEquals("CANCELED", last.get("state").getAsString());
        assertEquals(0, process.exitValue());
    }

    @Test
    void resolveSaysTheColumns() throws Exception {
        tax();
        source("id BIGINT NOT NULL, region STRING, amount DOUBLE");
        wasm("m", "source", "tax", "null", "append");
        console("m");
        launch(Redirect.from(new File("/dev/null")), "resolve", "--plan", plan().toString());
        JsonObject answer = outcome().last();
        assertEquals(0, process.exitValue());
        JsonArray columns = answer.getAsJsonObject("relations").getAsJsonArray("m");
        assertEquals("{\"name\":\"total\",\"type\":\"DOUBLE NOT NULL\"}", columns.get(3).toString());
        assertTrue(answer.has("flinkVersion"));
        launch(Redirect.from(new File("/dev/null")), "resolve");
        assertEquals(2, process.waitFor());
    }
}
