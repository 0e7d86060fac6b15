package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The rules of {@code udfs/all-states}, which documents them, as a Flink program would have them. */
public final class AllStatesInJava<K> extends KeyedProcessFunction<K, RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private static final int MAX_LIST = 4;
    private static final int KEPT_OF_LIST = 2;
    private static final long CHAIN_MULTIPLE_MS = 10;
    private static final long CHAIN_STEP_MS = 5;

    private final OutputTag<RowData> events;
    private transient ValueState<Long> value;
    private transient ReducingState<Long> sum;
    private transient ListState<Long> list;
    private transient MapState<String, Long> map;

    public AllStatesInJava(OutputTag<RowData> events) {
        this.events = events;
    }

    @Override
    public void open(OpenContext context) {
        ValueStateDescriptor<Long> withTtl = new ValueStateDescriptor<>("value", Types.LONG);
        withTtl.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofHours(1)).build());
        value = getRuntimeContext().getState(withTtl);
        sum = getRuntimeContext().getReducingState(new ReducingStateDescriptor<>("sum", Long::sum, Types.LONG));
        list = getRuntimeContext().getListState(new ListStateDescriptor<>("list", Types.LONG));
        map = getRuntimeContext().getMapState(new MapStateDescriptor<>("map", Types.STRING, Types.LONG));
    }

    @Override
    public void processElement(RowData row, Context context, Collector<RowData> out) throws Exception {
        long k = row.getLong(0);
        String name = row.getString(3).toString();
        long n = row.getLong(4);
        String op = row.getString(2).toString();
        switch (op) {
            case "set" -> value.update(n);
            case "unset" -> value.clear();
            case "sum" -> sum.add(n);
            case "append" -> append(n);
            case "put" -> map.put(name, n);
            case "count" -> map.put(name, map.contains(name) ? map.get(name) + n : n);
            case "remove" -> map.remove(name);
            case "clear" -> {
                value.clear();
                sum.clear();
                list.clear();
                map.clear();
            }
            case "timer" -> context.timerService().registerEventTimeTimer(n);
            case "delete-timer" -> context.timerService().deleteEventTimeTimer(n);
            case "alarm" -> context.timerService().registerProcessingTimeTimer(n);
            case "delete-alarm" -> context.timerService().deleteProcessingTimeTimer(n);
            case "copy" -> context.output(events, GenericRowData.of(k, StringData.fromString("row"), n, sum.get()));
            case "read" -> { }
            default -> throw new IllegalArgumentException("unknown op " + op);
        }
        out.collect(GenericRowData.of(
                k, row.getLong(1), context.timestamp(), value.value(), sum.get(), StringData.fromString(list()), StringData.fromString(map())));
    }

    @Override
    public void onTimer(long timestamp, OnTimerContext context, Collector<RowData> out) throws Exception {
        sum.add(1L);
        boolean isEventTime = context.timeDomain() == TimeDomain.EVENT_TIME;
        if (isEventTime && timestamp % CHAIN_MULTIPLE_MS == 0) {
            context.timerService().registerEventTimeTimer(timestamp + CHAIN_STEP_MS);
        }
        StringData source = StringData.fromString(isEventTime ? "event-time" : "processing-time");
        context.output(events, GenericRowData.of(context.getCurrentKey(), source, timestamp, sum.get()));
    }

    private void append(long n) throws Exception {
        list.add(n);
        List<Long> all = new ArrayList<>();
        list.get().forEach(all::add);
        if (all.size() > MAX_LIST) {
            list.update(all.subList(all.size() - KEPT_OF_LIST, all.size()));
        }
    }

    private String list() throws Exception {
        List<String> texts = new ArrayList<>();
        Iterable<Long> elements = list.get();
        if (elements != null) {
            elements.forEach(element -> texts.add(element.toString()));
        }
        return String.join(",", texts);
    }

    private String map() throws Exception {
        Map<String, Long> sorted = new TreeMap<>();
        for (Map.Entry<String, Long> entry : map.entries()) {
            sorted.put(entry.getKey(), entry.getValue());
        }
        return sorted.entrySet().stream().map(Object::toString).collect(Collectors.joining(","));
    }
}
