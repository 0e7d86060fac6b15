package org.flinkwasm.runtime.operator;

import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.table.data.RowData;

/** Creates {@link WasmOperator}s and {@link WasmProcessOperator}s. Behind a legacy source the chaining strategy has to be {@link ChainingStrategy#HEAD}. */
public final class WasmOperatorFactory extends AbstractStreamOperatorFactory<RowData>
        implements OneInputStreamOperatorFactory<RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private final WasmOperatorSpec spec;

    public WasmOperatorFactory(WasmOperatorSpec spec) {
        this.spec = spec;
        setChainingStrategy(ChainingStrategy.ALWAYS);
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends StreamOperator<RowData>> T createStreamOperator(StreamOperatorParameters<RowData> parameters) {
        return (T) (spec.keyed() == null ? new WasmOperator(parameters, spec) : new WasmProcessOperator(parameters, spec));
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
        return spec.keyed() == null ? WasmOperator.class : WasmProcessOperator.class;
    }
}
