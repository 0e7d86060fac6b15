//! Operations. `uid`, on each, is an addition of flink-wasm.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Object, OnError, Properties, Sink, Source, properties, records, tagged};

tagged! {
    /// One step of a job.
    pub enum Operation {
        /// Keeps rows for which an expression is true.
        Filter(FilterOperation) = "filter",
        /// Computes columns, or a new row.
        Map(MapOperation) = "map",
        /// Groups rows by key.
        GroupBy(GroupByOperation) = "groupBy",
        /// Aggregates the rows of a group.
        Aggregate(AggregateOperation) = "aggregate",
        /// Cuts time into windows.
        Window(WindowOperation) = "window",
        /// Joins another source.
        Join(JoinOperation) = "join",
        /// Calls HTTP or a database for each row.
        AsyncFunction(AsyncFunctionOperation) = "asyncFunction" | "async",
        /// A function with state.
        ProcessFunction(ProcessFunctionOperation) = "processFunction",
        /// Declares state.
        State(StateOperation) = "state",
        /// Declares a timer.
        Timer(TimerOperation) = "timer",
        /// Tries failed rows again.
        Retry(RetryOperation) = "retry",
        /// Sends some rows to a second sink.
        SideOutput(SideOutputOperation) = "sideOutput" | "side-output",
        /// A step in words of the Table API (third generation).
        Table(TableOperation) = "table",
        /// Parses a column of JSON (third generation).
        ParseJson(ParseJsonOperation) = "parseJson",
        /// A process table function (third generation).
        ProcessTableFunction(ProcessTableFunctionOperation) = "processTableFunction",
        /// A window as table-valued function (third generation).
        WindowTvf(WindowTvfOperation) = "windowTvf",
        /// Asks a model (third generation).
        MlPredict(MlPredictOperation) = "ml_predict",
    }
}

impl Operation {
    /// The user's name for the operator's state, when there is one.
    pub fn uid(&self) -> Option<&str> {
        let uid = match self {
            Self::Filter(operation) => &operation.uid,
            Self::Map(operation) => &operation.uid,
            Self::GroupBy(operation) => &operation.uid,
            Self::Aggregate(operation) => &operation.uid,
            Self::Window(operation) => &operation.uid,
            Self::Join(operation) => &operation.uid,
            Self::AsyncFunction(operation) => &operation.uid,
            Self::ProcessFunction(operation) => &operation.uid,
            Self::State(operation) => &operation.uid,
            Self::Timer(operation) => &operation.uid,
            Self::Retry(operation) => &operation.uid,
            Self::SideOutput(operation) => &operation.uid,
            Self::Table(operation) => &operation.uid,
            Self::ParseJson(operation) => &operation.uid,
            Self::ProcessTableFunction(operation) => &operation.uid,
            Self::WindowTvf(operation) => &operation.uid,
            Self::MlPredict(operation) => &operation.uid,
        };
        uid.as_deref().filter(|uid| !uid.is_empty())
    }
}

/// How rows of a group become one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AggregationType {
    /// Sum of a field.
    #[default]
    Sum,
    /// Number of rows, or of non-null values.
    Count,
    /// Mean of a field.
    Avg,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// All values.
    Collect,
}

/// How windows are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WindowType {
    /// Side by side.
    #[default]
    Tumbling,
    /// Overlapping.
    Sliding,
    /// By gaps.
    Session,
}

/// Unit of a window's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Minutes.
    #[default]
    Minutes,
    /// Hours.
    Hours,
}

/// Which rows without a partner a join keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum JoinType {
    /// None.
    #[default]
    Inner,
    /// Those of the left side.
    Left,
    /// Those of the right side.
    Right,
    /// All.
    Full,
}

records! {
    /// Keeps rows for which an expression is true.
    pub struct FilterOperation {
        /// Condition, or a call of a filter function.
        expression: String,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Computes columns, or a new row.
    pub struct MapOperation {
        /// A call of a function, `column = expression`, or a select list.
        expression: String,
        /// Not used.
        output_type: Option<String>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Groups rows by key.
    pub struct GroupByOperation {
        /// A column, or several separated by commas.
        key: String,
        /// Columns.
        keys: Option<Vec<String>>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Aggregates the rows of a group.
    pub struct AggregateOperation {
        /// How.
        aggregation_type: Option<AggregationType>,
        /// Column, or `*` with COUNT.
        field: String,
        /// Name of the result.
        alias: Option<String>,
        /// Window by time (third generation).
        window_seconds: Option<i64>,
        /// Window by count (third generation).
        window_count: Option<i32>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Cuts time into windows.
    pub struct WindowOperation {
        /// How.
        window_type: Option<WindowType>,
        /// Size, or the gap of a session.
        size: i32,
        /// Unit of `size` and `slide`.
        time_unit: TimeUnit,
        /// Distance of sliding windows.
        slide: Option<i32>,
        /// Column that holds the time.
        time_field: Option<String>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Joins another source.
    pub struct JoinOperation {
        /// Which rows without a partner are kept.
        join_type: JoinType,
        /// The other side.
        right_source: Option<Box<Source>>,
        /// Column of this side.
        left_key: String,
        /// Column of the other side.
        right_key: String,
        /// Time between partners.
        window: Option<WindowOperation>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Calls HTTP or a database for each row.
    pub struct AsyncFunctionOperation {
        /// `http` or `database`.
        function_type: String,
        /// Address with `{column}` for values.
        url: String,
        /// GET, POST and so on.
        method: String = "GET".into(),
        /// Headers of each request.
        #[serde(deserialize_with = "properties")]
        headers: Properties,
        /// Body with `{column}` for values.
        body_template: Option<String>,
        /// How to reach the database.
        connection_string: Option<String>,
        /// Query of the database.
        query: Option<String>,
        /// Time for one call.
        timeout_ms: i32 = 5000,
        /// How often a call is tried again.
        max_retries: i32 = 3,
        /// State that holds answers.
        state_key: Option<String>,
        /// How long an answer is kept.
        cache_ttl_ms: Option<i64>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// A function with state.
    pub struct ProcessFunctionOperation {
        /// Name of the function.
        process_type: String,
        /// Parameters of the function.
        parameters: Object,
        /// States that it uses.
        state_keys: Vec<String>,
        /// Timers that it uses.
        timer_names: Vec<String>,
        /// Addition of flink-wasm: where the rows of side outputs go; rows of others are dropped.
        side_outputs: BTreeMap<String, Sink>,
        /// Addition of flink-wasm: instead of the function's own.
        on_error: Option<OnError>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Declares state.
    pub struct StateOperation {
        /// `value`, `list`, `map` or `reducing`.
        state_type: String = "value".into(),
        /// Name of the state.
        state_key: String,
        /// Type of a value.
        value_type: String = "string".into(),
        /// How long a value is kept.
        ttl_ms: Option<i64>,
        /// Value before the first.
        default_value: Option<String>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Declares a timer.
    pub struct TimerOperation {
        /// `processing` or `event`.
        timer_type: String = "processing".into(),
        /// Time until it fires.
        delay_ms: i64,
        /// Name of the timer.
        timer_name: Option<String>,
        /// What it does.
        action: Option<String>,
        /// Parameters.
        parameters: Object,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Tries failed rows again.
    pub struct RetryOperation {
        /// How often.
        max_retries: i32 = 5,
        /// Time before each.
        delay_ms: Vec<i64> = vec![300_000, 600_000, 1_800_000, 3_600_000, 86_400_000],
        /// Which failures.
        retry_condition: Option<String>,
        /// Where rows go in the end.
        dead_letter_topic: Option<String>,
        /// Name of the state.
        state_key: String = "retry_state".into(),
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Sends some rows to a second sink.
    pub struct SideOutputOperation {
        /// Name of the output.
        output_tag: String,
        /// Which rows.
        condition: String,
        /// Where they go.
        side_output_sink: Option<Sink>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// A step in words of the Table API.
    pub struct TableOperation {
        /// `select`, `where`, `groupBy`, `join`, `window` or `aggregate`.
        operation_type: String,
        /// Columns.
        columns: Vec<String>,
        /// Condition.
        condition: Option<String>,
        /// Keys of a group.
        group_by_keys: Vec<String>,
        /// Such as `SUM(amount) AS total`.
        aggregations: Vec<String>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Parses a column of JSON.
    pub struct ParseJsonOperation {
        /// `TRY_PARSE_JSON` or `PARSE_JSON`.
        function_type: String = "TRY_PARSE_JSON".into(),
        /// Column that holds the text.
        source_field: String,
        /// Column for the result.
        target_field: String,
        /// Part of the document.
        json_path: Option<String>,
        /// Type of the result.
        output_type: Option<String>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// A process table function.
    pub struct ProcessTableFunctionOperation {
        /// Name of the function.
        function_name: String,
        /// Java class of the function.
        class_name: String,
        /// Columns that it reads.
        input_columns: Vec<String>,
        /// Columns that it writes.
        output_columns: Vec<String>,
        /// State by name.
        state_descriptors: Object,
        /// Whether it sets event-time timers.
        uses_event_time_timers: bool,
        /// Whether it sets processing-time timers.
        uses_processing_time_timers: bool,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// A window as table-valued function.
    pub struct WindowTvfOperation {
        /// `TUMBLE`, `HOP` or `CUMULATE`.
        window_type: String,
        /// Column that holds the time.
        time_column: String,
        /// Size of a window.
        window_size: String,
        /// Distance of windows.
        slide_interval: Option<String>,
        /// Size of the greatest window.
        max_window_size: Option<String>,
        /// Keys of a group.
        group_by_columns: Vec<String>,
        /// Such as `SUM(amount) AS total`.
        aggregations: Vec<String>,
        /// Options.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }

    /// Asks a model.
    pub struct MlPredictOperation {
        /// Name of the model.
        model_name: String,
        /// Columns that it reads.
        input_columns: Vec<String>,
        /// Columns that it writes.
        output_columns: Vec<String>,
        /// Prefix of the columns that it writes.
        output_prefix: Option<String>,
        /// Identifies the operator's state between versions of the job.
        uid: Option<String>,
    }
}
