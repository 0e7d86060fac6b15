package org.flinkwasm.runtime.operator;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.OutputTag;

/** The stream of rows and timers that a function failed on. */
public final class DeadLetters {
    private static final LogicalType TEXT = new VarCharType(false, VarCharType.MAX_LENGTH);

    /** The columns of a dead letter. */
    public static final RowType ROW_TYPE = RowType.of(
            false,
            new LogicalType[] {TEXT, TEXT, TEXT, TEXT, TEXT, new LocalZonedTimestampType(false, 3)},
            new String[] {"row", "error", "code", "function", "digest", "failed_at"});

    /** The stream's name within Flink; no side output can have it, since it is no name of a field in Rust. */
    public static final OutputTag<RowData> TAG = new OutputTag<>("dead letters", InternalTypeInfo.of(ROW_TYPE));

    private DeadLetters() {}
}
