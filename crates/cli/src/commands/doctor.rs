//! `flink-wasm doctor`: is everything there, and how is each part mended?

use std::process::Command;

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};
use serde::Serialize;

use super::Outcome;
use crate::{flink_home, home, jvm, output};

/// Check toolchain, target, JDK, Flink and sidecar, and say how to mend each.
#[derive(Args)]
pub struct Options {
    /// Assemble Flink now, when it is not there yet, instead of when it is first needed.
    #[arg(long)]
    assemble: bool,
}

#[derive(Serialize)]
struct Check {
    part: &'static str,
    ok: bool,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

pub fn run(options: Options) -> Outcome {
    if options.assemble {
        flink_home::find()?;
    }
    let checks = [rust(), target(), java(), flink(), part("job runtime", home::runtime_jar()), sidecar()];
    output::data(&checks, || {
        let mut text = String::new();
        for check in &checks {
            text +=
                &format!("{} {:<12} {}\n", if check.ok { "ok  " } else { "FAIL" }, check.part, check.found);
            if let Some(mend) = &check.mend {
                text += &format!("{:17} {mend}\n", "");
            }
        }
        text
    });
    let missing = checks.iter().filter(|check| !check.ok).count();
    if missing == 0 {
        return Ok(());
    }
    Err(Diagnostic::new(Code::ToolMissing, format!("{missing} of {} parts are missing", checks.len()))
        .help("mend them as listed")
        .into())
}

fn rust() -> Check {
    let found = answer("cargo", &["--version"]);
    let mend = found.is_none().then(|| "install Rust with rustup".to_owned());
    Check { part: "Rust", ok: found.is_some(), found: found.unwrap_or_else(|| "no cargo".to_owned()), mend }
}

fn target() -> Check {
    let ok = crate::build_crate::target_is_installed();
    let found = format!("{} {}", crate::build_crate::TARGET, if ok { "installed" } else { "missing" });
    Check {
        part: "Wasm target",
        ok,
        found,
        mend: (!ok).then(|| format!("rustup target add {}", crate::build_crate::TARGET)),
    }
}

fn java() -> Check {
    let output = Command::new(jvm::java()).arg("-version").output().ok();
    // Java tells its version on standard error.
    let text = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    let first = text.lines().next().unwrap_or("no java").to_owned();
    let major: Option<u32> =
        first.split('"').nth(1).and_then(|version| version.split('.').next()?.parse().ok());
    let ok = major.is_some_and(|major| major >= 17);
    Check {
        part: "Java",
        ok,
        found: first,
        mend: (!ok).then(|| "install a JDK 17, or point JAVA_HOME to one".to_owned()),
    }
}

fn flink() -> Check {
    if let Some(home) = std::env::var_os("FLINK_HOME") {
        return part("Flink", flink_home::find().map(|_| home.into()));
    }
    let version = std::env::var(flink_home::VERSION_VARIABLE)
        .unwrap_or_else(|_| flink_home::DEFAULT_VERSION.to_owned());
    let home = flink_home::assembled(&version);
    if let Ok(path) = &home
        && !path.exists()
    {
        let maven = answer("mvn", &["-B", "--version"]).is_some();
        let mend = (!maven).then(|| "install Maven, or set FLINK_HOME to a Flink distribution".to_owned());
        return Check {
            part: "Flink",
            ok: maven,
            found: format!("{version}, will be assembled with Maven when first needed"),
            mend,
        };
    }
    part("Flink", home)
}

fn sidecar() -> Check {
    let path = match home::sidecar() {
        Ok(path) => path,
        Err(error) => return part("sidecar", Err(error)),
    };
    match answer(&path.display().to_string(), &["--version"]) {
        Some(version) => {
            Check { part: "sidecar", ok: true, found: format!("{version} at {}", path.display()), mend: None }
        }
        None => Check {
            part: "sidecar",
            ok: false,
            found: format!("{} does not start", path.display()),
            mend: Some("run `make install` again".to_owned()),
        },
    }
}

fn part(part: &'static str, found: flink_wasm_diagnostic::Result<std::path::PathBuf>) -> Check {
    match found {
        Ok(path) => Check { part, ok: true, found: path.display().to_string(), mend: None },
        Err(error) => Check { part, ok: false, found: error.message.clone(), mend: error.help },
    }
}

/// First line of what a program says, when it runs and succeeds.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}
