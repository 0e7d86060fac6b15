package org.flinkwasm.runtime.connector;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.serialization.RuntimeContextInitializationContextAdapters;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.data.RowData;

import java.nio.charset.StandardCharsets;
import java.util.function.BiConsumer;

/**
 * Prints each row that passes. A map and not a sink: no sink interface is the same in Flink 1.20 and 2.x.
 */
public final class ConsolePrinter extends RichMapFunction<RowData, RowData> {
    private static final long serialVersionUID = 1L;

    /** Takes (sink, line) instead of standard output in an embedded run. */
    private static volatile BiConsumer<String, String> listener;

    private final String sink;
    private final SerializationSchema<RowData> format;

    ConsolePrinter(String sink, SerializationSchema<RowData> format) {
        this.sink = sink;
        this.format = format;
    }

    /** Sends lines of this JVM's console sinks elsewhere than to standard output. */
    public static void listen(BiConsumer<String, String> lines) {
        listener = lines;
    }

    @Override
    public void open(OpenContext context) throws Exception {
        format.open(RuntimeContextInitializationContextAdapters.serializationAdapter(getRuntimeContext()));
    }

    @Override
    public RowData map(RowData row) {
        String line = new String(format.serialize(row), StandardCharsets.UTF_8).stripTrailing();
        BiConsumer<String, String> lines = listener;
        if (lines == null) {
            System.out.println(line);
        } else {
            lines.accept(sink, line);
        }
        return row;
    }
}
