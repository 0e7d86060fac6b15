package org.flinkwasm.runtime.operator;

import org.apache.flink.table.types.logical.LogicalType;

import java.io.Serializable;
import java.util.List;

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
        Settings settings)
        implements Serializable {
    private static final long serialVersionUID = 1L;

    /** What a function does with a row. */
    public enum Kind {
        /** One row for each row. */
        MAP,
        /** Says which rows to keep; the others are dropped. */
        FILTER,
        /** Says yes or no, which becomes a column. */
        FLAG;

        /** The name on the wire. */
        public String wireName() {
            return this == MAP ? "map" : "filter";
        }
    }

    /** A column of the input rows: name for messages, type, position. */
    public record Column(String name, LogicalType type, int position) implements Serializable {
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
     */
    public record Settings(
            String socket, long connectTimeoutMs, int bundleRows, int bundleBytes, long bundleTimeMs, int bundlesInFlight)
            implements Serializable {
        private static final long serialVersionUID = 1L;
    }
}
