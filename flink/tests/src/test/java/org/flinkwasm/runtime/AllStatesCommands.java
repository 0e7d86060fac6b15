package org.flinkwasm.runtime;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;

import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * A table of random commands for {@code udfs/all-states}. One reader gives them in one order, whatever the job's parallelism.
 *
 * <p>Keys below {@link #ALARM_KEY} have timers of event time, the others timers of processing time: when these fire between the rows is
 * nobody's to say, so nothing else touches the {@code sum} of their keys.
 */
public final class AllStatesCommands implements DynamicTableSourceFactory {
    /** The first key with timers of processing time. */
    static final long ALARM_KEY = 40;
    private static final int ALARM_KEYS = 8;
    private static final long FIRST_TIMESTAMP = 1_000_000;
    /** A timer of processing time that is left when the input ends fires no more: the last row gives all of them time to. */
    private static final long PAUSE_MS = 3000;

    private static final List<String> OPS = List.of(
            "set", "unset", "sum", "append", "append", "put", "put", "count", "remove", "clear", "timer", "timer", "timer", "delete-timer",
            "copy", "read");
    private static final List<String> ALARM_OPS = List.of("set", "unset", "append", "put", "count", "remove", "read", "alarm", "alarm");

    private static final ConfigOption<Long> SEED = ConfigOptions.key("seed").longType().noDefaultValue();
    private static final ConfigOption<Long> ROWS = ConfigOptions.key("rows").longType().noDefaultValue();

    /** Its statement. Rows are out of order by up to 30 ms, and a watermark comes 20 ms behind: some rows and timers are late. */
    static String createTable(long seed, long rows) {
        return "CREATE TEMPORARY TABLE `source` (k BIGINT NOT NULL, id BIGINT NOT NULL, op STRING NOT NULL, name STRING NOT NULL, n BIGINT NOT NULL, "
                + "ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '0.020' SECOND) WITH ('connector' = 'all-states-commands', 'seed' = '"
                + seed + "', 'rows' = '" + rows + "')";
    }

    /** The row with an id: k, id, op, name, n, ts. */
    static RowData row(long seed, long id) {
        Random random = new Random(seed * 1_000_003 + id);
        // The first numbers of neighbouring seeds are alike.
        random.nextLong();
        boolean isAlarm = random.nextInt(6) == 0;
        long k = isAlarm ? ALARM_KEY + random.nextInt(ALARM_KEYS) : random.nextInt(random.nextBoolean() ? 5 : (int) ALARM_KEY);
        List<String> ops = isAlarm ? ALARM_OPS : OPS;
        String op = ops.get(random.nextInt(ops.size()));
        String name = String.valueOf((char) ('a' + random.nextInt(4)));
        long timestamp = FIRST_TIMESTAMP + 2 * id + random.nextInt(30);
        long n = switch (op) {
            case "timer", "delete-timer" -> FIRST_TIMESTAMP + 2 * id + random.nextInt(60) - 10;
            // Long past, and rising: it fires at once, and the timers of a key in one order.
            case "alarm" -> id;
            default -> random.nextInt(1000) - 500;
        };
        return GenericRowData.of(
                k, id, StringData.fromString(op), StringData.fromString(name), n, TimestampData.fromEpochMillis(timestamp));
    }

    @Override
    public String factoryIdentifier() {
        return "all-states-commands";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(SEED, ROWS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        return new Commands(helper.getOptions().get(SEED), helper.getOptions().get(ROWS), context.getPhysicalRowDataType());
    }

    private record Commands(long seed, long rows, DataType type) implements ScanTableSource {
        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return new Reader(seed, rows, context.createTypeInformation(type));
        }

        @Override
        public DynamicTableSource copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "commands";
        }
    }

    /**
     * One reader. Not a {@code SourceProvider} with a parallelism: behind it the rows are dealt out to as many tasks as the job's parallelism says,
     * and come to a key in no order.
     */
    private record Reader(long seed, long rows, TypeInformation<RowData> type) implements DataStreamScanProvider {
        @Override
        public DataStream<RowData> produceDataStream(ProviderContext context, StreamExecutionEnvironment environment) {
            long seed = this.seed;
            long last = rows - 1;
            return environment
                    .fromSource(new DataGeneratorSource<>(id -> rowInTime(seed, id, last), rows, type), WatermarkStrategy.noWatermarks(), "commands")
                    .setParallelism(1);
        }

        @Override
        public boolean isBounded() {
            return true;
        }
    }

    private static RowData rowInTime(long seed, long id, long last) throws InterruptedException {
        if (id == last) {
            Thread.sleep(PAUSE_MS);
        }
        return row(seed, id);
    }
}
