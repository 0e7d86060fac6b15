package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.util.Collector;

import java.time.Duration;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** The rules of {@code udfs/short-lived}, as a Flink program would have them. */
public final class ShortLivedInJava extends KeyedProcessFunction<Long, RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private transient ValueState<Long> value;
    private transient ReducingState<Long> sum;
    private transient ListState<Long> list;
    private transient MapState<Long, Long> map;

    @Override
    public void open(OpenContext context) {
        value = getRuntimeContext().getState(withTtl(new ValueStateDescriptor<>("value", Types.LONG)));
        sum = getRuntimeContext().getReducingState(withTtl(new ReducingStateDescriptor<>("sum", Long::sum, Types.LONG)));
        list = getRuntimeContext().getListState(withTtl(new ListStateDescriptor<>("list", Types.LONG)));
        map = getRuntimeContext().getMapState(withTtl(new MapStateDescriptor<>("map", Types.LONG, Types.LONG)));
    }

    private static <D extends StateDescriptor<?, ?>> D withTtl(D descriptor) {
        descriptor.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMillis(200)).build());
        return descriptor;
    }

    @Override
    public void processElement(RowData row, Context context, Collector<RowData> out) throws Exception {
        long id = row.getLong(1);
        StringData before = text();
        value.update(id);
        sum.add(id);
        list.add(id);
        map.put(id, id);
        out.collect(GenericRowData.of(row.getLong(0), id, before, text()));
    }

    private StringData text() throws Exception {
        return StringData.fromString(number(value.value()) + " " + number(sum.get()) + " " + ids(list.get()) + " " + ids(map.keys()));
    }

    private static String number(Long number) {
        return number == null ? "-" : number.toString();
    }

    /** They only rise in a list. */
    private static String ids(Iterable<Long> ids) {
        if (ids == null || !ids.iterator().hasNext()) {
            return "-";
        }
        return new TreeSet<>(StreamSupport.stream(ids.spliterator(), false).toList())
                .stream().map(String::valueOf).collect(Collectors.joining(","));
    }
}
