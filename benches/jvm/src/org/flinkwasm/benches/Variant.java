package org.flinkwasm.benches;

import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.utils.DataTypeUtils;
import org.apache.flink.table.types.utils.TypeConversions;
import org.flinkwasm.runtime.operator.WasmOperatorFactory;
import org.flinkwasm.runtime.operator.WasmOperatorSpec;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Origin;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.ResultColumn;
import org.flinkwasm.runtime.operator.WasmOptions;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/** What stands between source and sink. */
interface Variant {
    /** As in the report. */
    String title();

    DataStream<RowData> apply(DataStream<RowData> rows);

    /** A variant of this title. */
    static Variant of(String title, UnaryOperator<DataStream<RowData>> operator) {
        return new Variant() {
            @Override
            public String title() {
                return title;
            }

            @Override
            public DataStream<RowData> apply(DataStream<RowData> rows) {
                return operator.apply(rows);
            }
        };
    }

    /** No operator: what the rest of the job leaves to it. */
    static Variant nothing(String title) {
        return of(title, rows -> rows);
    }

    /** The operator of our jobs, as the plan executor sets it up. */
    static Variant wasm(String title, Workload workload, String socket, String component) {
        WasmOperatorSpec spec = spec(workload, socket, component);
        return of(title, rows -> rows.transform(spec.operatorName(), type(workload.output), new WasmOperatorFactory(spec)));
    }

    private static WasmOperatorSpec spec(Workload workload, String socket, String component) {
        List<Column> columns = new ArrayList<>();
        for (int i = 0; i < workload.input.getFieldCount(); i++) {
            columns.add(new Column(workload.input.getFieldNames().get(i), workload.input.getTypeAt(i), i));
        }
        List<LogicalType> output = workload.output.getChildren();
        List<ResultColumn> result = new ArrayList<>();
        switch (workload) {
            case FILTER_10:
                // Only the amount is sent.
                result.add(new ResultColumn(Origin.KEPT, 0));
                result.add(new ResultColumn(Origin.KEPT, 1));
                result.add(new ResultColumn(Origin.ARGUMENT, 0));
                return spec(workload, socket, component, "large_order", Kind.FILTER, "{\"minimum\":" + Workload.MINIMUM + "}",
                        columns.subList(2, 3), columns.subList(0, 2), List.of(), result);
            default:
                for (int i = 0; i < output.size(); i++) {
                    result.add(new ResultColumn(Origin.REPLY, i));
                }
                return spec(workload, socket, component, workload.title, Kind.MAP, "{}", columns, List.of(), output, result);
        }
    }

    /** Everything as it is by default. */
    static WasmOperatorSpec.Settings settings(String socket) {
        return new WasmOperatorSpec.Settings(
                socket,
                WasmOptions.CONNECT_TIMEOUT.defaultValue().toMillis(),
                WasmOptions.BUNDLE_ROWS.defaultValue(),
                (int) WasmOptions.BUNDLE_BYTES.defaultValue().getBytes(),
                WasmOptions.BUNDLE_TIME.defaultValue().toMillis(),
                WasmOptions.BUNDLE_IN_FLIGHT.defaultValue());
    }

    private static WasmOperatorSpec spec(
            Workload workload,
            String socket,
            String component,
            String function,
            Kind kind,
            String parameters,
            List<Column> arguments,
            List<Column> kept,
            List<LogicalType> output,
            List<ResultColumn> result) {
        return new WasmOperatorSpec(
                "wasm " + kind.wireName() + " " + function,
                function,
                component,
                kind,
                parameters,
                "{}",
                arguments.stream().map(column -> declared(column.type())).toList(),
                output.stream().map(Variant::declared).toList(),
                List.copyOf(arguments),
                List.copyOf(kept),
                List.copyOf(output),
                result,
                "",
                settings(socket));
    }

    /** A type as a component's description writes it. */
    static String declared(LogicalType type) {
        return type.asSummaryString();
    }

    /** The function in Java, as a map over rows. */
    static Variant javaMap(String title) {
        return of(title, rows -> rows.map(new TaxMap()).returns(type(Workload.TAX.output)));
    }

    /** The function in Java, called in SQL. */
    static Variant javaSql(String title, Workload workload) {
        return of(title, rows -> {
            StreamTableEnvironment tables = tables(rows, workload);
            tables.createTemporarySystemFunction("tax", new TaxFunction());
            return stream(tables, tables.sqlQuery("SELECT id, region, amount, tax(id, region, amount) AS total FROM orders"));
        });
    }

    /** The operator of our jobs between two relations, which is where the plan executor puts it. */
    static Variant wasmBetweenTables(String title, Workload workload, String socket, String component) {
        Variant wasm = wasm(title, workload, socket, component);
        return of(title, rows -> {
            StreamTableEnvironment tables = tables(rows, workload);
            DataStream<RowData> orders =
                    tables.toDataStream(tables.from("orders"), DataTypeUtils.toInternalDataType(workload.input));
            return stream(tables, tables.fromDataStream(wasm.apply(orders)));
        });
    }

    /** An environment with the rows as table `orders`. */
    private static StreamTableEnvironment tables(DataStream<RowData> rows, Workload workload) {
        StreamTableEnvironment tables = StreamTableEnvironment.create(rows.getExecutionEnvironment());
        Schema.Builder schema = Schema.newBuilder();
        workload.input
                .getFields()
                .forEach(field -> schema.column(field.getName(), TypeConversions.fromLogicalToDataType(field.getType())));
        tables.createTemporaryView("orders", rows, schema.build());
        return tables;
    }

    /** Columns may be null here, so that Flink puts no operator that looks for nulls before the sink. */
    private static DataStream<RowData> stream(StreamTableEnvironment tables, Table table) {
        DataTypes.Field[] fields = table.getResolvedSchema().getColumns().stream()
                .map(column -> DataTypes.FIELD(column.getName(), column.getDataType().nullable()))
                .toArray(DataTypes.Field[]::new);
        return tables.toDataStream(table, DataTypes.ROW(fields).notNull().bridgedTo(RowData.class));
    }

    /** The filter in Java. */
    static Variant javaFilter(String title) {
        return of(title, rows -> rows.filter(new LargeOrderFilter()));
    }

    static TypeInformation<RowData> type(RowType type) {
        return InternalTypeInfo.of(type);
    }

    /** What `udfs/tax` does, with its parameters. */
    final class Tax implements Serializable {
        private static final long serialVersionUID = 1L;

        private final double rate = Workload.RATE;
        private final Map<StringData, Double> regions = new TreeMap<>();

        double total(long id, StringData region, double amount) {
            if (amount < 0.0) {
                throw new IllegalArgumentException("order " + id + " has the negative amount " + amount);
            }
            Double own = regions.get(region);
            return amount * (1.0 + (own == null ? rate : own));
        }
    }

    /** {@link Tax} over rows. */
    final class TaxMap implements MapFunction<RowData, RowData> {
        private static final long serialVersionUID = 1L;

        private final Tax tax = new Tax();

        @Override
        public RowData map(RowData order) {
            long id = order.getLong(0);
            StringData region = order.getString(1);
            double amount = order.getDouble(2);
            return GenericRowData.of(id, region, amount, tax.total(id, region, amount));
        }
    }

    /** {@link Tax} in SQL. */
    final class TaxFunction extends ScalarFunction {
        private static final long serialVersionUID = 1L;

        private final Tax tax = new Tax();

        public double eval(long id, @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData region, double amount) {
            return tax.total(id, region, amount);
        }
    }

    /** What `udfs/large-order` does. */
    final class LargeOrderFilter implements FilterFunction<RowData> {
        private static final long serialVersionUID = 1L;

        @Override
        public boolean filter(RowData order) {
            return order.getDouble(2) >= Workload.MINIMUM;
        }
    }
}
