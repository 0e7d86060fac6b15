package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.runtime.state.StateBackendLoader;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.util.OutputTag;
import org.flinkwasm.runtime.RealSidecar;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.OnError;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Policy;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Settings;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.SideOutput;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.StateKind;
import org.slf4j.LoggerFactory;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** {@code udfs/all-states} in Flink's harness: the component in a sidecar, or the same rules in Java. */
final class AllStates implements AutoCloseable {
    static final int MAX_PARALLELISM = 16;
    static final long HOUR_MS = 3_600_000;

    private static final List<String> NAMES = List.of("k", "id", "op", "name", "n");
    private static final List<String> INPUT =
            List.of("BIGINT NOT NULL", "BIGINT NOT NULL", "STRING NOT NULL", "STRING NOT NULL", "BIGINT NOT NULL");
    static final List<String> OUTPUT = List.of(
            "BIGINT NOT NULL", "BIGINT NOT NULL", "BIGINT", "BIGINT", "BIGINT", "STRING NOT NULL", "STRING NOT NULL");
    static final List<String> EVENT = List.of("BIGINT NOT NULL", "STRING NOT NULL", "BIGINT NOT NULL", "BIGINT");
    private static final SideOutput EVENTS = new SideOutput("events", EVENT, types(EVENT));
    static final OutputTag<RowData> TAG = WasmProcessOperator.tag(EVENTS);

    private static final RowKeySelector KEY = new RowKeySelector(List.of(new Column("k", types(INPUT).get(0), 0)));

    final OneInputStreamOperatorTestHarness<RowData, RowData> harness;

    private AllStates(OneInputStreamOperatorTestHarness<RowData, RowData> harness, String backend) throws Exception {
        this.harness = harness;
        harness.getStreamConfig().setStatePartitioner(0, KEY);
        harness.getStreamConfig().setStateKeySerializer(KEY.keyType().createSerializer(new SerializerConfigImpl()));
        harness.getStreamConfig().serializeAllConfigs();
        Configuration configuration = new Configuration();
        configuration.set(StateBackendOptions.STATE_BACKEND, backend);
        configuration.setString("state.backend.rocksdb.memory.managed", "false");
        harness.setStateBackend(StateBackendLoader.loadStateBackendFromConfig(
                configuration, AllStates.class.getClassLoader(), LoggerFactory.getLogger(AllStates.class)));
        harness.setup(new RowDataSerializer(types(OUTPUT).toArray(new LogicalType[0])));
    }

    static List<LogicalType> types(List<String> types) {
        return new ArrayList<>(types.stream().map(Rows::parse).toList());
    }

    /** The rules in Java. */
    static AllStates inJava(String backend) throws Exception {
        return new AllStates(
                new OneInputStreamOperatorTestHarness<>(
                        new KeyedProcessOperator<>(new AllStatesInJava<>(TAG)), environment(AllStates.class.getClassLoader(), 1, 0)),
                backend);
    }

    /** The component. */
    static AllStates inSidecar(WasmOperatorSpec spec, ClassLoader withBundle, String backend) throws Exception {
        return inSidecar(spec, withBundle, backend, 1, 0);
    }

    static AllStates inSidecar(WasmOperatorSpec spec, ClassLoader withBundle, String backend, int parallelism, int subtask)
            throws Exception {
        return new AllStates(
                new OneInputStreamOperatorTestHarness<>(new WasmOperatorFactory(spec), environment(withBundle, parallelism, subtask)),
                backend);
    }

    private static MockEnvironment environment(ClassLoader classLoader, int parallelism, int subtask) {
        return new MockEnvironmentBuilder()
                .setUserCodeClassLoader(classLoader)
                .setMaxParallelism(MAX_PARALLELISM)
                .setParallelism(parallelism)
                .setSubtaskIndex(subtask)
                .build();
    }

    /** What the component's descriptor says. */
    static List<State> states() {
        return List.of(
                new State("value", StateKind.VALUE, "v1:i64", HOUR_MS),
                new State("sum", StateKind.REDUCING, "v1:i64", null),
                new State("list", StateKind.LIST, "v1:list<i64>", null),
                new State("map", StateKind.MAP, "v1:map<string,i64>", null));
    }

    static WasmOperatorSpec spec(RealSidecar sidecar, String digest, List<State> states, Policy policy) {
        List<Column> columns = new ArrayList<>(
                IntStream.range(0, INPUT.size()).mapToObj(i -> new Column(NAMES.get(i), types(INPUT).get(i), i)).toList());
        return new WasmOperatorSpec(
                "wasm process all-states@00000000",
                "all-states",
                digest,
                Kind.PROCESS,
                "{}",
                "{}",
                INPUT,
                OUTPUT,
                columns,
                List.of(),
                types(OUTPUT),
                List.of(),
                digest,
                new Settings(sidecar.socket.toString(), 20_000, 50, 1 << 18, 10, 2, 40, 1 << 16),
                new Keyed(List.of("BIGINT"), List.of(columns.get(0)), List.of("BIGINT NOT NULL"), states, List.of(EVENTS), true),
                new OnError(policy, 0, policy == Policy.DEAD_LETTER ? columns : List.of()),
                "[]");
    }

    void open(OperatorSubtaskState state) throws Exception {
        if (state != null) {
            harness.initializeState(state);
        }
        harness.setProcessingTime(0);
        harness.open();
    }

    void process(long timestamp, long k, long id, String op, String name, long n) throws Exception {
        harness.processElement(GenericRowData.of(k, id, StringData.fromString(op), StringData.fromString(name), n), timestamp);
    }

    /** Awaits what is in flight. */
    void drain() throws Exception {
        harness.prepareSnapshotPreBarrier(1);
    }

    /** The rows and watermarks put out since the last time, as text; rows begin with their key. */
    List<String> output() {
        List<String> texts = new ArrayList<>();
        for (Object element : harness.getOutput()) {
            if (element instanceof StreamRecord<?> record) {
                texts.add(text((RowData) record.getValue(), OUTPUT) + (record.hasTimestamp() ? "@" + record.getTimestamp() : ""));
            } else if (element instanceof Watermark mark) {
                texts.add("W" + mark.getTimestamp());
            }
        }
        harness.getOutput().clear();
        return texts;
    }

    /** The rows of the side output since the last time. */
    List<String> events() {
        List<String> texts = new ArrayList<>();
        // A harness has no queue before the first row.
        if (harness.getSideOutput(TAG) != null) {
            harness.getSideOutput(TAG).forEach(record -> texts.add(text(record.getValue(), EVENT) + "@" + record.getTimestamp()));
            harness.getSideOutput(TAG).clear();
        }
        return texts;
    }

    private static String text(RowData row, List<String> types) {
        return Rows.plain(row, types(types)).toString();
    }

    @Override
    public void close() throws Exception {
        harness.getOperator().close();
    }
}
