package org.flinkwasm.runtime.operator;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

import java.time.Duration;

/** The options of wasm operators; they may stand in the plan, or in Flink's configuration. */
public final class WasmOptions {
    public static final ConfigOption<String> SIDECAR_SOCKET = ConfigOptions.key("flink-wasm.sidecar.socket")
            .stringType()
            .noDefaultValue()
            .withDescription("The sidecar's unix socket. Without it the environment variable FLINK_WASM_SIDECAR_SOCKET of the task manager"
                    + " counts, then /run/flink-wasm/sidecar.sock.");

    public static final ConfigOption<Duration> CONNECT_TIMEOUT = ConfigOptions.key("flink-wasm.sidecar.connect-timeout")
            .durationType()
            .defaultValue(Duration.ofSeconds(60))
            .withDescription("How long an operator tries to reach the sidecar before it fails. Longer than a sidecar takes to start.");

    public static final ConfigOption<Duration> REPLY_TIMEOUT = ConfigOptions.key("flink-wasm.sidecar.reply-timeout")
            .durationType()
            .noDefaultValue()
            .withDescription("How long the sidecar may be silent while bundles are with it before the task fails and restarts. Without it three"
                    + " deadlines of the function and 30 s. While rows of a bundle are run again because one has failed, the sidecar is not silent.");

    public static final ConfigOption<Integer> BUNDLE_ROWS = ConfigOptions.key("flink-wasm.bundle.rows")
            .intType()
            .defaultValue(1000)
            .withDescription("Rows after which a bundle is sent.");

    public static final ConfigOption<MemorySize> BUNDLE_BYTES = ConfigOptions.key("flink-wasm.bundle.bytes")
            .memoryType()
            .defaultValue(MemorySize.parse("256 kb"))
            .withDescription("Bytes after which a bundle is sent.");

    public static final ConfigOption<Duration> BUNDLE_TIME = ConfigOptions.key("flink-wasm.bundle.time")
            .durationType()
            .defaultValue(Duration.ofMillis(3))
            .withDescription("How long a row waits for others before its bundle is sent. Flink's timers add a millisecond.");

    public static final ConfigOption<Integer> BUNDLE_IN_FLIGHT = ConfigOptions.key("flink-wasm.bundle.in-flight")
            .intType()
            .defaultValue(2)
            .withDescription("Bundles of a subtask that are with the sidecar at a time. More makes checkpoints wait longer.");

    public static final ConfigOption<Integer> STATE_CACHE_SLOTS = ConfigOptions.key("flink-wasm.state.cache-slots")
            .intType()
            .noDefaultValue()
            .withDescription("Keys of a subtask whose state the sidecar keeps between bundles, so that it is not sent again. At most 524288,"
                    + " which is the default. Where state is on the heap it is 16384: there more than the processor's caches hold cost more than"
                    + " they save.");

    public static final ConfigOption<MemorySize> STATE_CACHE_BYTES = ConfigOptions.key("flink-wasm.state.cache-bytes")
            .memoryType()
            .defaultValue(MemorySize.parse("32 mb"))
            .withDescription("Bytes of state of a subtask that the sidecar keeps between bundles.");

    /** Environment variable with the sidecar's socket. */
    static final String SOCKET_VARIABLE = "FLINK_WASM_SIDECAR_SOCKET";

    /** Where the sidecar listens when nothing else is said. */
    static final String DEFAULT_SOCKET = "/run/flink-wasm/sidecar.sock";

    private WasmOptions() {}
}
