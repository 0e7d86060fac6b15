package org.flinkwasm.benches;

import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.flinkwasm.runtime.operator.RowKeySelector;
import org.flinkwasm.runtime.operator.WasmOperatorFactory;
import org.flinkwasm.runtime.operator.WasmOperatorSpec;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Keyed;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.State;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.StateKind;

import java.util.ArrayList;
import java.util.List;

/** The function `count` in our operator and in Java, and how long a run of it is. */
final class CountVariants {
    /** The JVM has an object for each of the numbers up to 127 from the start: on the heap, counts of so few rows cost Java nothing. */
    private static final long WITHOUT_OBJECT = 1000;

    private CountVariants() {}

    /** In the order of a round. The last is the first again: what differs between them is noise. */
    static List<Variant> of(Options options) {
        return List.of(wasm("wasm", options), java("Java", 1), wasm("wasm again", options));
    }

    /** On the heap, also Java with counts that need an object each, as most values do. */
    static List<Variant> of(Options options, Backend backend) {
        List<Variant> variants = new ArrayList<>(of(options));
        if (backend == Backend.HEAP) {
            variants.add(2, java("Java, counts from " + WITHOUT_OBJECT, WITHOUT_OBJECT));
        }
        return variants;
    }

    /** The operator of our jobs behind the exchange of our jobs, as the plan executor sets them up. */
    private static Variant wasm(String title, Options options) {
        WasmOperatorSpec spec = spec(options);
        RowKeySelector key = new RowKeySelector(spec.keyed().key());
        return Variant.of(title, rows -> rows.keyBy(key, key.keyType())
                .transform(spec.operatorName(), Variant.type(CountTruth.OUTPUT), new WasmOperatorFactory(spec)));
    }

    private static WasmOperatorSpec spec(Options options) {
        List<Column> columns = List.of(new Column("user_id", CountTruth.INPUT.getTypeAt(0), 0));
        List<String> input = declared(CountTruth.INPUT);
        return new WasmOperatorSpec(
                "wasm process count",
                "count",
                options.text("--count"),
                Kind.PROCESS,
                "{}",
                "{}",
                input,
                declared(CountTruth.OUTPUT),
                columns,
                List.of(),
                CountTruth.OUTPUT.getChildren(),
                List.of(),
                "",
                Variant.settings(options.text("--sidecar")),
                new Keyed(List.of("BIGINT"), columns, input, List.of(new State("count", StateKind.VALUE, "v1:i64", null)), List.of(), false));
    }

    private static List<String> declared(RowType type) {
        return type.getChildren().stream().map(LogicalType::asSummaryString).toList();
    }

    /** By a key that Java has for it, as a user would. */
    private static Variant java(String title, long first) {
        return Variant.of(title, rows -> rows.keyBy(row -> row.getLong(0), Types.LONG)
                .process(new CountFunction(first), Variant.type(CountTruth.OUTPUT)));
    }

    /** A run whose window opens when every key has its state. */
    static Run run(String name, Keys keys, Options options, int round, LinuxProcess... processes) {
        Run.Length lead = new Run.Length(round == 0 ? 0 : options.seconds("--lead"), Keys.COUNT);
        Run.Length window = Run.Length.seconds(options.seconds(round == 0 ? "--warm-up" : "--seconds"));
        return new Run(name, new CountTruth(keys.sequenceBehindAll()), lead, window, processes);
    }
}
