//! Files that users name, read with a bound.

use std::path::Path;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

/// The bytes of a file; `what` says in messages what the file is. FW0308 when it is longer than `limit_bytes`, FW0002 when it
/// can't be read.
pub fn read_bounded(path: &Path, what: &str, limit_bytes: usize) -> Result<Vec<u8>> {
    let place = path.display().to_string();
    let failed = |error: std::io::Error| {
        Diagnostic::new(Code::Io, format!("can't read {what}: {error}")).file(place.clone())
    };
    let size = path.metadata().map_err(failed)?.len();
    if size > limit_bytes as u64 {
        let message = format!("{what} has {size} bytes; at most {limit_bytes} are read");
        return Err(Diagnostic::new(Code::TooLarge, message).file(place));
    }
    std::fs::read(path).map_err(failed)
}

/// Where a folder of Flink's is: a URI as it is, a path made absolute, because Flink would look from its own working folder.
pub fn location(text: &str) -> Result<String> {
    if text
        .split_once(':')
        .is_some_and(|(scheme, _)| scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric()))
    {
        return Ok(text.to_owned());
    }
    let path = std::path::absolute(text).map_err(|error| {
        Diagnostic::new(Code::Usage, format!("`{text}` is no path: {error}"))
            .help("give a path or a URI such as `s3://bucket/savepoints`")
    })?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn locations() {
        let here = std::env::current_dir().unwrap().display().to_string();
        for (text, location) in [
            ("s3://bucket/a", "s3://bucket/a".to_owned()),
            ("file:/tmp/a", "file:/tmp/a".to_owned()),
            ("/tmp/a:b", "/tmp/a:b".to_owned()),
            ("a/b", format!("{here}/a/b")),
        ] {
            assert_eq!(super::location(text).unwrap(), location);
        }
        assert!(super::location("").is_err());
    }
}
