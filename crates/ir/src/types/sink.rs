//! Sinks. `schema`, and the type `blackhole`, are additions of flink-wasm.

use super::{Object, Properties, properties, records, tagged};

tagged! {
    /// Where a job's rows go.
    pub enum Sink {
        /// A Kafka topic.
        Kafka(KafkaSink) = "kafka",
        /// Standard output.
        Console(ConsoleSink) = "console",
        /// A folder of files.
        File(FileSink) = "file",
        /// A table of a database.
        Database(DatabaseSink) = "database",
        /// An HTTP endpoint.
        Http(HttpSink) = "http",
        /// A Redis server.
        Redis(RedisSink) = "redis",
        /// Nowhere.
        Blackhole(BlackholeSink) = "blackhole",
        /// A sink of Flink's own interface (third generation).
        Unified(UnifiedSink) = "unified_sink_v2",
    }
}

records! {
    /// A Kafka topic.
    pub struct KafkaSink {
        /// Name of the topic.
        topic: String,
        /// `host:port`, separated by commas.
        bootstrap_servers: Option<String>,
        /// `json` or `string`.
        serializer: String = "json".into(),
        /// Columns as in `CREATE TABLE`.
        schema: Option<String>,
        /// Options of the connector.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// Standard output.
    pub struct ConsoleSink {
        /// `json`.
        format: String = "json".into(),
    }

    /// A folder of files.
    pub struct FileSink {
        /// Path or URI of the folder.
        path: String,
        /// `json` or `csv`.
        format: String = "json".into(),
        /// Columns as in `CREATE TABLE`; those of the rows when absent.
        schema: Option<String>,
        /// Options of the connector and the format.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// A table of a database.
    pub struct DatabaseSink {
        /// How to reach the database.
        connection_string: String,
        /// Name of the table.
        table: String,
        /// `postgresql`, `mysql` or another.
        database_type: String = "postgresql".into(),
        /// Columns as in `CREATE TABLE`.
        schema: Option<String>,
        /// Options of the connector.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// An HTTP endpoint.
    pub struct HttpSink {
        /// Address.
        url: String,
        /// POST, PUT or PATCH.
        method: String = "POST".into(),
        /// Headers of each request.
        #[serde(deserialize_with = "properties")]
        headers: Properties,
        /// Body with `{column}` for values.
        body_template: Option<String>,
        /// State that holds a token.
        auth_token_state_key: Option<String>,
        /// Time for one request.
        timeout_ms: u32 = 5000,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// A Redis server.
    pub struct RedisSink {
        /// `host:port`.
        connection_string: String,
        /// Key with `{column}` for values.
        key: Option<String>,
        /// `increment`, `set` or `sadd`.
        operation_type: String = "increment".into(),
        /// Options.
        configuration: Object,
    }

    /// Nowhere: rows are counted and dropped.
    pub struct BlackholeSink {
    }

    /// A sink of Flink's own interface.
    pub struct UnifiedSink {
        /// Which sink.
        sink_type: String,
        /// How it writes.
        writer_config: Option<serde_json::Value>,
        /// How it commits.
        committer_config: Option<serde_json::Value>,
        /// `at-least-once` or `exactly-once`.
        semantics: String = "at-least-once".into(),
        /// Whether it keeps state.
        stateful: bool,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }
}
