package org.flinkwasm.benches;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.Collector;

/** What `udfs/count` does, as a user would write it in Java. */
final class CountFunction extends KeyedProcessFunction<Long, RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private final long first;
    private transient ValueState<Long> count;

    /** @param first the state of a key's first row; what comes out counts from 1 all the same */
    CountFunction(long first) {
        this.first = first;
    }

    @Override
    public void open(OpenContext context) {
        count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
    }

    @Override
    public void processElement(RowData row, Context context, Collector<RowData> out) throws Exception {
        Long before = count.value();
        long now = before == null ? first : before + 1;
        count.update(now);
        out.collect(GenericRowData.of(row.getLong(0), now - first + 1));
    }
}
