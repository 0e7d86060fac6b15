//! Sources. `schema` as a DDL column list, and `format` where FlinkDotnet has none, are additions of flink-wasm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Object, Properties, properties, records, tagged};

tagged! {
    /// Where a job's rows come from.
    pub enum Source {
        /// A Kafka topic.
        Kafka(KafkaSource) = "kafka",
        /// A file or a folder of files.
        File(FileSource) = "file",
        /// An HTTP endpoint, asked again and again.
        Http(HttpSource) = "http",
        /// A query over a database, asked again and again.
        Database(DatabaseSource) = "database",
        /// SQL statements.
        Sql(SqlSource) = "sql",
        /// A materialized table (third generation).
        MaterializedTable(MaterializedTableSource) = "materialized_table",
        /// A model (third generation).
        Model(ModelSource) = "model",
        /// A Paimon table (third generation).
        PaimonTable(PaimonTableSource) = "paimon_table",
        /// A table of a catalog (third generation).
        Table(TableSource) = "table",
    }
}

/// Whether a SQL job ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SqlMode {
    /// Rows are processed as they come.
    #[default]
    Streaming,
    /// The input is bounded and processed stage by stage.
    Batch,
}

records! {
    /// A Kafka topic.
    pub struct KafkaSource {
        /// Name of the topic.
        topic: String,
        /// `host:port`, separated by commas.
        bootstrap_servers: Option<String>,
        /// Consumer group.
        group_id: Option<String>,
        /// `latest`, `earliest` or offsets.
        starting_offsets: String = "latest".into(),
        /// Columns and watermark as in `CREATE TABLE`.
        schema: Option<String>,
        /// Format of a record's value.
        format: Option<String>,
        /// Options of the connector.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// A file or a folder of files; the job ends with them.
    pub struct FileSource {
        /// Path or URI of a file, of a folder, or with `*` and `?` in its last part.
        path: String,
        /// `text`, `json`, `csv` or `raw`.
        format: String = "text".into(),
        /// Columns and watermark as in `CREATE TABLE`, such as `id BIGINT, amount DOUBLE`.
        schema: Option<String>,
        /// Options of the connector and the format, such as `csv.field-delimiter`.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// An HTTP endpoint, asked again and again.
    pub struct HttpSource {
        /// Address.
        url: String,
        /// GET, POST, PUT or DELETE.
        method: String = "GET".into(),
        /// Headers of each request.
        #[serde(deserialize_with = "properties")]
        headers: Properties,
        /// Body of each request.
        body: Option<String>,
        /// Time between requests.
        interval_seconds: u32 = 60,
        /// State that holds a token.
        auth_token_state_key: Option<String>,
        /// Columns and watermark as in `CREATE TABLE`.
        schema: Option<String>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// A query over a database.
    pub struct DatabaseSource {
        /// How to reach the database.
        connection_string: String,
        /// The query.
        query: String,
        /// `postgresql`, `mysql` or another.
        database_type: String = "postgresql".into(),
        /// Time between queries.
        polling_interval_seconds: u32 = 30,
        /// Columns and watermark as in `CREATE TABLE`.
        schema: Option<String>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// SQL statements, run in order.
    pub struct SqlSource {
        /// One statement each.
        statements: Vec<String>,
        /// Whether the job ends.
        mode: SqlMode,
        /// `tableenv` or `gateway`; not looked at.
        execution_mode: String = "tableenv".into(),
        /// Flink options of the job.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }

    /// A materialized table.
    pub struct MaterializedTableSource {
        /// Name of the table.
        table_name: String,
        /// The query that it materializes.
        query: String,
        /// CONTINUOUS or FULL.
        refresh_mode: String = "CONTINUOUS".into(),
        /// How stale it may be.
        freshness_interval: Option<String>,
        /// Columns of the primary key.
        primary_key: Vec<String>,
        /// Columns by which it is partitioned.
        partition_by: Vec<String>,
        /// Name and type of the columns.
        schema: Object,
        /// CREATE, SUSPEND, RESUME, REFRESH or DROP.
        operation: String = "CREATE".into(),
        /// Which partition to refresh.
        partition_filter: Option<String>,
        /// Options of the table.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// `gateway`.
        execution_mode: String = "gateway".into(),
    }

    /// A model.
    pub struct ModelSource {
        /// Name of the model.
        model_name: String,
        /// Name and type of its inputs.
        input_schema: Object,
        /// Name and type of its outputs.
        output_schema: Object,
        /// Who serves it.
        provider: String,
        /// Options of the provider.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// CREATE, ALTER, DROP, SHOW or DESCRIBE.
        operation: String = "CREATE".into(),
        /// `gateway`.
        execution_mode: String = "gateway".into(),
    }

    /// A Paimon table.
    pub struct PaimonTableSource {
        /// Name of the catalog.
        catalog_name: String,
        /// Name of the table.
        table_name: String,
        /// Name and type of the columns.
        schema: Object,
        /// Columns of the primary key.
        primary_key: Vec<String>,
        /// Columns by which it is partitioned.
        partition_keys: Vec<String>,
        /// Number of buckets.
        buckets: Option<i32>,
        /// How its change log is made.
        changelog_producer_mode: String = "none".into(),
        /// Options of the table.
        #[serde(deserialize_with = "properties")]
        table_properties: Properties,
        /// CREATE, and others.
        operation: String = "CREATE".into(),
    }

    /// A table of a catalog.
    pub struct TableSource {
        /// Name of the table.
        table_name: String,
        /// Name of the catalog.
        catalog_name: Option<String>,
        /// Name of the database.
        database_name: Option<String>,
        /// Name and type of the columns.
        schema: Object,
        /// Options of the table.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
    }
}
