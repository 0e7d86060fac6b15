package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.RealSidecar;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Settings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

import static org.junit.jupiter.api.Assertions.assertEquals;

/** Random rows of every type go through the sidecar and the guest `all-types`, and come back as they went. */
@Timeout(120)
class AllTypesTest {
    private static final int ROWS = 3000;
    private static final String INNER = "ROW<id INT NOT NULL, name STRING, tags ARRAY<STRING NOT NULL> NOT NULL, amount DECIMAL(10, 2)>";

    /** The input of the guest, in the order of its fields. */
    private static final List<String> TYPES = List.of(
            "BOOLEAN NOT NULL", "TINYINT NOT NULL", "SMALLINT NOT NULL", "INT NOT NULL", "BIGINT NOT NULL", "FLOAT NOT NULL",
            "DOUBLE NOT NULL", "DECIMAL(10, 2) NOT NULL", "DECIMAL(38, 18) NOT NULL", "CHAR(5) NOT NULL", "VARCHAR(20) NOT NULL",
            "STRING NOT NULL", "BINARY(4) NOT NULL", "VARBINARY(8) NOT NULL", "BYTES NOT NULL", "DATE NOT NULL", "TIME(0) NOT NULL",
            "TIME(3) NOT NULL", "TIMESTAMP(0) NOT NULL", "TIMESTAMP(3) NOT NULL", "TIMESTAMP(6) NOT NULL", "TIMESTAMP(9) NOT NULL",
            "TIMESTAMP_LTZ(0) NOT NULL", "TIMESTAMP_LTZ(3) NOT NULL", "TIMESTAMP_LTZ(6) NOT NULL", "TIMESTAMP_LTZ(9) NOT NULL",
            "ARRAY<BIGINT NOT NULL> NOT NULL", "MAP<STRING NOT NULL, INT NOT NULL> NOT NULL", INNER + " NOT NULL", "BOOLEAN", "TINYINT",
            "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(20, 5)", "CHAR(5)", "STRING", "BINARY(4)", "BYTES", "DATE", "TIME(3)",
            "TIMESTAMP(3)", "TIMESTAMP(9)", "TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(6)", "ARRAY<STRING>", "MAP<INT NOT NULL, DOUBLE>", INNER,
            "ARRAY<" + INNER + "> NOT NULL", "ARRAY<ARRAY<SMALLINT> NOT NULL> NOT NULL",
            "MAP<BIGINT NOT NULL, " + INNER + " NOT NULL> NOT NULL");

    @TempDir
    Path folder;

    @Test
    void rowsComeBack() throws Exception {
        String digest = RealSidecar.putBlob(folder, RealSidecar.component("all-types"));
        try (RealSidecar sidecar = new RealSidecar(folder);
                URLClassLoader withBundle = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader());
                MockEnvironment environment = new MockEnvironmentBuilder()
                        .setUserCodeClassLoader(withBundle)
                        .build()) {
            check(sidecar, environment, digest);
        }
    }

    private static void check(RealSidecar sidecar, MockEnvironment environment, String digest) throws Exception {
        List<LogicalType> types = TYPES.stream().map(Rows::parse).toList();
        List<Column> columns = new ArrayList<>();
        List<ResultColumn> result = new ArrayList<>();
        IntStream.range(0, types.size()).forEach(i -> {
            columns.add(new Column("f" + i, types.get(i), i));
            result.add(new ResultColumn(Origin.REPLY, i));
        });
        WasmOperatorSpec spec = new WasmOperatorSpec(
                "wasm map all-types@00000000",
                "all-types",
                digest,
                Kind.MAP,
                "{}",
                "{}",
                TYPES,
                TYPES,
                columns,
                List.of(),
                types,
                result,
                digest,
                new Settings(sidecar.socket.toString(), 5000, 100, 1 << 18, 10, 2));
        try (OneInputStreamOperatorTestHarness<RowData, RowData> harness =
                new OneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec), environment)) {
            harness.setup(new RowDataSerializer(types.toArray(new LogicalType[0])));
            harness.open();
            Rows rows = new Rows(new Random(11));
            List<RowData> in = new ArrayList<>();
            for (int i = 0; i < ROWS; i++) {
                in.add(rows.row(types));
                harness.processElement(in.get(i), i);
            }
            harness.endInput();
            List<RowData> out = harness.extractOutputValues();
            assertEquals(ROWS, out.size());
            for (int i = 0; i < ROWS; i++) {
                assertEquals(Rows.plain(in.get(i), types), Rows.plain(out.get(i), types));
            }
        }
    }
}
