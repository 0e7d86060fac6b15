package org.flinkwasm.runtime;

import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.CloseableIterator;
import org.flinkwasm.runtime.operator.ShortLivedInJava;
import org.flinkwasm.shaded.gson.JsonObject;
import org.flinkwasm.shaded.gson.JsonParser;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

import static org.junit.jupiter.api.Assertions.assertEquals;

/**
 * The time to live of every kind of state on a cluster, under its clock: {@code udfs/short-lived}, and the same rules in Java against Flink's API.
 * What is not over yet is left to the tests with a clock of their own, {@code AllStatesTest} and the function's scenarios.
 */
@Timeout(180)
class ShortLivedJobTest extends EmbeddedJob {
    private static final int PARALLELISM = 2;
    private static final long KEYS = 40;
    private static final LogicalType NUMBER = new BigIntType(false);
    private static final LogicalType TEXT = new VarCharType(false, VarCharType.MAX_LENGTH);

    /** Each key has two rows, two seconds apart: ten times as long as its state lives. */
    private static final List<String> SOURCE = List.of(
            "CREATE TEMPORARY TABLE numbers (id BIGINT NOT NULL) WITH ('connector' = 'datagen', 'rows-per-second' = '20', "
                    + "'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '" + (2 * KEYS - 1) + "')",
            "CREATE TEMPORARY VIEW `source` AS SELECT CAST(MOD(id, " + KEYS + ") AS BIGINT) AS k, id FROM numbers");

    @ParameterizedTest
    @ValueSource(strings = {"hashmap", "rocksdb"})
    void everyKindOfStateExpiresAsInJava(String backend) throws Exception {
        Map<Long, String> expected = new TreeMap<>();
        for (long id = 0; id < 2 * KEYS; id++) {
            expected.put(id, "- - - -, " + String.join(" ", Collections.nCopies(4, String.valueOf(id))));
        }
        assertEquals(expected, inJava(backend));
        assertEquals(expected, inSidecar(backend));
    }

    private Map<Long, String> inSidecar(String backend) throws Exception {
        JsonObject settings = new JsonObject();
        settings.addProperty("state.backend.type", backend);
        options = settings.toString();
        function(
                "short-lived",
                "short-lived",
                "process",
                field("k", "BIGINT NOT NULL") + "," + field("id", "BIGINT NOT NULL"),
                field("k", "BIGINT NOT NULL") + "," + field("id", "BIGINT NOT NULL") + "," + field("before", "STRING NOT NULL") + ","
                        + field("after", "STRING NOT NULL"),
                "{}",
                ",\"key\":[" + field("k", "BIGINT NOT NULL") + "],\"states\":[" + state("value", "value", "i64") + ","
                        + state("sum", "reducing", "i64") + "," + state("list", "list", "list<i64>") + "," + state("map", "map", "map<i64,i64>")
                        + "]");
        SOURCE.forEach(statement -> statement("/source", statement));
        wasm("p", "source", "short-lived", "null", "replace", ",\"key\":[\"k\"]");
        console("p");
        return runToItsEnd(PARALLELISM).printed("sink").stream()
                .map(row -> JsonParser.parseString(row).getAsJsonObject())
                .collect(Collectors.toMap(
                        row -> row.get("id").getAsLong(),
                        row -> row.get("before").getAsString() + ", " + row.get("after").getAsString(),
                        (first, second) -> first + " and " + second,
                        TreeMap::new));
    }

    private static String state(String name, String kind, String type) {
        return "{\"name\":\"" + name + "\",\"kind\":\"" + kind + "\",\"schema\":\"v1:" + type + "\",\"ttlMs\":200}";
    }

    private static Map<Long, String> inJava(String backend) throws Exception {
        Configuration configuration = Configuration.fromMap(Map.of("state.backend.type", backend));
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, configuration);
        StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
        SOURCE.forEach(tables::executeSql);
        DataStream<RowData> rows = tables.toDataStream(tables.from("source"))
                .map(row -> (RowData) GenericRowData.of(row.getField("k"), row.getField("id")))
                .returns(InternalTypeInfo.ofFields(NUMBER, NUMBER));
        Map<Long, String> texts = new TreeMap<>();
        try (CloseableIterator<RowData> all = rows.keyBy(row -> row.getLong(0), Types.LONG)
                .process(new ShortLivedInJava())
                .returns(InternalTypeInfo.ofFields(NUMBER, NUMBER, TEXT, TEXT))
                .executeAndCollect("the same in Java")) {
            all.forEachRemaining(row -> texts.merge(
                    row.getLong(1), row.getString(2) + ", " + row.getString(3), (first, second) -> first + " and " + second));
        }
        return texts;
    }
}
