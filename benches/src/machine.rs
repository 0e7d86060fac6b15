//! Facts about the machine and the programs on it.

use std::process::Command;

/// What a reader must know to place the numbers.
pub(crate) fn facts() -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: Option<String>| {
        facts.push((name.to_owned(), value.unwrap_or_else(|| "unknown".to_owned())));
    };
    fact("Processor", field("/proc/cpuinfo", "model name"));
    fact("Cores", std::thread::available_parallelism().ok().map(|cores| cores.to_string()));
    fact("Memory", field("/proc/meminfo", "MemTotal"));
    fact("Linux", read("/proc/sys/kernel/osrelease"));
    fact("Rust", first_line(Command::new("rustc").arg("-V")));
    fact("Java", java_version());
    fact("Commit", first_line(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=8"])));
    facts
}

/// The load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let load = read("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The first `name : value` of a file of `/proc`.
pub(crate) fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next()
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

fn java_version() -> Option<String> {
    let output = Command::new("java").arg("-version").output().ok()?;
    String::from_utf8_lossy(&output.stderr).lines().nth(1).map(str::to_owned)
}
