package org.flinkwasm.runtime.operator;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import org.apache.flink.table.types.inference.TypeTransformations;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.utils.DataTypeUtils;
import org.apache.flink.table.types.utils.TypeConversions;

import java.io.Serializable;
import java.util.List;
import java.util.Locale;

/**
 * What a wasm operator does, fixed when the job is built.
 *
 * @param operatorName as the web UI shows it
 * @param function the function's name in the job
 * @param component digest of the component, {@code sha256:<hex>}
 * @param kind whether the function is a map or a filter
 * @param parameters the function's parameters, a JSON object
 * @param limits the function's limits, a JSON object
 * @param inputTypes the function's input fields as its declaration writes them
 * @param outputTypes the function's output fields as its declaration writes them
 * @param arguments what is sent: the function's input fields
 * @param kept columns of the input rows that are not sent but put out again
 * @param output types of the function's output fields; empty for a filter
 * @param result the columns that are put out
 * @param bundleDigest digest of the bundle's manifest
 * @param settings how bundles are made, and where the sidecar is
 * @param keyed what a process function has besides; null for a map or filter
 * @param onError what becomes of rows that the function fails on
 * @param rateLimiters the token buckets that it may ask, a JSON array as in the plan: the rate and burst of scope {@code job} are the whole job's
 */
public record WasmOperatorSpec(
        String operatorName,
        String function,
        String component,
        Kind kind,
        String parameters,
        String limits,
        List<String> inputTypes,
        List<String> outputTypes,
        List<Column> arguments,
        List<Column> kept,
        List<LogicalType> output,
        List<ResultColumn> result,
        String bundleDigest,
        Settings settings,
        Keyed keyed,
        OnError onError,
        String rateLimiters)
        implements Serializable {
    private static final long serialVersionUID = 1L;

    /** The deadline of a bundle unless the limits say another one. */
    private static final long DEFAULT_DEADLINE_MS = 10_000;

    /** The bytes of a value in state unless the limits say others. */
    private static final long DEFAULT_STATE_VALUE_BYTES = 1 << 20;

    /** A bundle takes a deadline, and finding the row at fault two more. */
    private static final int DEADLINES = 3;

    /** What a reply may take besides: a loaded machine, and waiting for other connections. */
    private static final long REPLY_MARGIN_MS = 30_000;

    /** A function whose rows may not fail, without rate limiters. */
    public WasmOperatorSpec(
            String operatorName,
            String function,
            String component,
            Kind kind,
            String parameters,
            String limits,
            List<String> inputTypes,
            List<String> outputTypes,
            List<Column> arguments,
            List<Column> kept,
            List<LogicalType> output,
            List<ResultColumn> result,
            String bundleDigest,
            Settings settings,
            Keyed keyed) {
        this(
                operatorName,
                function,
                component,
                kind,
                parameters,
                limits,
                inputTypes,
                outputTypes,
                arguments,
                kept,
                output,
                result,
                bundleDigest,
                settings,
                keyed,
                OnError.FAIL,
                "[]");
    }

    /** A map or filter function. */
    public WasmOperatorSpec(
            String operatorName,
            String function,
            String component,
            Kind kind,
            String parameters,
            String limits,
            List<String> inputTypes,
            List<String> outputTypes,
            List<Column> arguments,
            List<Column> kept,
            List<LogicalType> output,
            List<ResultColumn> result,
            String bundleDigest,
            Settings settings) {
        this(
                operatorName,
                function,
                component,
                kind,
                parameters,
                limits,
                inputTypes,
                outputTypes,
                arguments,
                kept,
                output,
                result,
                bundleDigest,
                settings,
                null);
    }

    /** How long the sidecar may be silent while bundles are with it. */
    public long replyTimeoutMs() {
        if (settings.replyTimeoutMs() != null) {
            return settings.replyTimeoutMs();
        }
        return DEADLINES * limit("deadlineMs", DEFAULT_DEADLINE_MS) + REPLY_MARGIN_MS;
    }

    /** The most bytes of a value in state. */
    public long stateValueBytes() {
        return limit("stateValueBytes", DEFAULT_STATE_VALUE_BYTES);
    }

    private long limit(String name, long ifNone) {
        JsonElement given = JsonParser.parseString(limits).getAsJsonObject().get(name);
        return given == null ? ifNone : given.getAsLong();
    }

    /**
     * What becomes of rows that a function fails on.
     *
     * @param retries how often a row is tried again when its failure is transient
     * @param row every column of the input rows, for dead letters; empty with another policy
     */
    public record OnError(Policy policy, int retries, List<Column> row) implements Serializable {
        private static final long serialVersionUID = 1L;

        /** The first failure ends the job. */
        public static final OnError FAIL = new OnError(Policy.FAIL, 0, List.of());
    }

    /** What happens to a row that failed. */
    public enum Policy {
        /** It ends the job. */
        FAIL,
        /** It is counted. */
        SKIP,
        /** It is counted and put out to {@link DeadLetters#TAG}. */
        DEAD_LETTER;

        /** The name on the wire and in plans. */
        public String wireName() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** What a function does with a row. */
    public enum Kind {
        /** One row for each row. */
        MAP,
        /** Says which rows to keep; the others are dropped. */
        FILTER,
        /** Says yes or no, which becomes a column. */
        FLAG,
        /** Rows and timers of keys: any number of rows, to any of its outputs; keeps state. */
        PROCESS;

        /** The name on the wire. */
        public String wireName() {
            switch (this) {
                case MAP:
                    return "map";
                case PROCESS:
                    return "process";
                default:
                    return "filter";
            }
        }
    }

    /** A column of the input rows: name for messages, type, position. */
    public record Column(String name, LogicalType type, int position) implements Serializable {
        private static final long serialVersionUID = 1L;

        /** The column with a type in which anything may be NULL: what the function does not see is Flink's to judge. */
        Column nullable() {
            LogicalType nullable = DataTypeUtils.transform(
                            TypeConversions.fromLogicalToDataType(type), TypeTransformations.toNullable())
                    .getLogicalType();
            return new Column(name, nullable, position);
        }
    }

    /**
     * What a process function has besides.
     *
     * @param keyedBy SQL types of the whole key, whether the function reads it or not; NULL apart
     * @param key columns of the rows that are the key which the function reads: their positions are those in the key
     * @param keyTypes their types as the function's declaration writes them
     * @param states in the order of the declaration
     * @param sideOutputs in the order of the declaration
     * @param timers whether the function may register timers
     * @param keyColumns the columns of the whole key, in its order, for dead letters
     */
    public record Keyed(
            List<String> keyedBy,
            List<Column> key,
            List<String> keyTypes,
            List<State> states,
            List<SideOutput> sideOutputs,
            boolean timers,
            List<Column> keyColumns)
            implements Serializable {
        private static final long serialVersionUID = 1L;

        /** A function that reads the whole key. */
        public Keyed(
                List<String> keyedBy,
                List<Column> key,
                List<String> keyTypes,
                List<State> states,
                List<SideOutput> sideOutputs,
                boolean timers) {
            this(keyedBy, key, keyTypes, states, sideOutputs, timers, key);
        }
    }

    /**
     * A keyed state.
     *
     * @param schema names the type and its encoding
     * @param ttlMs time to live after the last write; null for ever
     */
    public record State(String name, StateKind kind, String schema, Long ttlMs) implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    /** How a state is accessed. */
    public enum StateKind {
        VALUE,
        REDUCING,
        LIST,
        MAP;

        /** The name on the wire and in plans. */
        public String wireName() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** Whether a key has one value, which travels with each bundle. */
        public boolean isValue() {
            return this == VALUE || this == REDUCING;
        }
    }

    /** A side output: its name, and its fields as the function's declaration writes them and as types. */
    public record SideOutput(String name, List<String> fieldTypes, List<LogicalType> types) implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    /** Where a column of the result comes from: an index into the arguments, the kept columns, or the reply. */
    public record ResultColumn(Origin origin, int index) implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    /** Where a column of the result comes from. */
    public enum Origin {
        ARGUMENT,
        KEPT,
        REPLY
    }

    /**
     * How bundles are made, and where the sidecar is.
     *
     * @param socket null: what the task manager says
     * @param cacheSlots keys whose values the sidecar keeps between bundles; null for what suits the state backend
     * @param cacheBytes bytes of such values
     * @param replyTimeoutMs how long the sidecar may be silent while bundles are with it; null for what the function's deadline makes of it
     */
    public record Settings(
            String socket,
            long connectTimeoutMs,
            int bundleRows,
            int bundleBytes,
            long bundleTimeMs,
            int bundlesInFlight,
            Integer cacheSlots,
            long cacheBytes,
            Long replyTimeoutMs)
            implements Serializable {
        private static final long serialVersionUID = 1L;

        /** With the default timeout of replies. */
        public Settings(
                String socket,
                long connectTimeoutMs,
                int bundleRows,
                int bundleBytes,
                long bundleTimeMs,
                int bundlesInFlight,
                int cacheSlots,
                long cacheBytes) {
            this(socket, connectTimeoutMs, bundleRows, bundleBytes, bundleTimeMs, bundlesInFlight, cacheSlots, cacheBytes, null);
        }

        /** With the default cache. */
        public Settings(
                String socket, long connectTimeoutMs, int bundleRows, int bundleBytes, long bundleTimeMs, int bundlesInFlight) {
            this(
                    socket,
                    connectTimeoutMs,
                    bundleRows,
                    bundleBytes,
                    bundleTimeMs,
                    bundlesInFlight,
                    null,
                    WasmOptions.STATE_CACHE_BYTES.defaultValue().getBytes(),
                    null);
        }
    }
}
