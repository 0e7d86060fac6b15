package org.flinkwasm.runtime.connector;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;

import java.util.Set;

/** The connector {@code flink-wasm-console}: one line a row on standard output, in a format of Flink's, by default {@code json}. */
public final class ConsoleTableSinkFactory implements DynamicTableSinkFactory {
    private static final ConfigOption<String> FORMAT = ConfigOptions.key(FactoryUtil.FORMAT.key())
            .stringType()
            .defaultValue("json")
            .withDescription("The format of a line.");

    @Override
    public String factoryIdentifier() {
        return "flink-wasm-console";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(FORMAT);
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        EncodingFormat<SerializationSchema<RowData>> format =
                helper.discoverEncodingFormat(SerializationFormatFactory.class, FORMAT);
        helper.validate();
        return new ConsoleTableSink(
                context.getObjectIdentifier().getObjectName(), format, context.getCatalogTable().getResolvedSchema().toPhysicalRowDataType());
    }

    private record ConsoleTableSink(String name, EncodingFormat<SerializationSchema<RowData>> format, DataType rowType)
            implements DynamicTableSink {
        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return format.getChangelogMode();
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            ConsolePrinter printer = new ConsolePrinter(name, format.createRuntimeEncoder(context, rowType));
            return new DataStreamSinkProvider() {
                @Override
                public DataStreamSink<?> consumeDataStream(ProviderContext providerContext, DataStream<RowData> rows) {
                    return rows.map(printer)
                            .returns(rows.getType())
                            .setParallelism(rows.getParallelism())
                            .name("console " + name)
                            .sinkTo(new DiscardingSink<>())
                            .setParallelism(rows.getParallelism())
                            .name("console " + name);
                }
            };
        }

        @Override
        public DynamicTableSink copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "console";
        }
    }
}
