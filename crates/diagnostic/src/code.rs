//! The table of codes: the one place where a code gets its number, its title and its explanation.

use std::fmt;

macro_rules! codes {
    ($($variant:ident = $number:literal, $title:literal, $explanation:literal;)*) => {
        /// A stable error code. Numbers are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The code as users see it, such as `FW0201`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => concat!("FW", $number),)* }
            }

            /// What the code means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }

            /// Why it happens and what to do; shown by `flink-wasm explain FW0201`.
            pub fn explanation(self) -> &'static str {
                match self { $(Code::$variant => $explanation,)* }
            }
        }
    };
}

codes! {
    // 00xx: command line and files
    Usage = "0001", "wrong use of a command", "The command line does not fit the command. `flink-wasm help COMMAND` shows what it takes.";
    Io = "0002", "a file can't be read or written", "The operating system refused. The message names the file and its reason.";
    ToolMissing = "0003", "a tool that is needed is missing", "`flink-wasm doctor` lists what is needed and how to install each part.";
    BuildFailed = "0004", "the function crate does not build", "cargo's own messages stand above. Functions are built for wasm32-unknown-unknown.";
    SamplesFailed = "0005", "samples do not give the expected rows", "`flink-wasm test` ran the built component on the samples and got other rows than expected.";
    Internal = "0009", "a defect in flink-wasm", "This should not happen. Please report it with the command and its output.";
    // 01xx: job definitions
    MalformedJob = "0101", "the job definition is malformed", "The file is not JSON, or a property is missing or has the wrong type. The position is given.";
    UnknownType = "0102", "unknown source, operation or sink type", "The `type` names nothing that job definitions know.";
    UnsupportedPart = "0103", "a part of the job can't be run yet", "The job definition is well formed, but it uses a part that this version does not run.";
    MissingPart = "0104", "the job does not say enough", "A schema, a function, a path or another part that the job needs is missing.";
    // 02xx: expressions and types
    UnknownColumn = "0201", "unknown column", "The expression names a column that its input does not have.";
    BadExpression = "0202", "an expression can't be parsed", "Expressions are Flink SQL. `==`, `!=` and `&&` are accepted too.";
    UnknownFunction = "0203", "unknown function", "The expression calls a function that neither the job's `functions` nor Flink has.";
    TypeMismatch = "0204", "types do not fit", "A column's type can't be given to a function or a sink. Add a CAST, or change the declaration.";
    WrongArguments = "0205", "wrong number of arguments", "A function in the sandbox takes as many arguments as its input row has fields, or none for the whole row.";
    PlanRefused = "0206", "Flink refused the plan", "Flink's planner could not resolve a statement of the job. Its own words are given.";
    BadParameters = "0207", "function parameters do not fit", "A parameter is unknown, missing, or has the wrong type. `flink-wasm inspect` lists a function's parameters.";
    MissingKey = "0208", "a process function needs keyed rows", "Put a `groupBy` directly before the `processFunction`: its state, timers and order are per key.";
    BatchMode = "0209", "a process function can't run in BATCH mode", "Flink's BATCH mode sorts by key and fires timers at each key's end; the sandbox would give other answers. Leave `execution.runtime-mode` at STREAMING; bounded sources are fine.";
    // 03xx: components
    NotAComponent = "0301", "not a WebAssembly component", "The file is neither a component nor a core module that carries our interface. Build it with `flink-wasm build`.";
    ForeignImport = "0302", "the component imports an interface that the sandbox does not offer", "Functions see only `flink-wasm:udf`. WASI comes in with the targets wasm32-wasip1 and wasm32-wasip2; build for wasm32-unknown-unknown.";
    AsyncComponent = "0303", "the component uses the asynchronous ABI", "Functions are synchronous: async lifts, streams and futures are refused. Write a plain `fn`.";
    ForbiddenFeature = "0304", "the component uses a WebAssembly feature that is not allowed", "Threads, several memories, memory64 and others are off in the sandbox.";
    WrongExports = "0305", "the component's exports do not fit", "A map function exports descriptor, lifecycle and mapper; a filter function descriptor, lifecycle and predicate, a process function descriptor, lifecycle and processor, with the types of `wit/`.";
    PrecompiledCode = "0306", "precompiled code is refused", "Native code can't be checked. Ship the component; the sidecar compiles it.";
    WrongInterfaceVersion = "0307", "the component was built for another interface version", "Rebuild the function with the SDK of this version.";
    TooLarge = "0308", "a limit on size is exceeded", "The message names the limit.";
    BadDescriptor = "0309", "the component describes itself wrongly", "The descriptor is checked for names, SQL types and defaults.";
    // 04xx: bundles
    NotABundle = "0401", "not a bundle", "The file is not an OCI image layout with our artifact type.";
    CorruptBundle = "0402", "the bundle is corrupt", "A blob does not have the digest under which it is stored. Get the bundle again.";
    TruncatedBundle = "0403", "the bundle is truncated", "The file ends before its last entry. Get the bundle again.";
    NewerBundle = "0404", "the bundle was written by a newer version", "Update flink-wasm.";
    // 05xx: sidecar and functions at run time
    SidecarUnreachable = "0501", "the sidecar can't be reached", "No sidecar answered at the socket for 60 s. Start one beside each task manager: `flink-wasm sidecar`.";
    ProtocolMismatch = "0502", "operator and sidecar speak different protocol versions", "Update the older of the two.";
    ProtocolViolation = "0503", "a frame breaks the protocol", "Operator or sidecar sent bytes that the other refuses.";
    FunctionTrapped = "0504", "the function trapped", "The function panicked, or did what WebAssembly forbids. The row and the backtrace are given.";
    DeadlineExceeded = "0505", "the function ran past its deadline", "It may loop for ever on this row. `functions.<name>.limits.deadlineMs` sets the deadline.";
    MemoryExceeded = "0506", "the function needs more memory than it may have", "`functions.<name>.limits.memoryBytes` sets the limit.";
    RowFailed = "0507", "the function refused a row", "The function returned an error for this row.";
    SchemaViolated = "0508", "a row violates the declared schema", "A NULL came in a field that the function declares NOT NULL, or a value does not fit its type.";
    OpenFailed = "0509", "the function could not be opened", "`open` returned an error; mostly a parameter that has the right type and a wrong value.";
    OutputExceeded = "0510", "the function put out too much", "Output, log lines and metrics of a batch are limited.";
    BadOutput = "0511", "the function returned rows that do not fit its descriptor", "A guest that does not use the SDK got the layout of a column wrong.";
    UnknownLimiter = "0513", "the function asks for a rate limiter that the job does not declare", "Declare it in `functions.<name>.rateLimiters`, with rate and burst.";
    StateTooLarge = "0514", "a state value is too large", "`functions.<name>.limits.stateValueBytes` limits the encoded value of one state and key, or one element of a list or map.";
    TimerLoop = "0515", "timers fire without end", "A timer registers another one at or before the watermark, again and again. Register it behind the watermark, or count in state.";
    // 06xx: cluster
    ClusterUnreachable = "0601", "the Flink cluster can't be reached", "No JobManager answered at the REST address.";
    ClusterRefused = "0602", "the Flink cluster refused", "Flink's own words are given.";
    JobFailed = "0603", "the job failed", "The root cause is given; the web UI has the rest.";
    JobNotFound = "0604", "no such job", "The cluster does not know the job id.";
    FlinkMissing = "0605", "no Flink was found", "Set FLINK_HOME, or let `flink-wasm` assemble one: it needs Maven.";
    StateIncompatible = "0606", "the state does not fit the bundle", "A state of the running job or savepoint has another kind or type than the function of the new bundle, or its function is missing. Give the new state another name, or keep the type.";
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Code::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom(format!("unknown code {text}")))
    }
}
