package org.flinkwasm.benches;

import org.apache.flink.configuration.Configuration;

/** Where Flink keeps the state. */
enum Backend {
    /** Objects on the JVM's heap. */
    HEAP("heap", "hashmap"),

    /** Bytes in RocksDB, in the task manager's process. */
    ROCKSDB("RocksDB", "rocksdb");

    final String title;
    private final String type;

    Backend(String title, String type) {
        this.title = title;
        this.type = type;
    }

    void configure(Configuration configuration) {
        configuration.setString("state.backend.type", type);
        // The heap backend knows full checkpoints only.
        configuration.setString("execution.checkpointing.incremental", String.valueOf(this == ROCKSDB));
    }
}
