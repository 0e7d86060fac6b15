//! `flink-wasm new`: a function crate that builds, tests, packs and runs as it is.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use flink_wasm_diagnostic::{Code, Diagnostic};

use super::Outcome;
use crate::{home, output};

/// Create a function crate with samples or scenarios, a job and data.
#[derive(Args)]
pub struct Options {
    /// Folder to create; its last part names the crate and the function.
    path: PathBuf,
    /// What the function does with a row.
    #[arg(long, value_enum, default_value = "map")]
    kind: Kind,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// One row in, one row out.
    Map,
    /// Keeps a row, or drops it.
    Filter,
    /// Rows of a key in, any number of rows out, with state and timers.
    Process,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Map => "map",
            Kind::Filter => "filter",
            Kind::Process => "process",
        }
    }

    fn files(self) -> [(&'static str, &'static str); 4] {
        match self {
            Kind::Map => [
                ("src/lib.rs", include_str!("../../templates/map/lib.rs")),
                ("samples.json", include_str!("../../templates/map/samples.json")),
                ("job.json", include_str!("../../templates/map/job.json")),
                ("orders.jsonl", include_str!("../../templates/orders.jsonl")),
            ],
            Kind::Filter => [
                ("src/lib.rs", include_str!("../../templates/filter/lib.rs")),
                ("samples.json", include_str!("../../templates/filter/samples.json")),
                ("job.json", include_str!("../../templates/filter/job.json")),
                ("orders.jsonl", include_str!("../../templates/orders.jsonl")),
            ],
            Kind::Process => [
                ("src/lib.rs", include_str!("../../templates/process/lib.rs")),
                ("scenarios.json", include_str!("../../templates/process/scenarios.json")),
                ("job.json", include_str!("../../templates/process/job.json")),
                ("clicks.jsonl", include_str!("../../templates/process/clicks.jsonl")),
            ],
        }
    }
}

/// Files of every kind of function.
const COMMON: [(&str, &str); 3] = [
    ("Cargo.toml", include_str!("../../templates/common/Cargo.toml.in")),
    (".cargo/config.toml", include_str!("../../templates/common/cargo-config.toml")),
    (".gitignore", include_str!("../../templates/common/gitignore")),
];

/// Types that a process function's template uses: its own would hide them.
const TAKEN_TYPES: [&str; 12] = [
    "Click",
    "Visit",
    "Settings",
    "Row",
    "Parameters",
    "State",
    "ValueState",
    "KeyedContext",
    "Collector",
    "Timer",
    "Result",
    "Self",
];

pub fn run(options: Options) -> Outcome {
    let name = crate_name(&options.path)?;
    let type_name = type_name(&name);
    if matches!(options.kind, Kind::Process) && TAKEN_TYPES.contains(&type_name.as_str()) {
        return Err(Diagnostic::new(
            Code::Usage,
            format!("`{name}` would hide `{type_name}`, which the function uses"),
        )
        .help("choose another name; nothing was changed")
        .into());
    }
    if options.path.exists() {
        return Err(Diagnostic::new(Code::Usage, format!("`{}` exists already", options.path.display()))
            .help("choose another name; nothing was changed")
            .into());
    }
    let sdk = home::sdk()?.display().to_string();
    let function = name.replace('-', "_");
    let package = format!("functions:{name}");
    let fill = |text: &str| {
        let text = text.replace("{{name}}", &name).replace("{{function}}", &function);
        let text = text.replace("{{type}}", &type_name);
        text.replace("{{sdk}}", &sdk).replace("{{package}}", &package)
    };
    for (file, text) in COMMON.into_iter().chain(options.kind.files()) {
        write(&options.path.join(file), &fill(text))?;
    }
    let path = options.path.display();
    output::status("Created", format!("{path} ({} function)", options.kind.name()));
    output::status(
        "Next",
        format!(
            "cd {path} && flink-wasm build && flink-wasm test && flink-wasm pack && flink-wasm run {name}.flinkwasm"
        ),
    );
    if output::is_json() {
        output::json(&serde_json::json!({ "path": options.path, "name": name, "kind": options.kind.name() }));
    }
    Ok(())
}

/// Names that cargo, SQL and a component's package all take.
fn crate_name(path: &Path) -> Result<String, Diagnostic> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let words: Vec<&str> = name.split('-').collect();
    let fits = words.iter().all(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    });
    if fits {
        return Ok(name);
    }
    Err(Diagnostic::new(Code::Usage, format!("`{name}` can't name a function"))
        .help("use lower-case words of letters and digits, joined by hyphens, such as `clean-orders`"))
}

/// `clean-orders` becomes `CleanOrders`, from which the SDK makes `clean_orders`.
fn type_name(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('-').map(word).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Diagnostic> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text)).map_err(|error| {
        Diagnostic::new(Code::Io, format!("can't write: {error}")).file(path.display().to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, fits) in [
            ("tax", true),
            ("a/clean-orders2", true),
            ("Tax", false),
            ("2x", false),
            ("a--b", false),
            ("..", false),
        ] {
            assert_eq!(crate_name(Path::new(path)).is_ok(), fits, "{path}");
        }
    }

    #[test]
    fn types() {
        for (name, of) in [("tax", "Tax"), ("clean-orders2", "CleanOrders2")] {
            assert_eq!(type_name(name), of);
        }
    }
}
