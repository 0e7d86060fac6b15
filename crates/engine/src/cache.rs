//! Native code of components that were compiled before, in a directory of its own.
//!
//! `<sha256 of the component>-<compatibility hash of the engine>.cwasm`, and beside it `.json` with the digest of that file and
//! the component's description of itself, which takes an instance to ask for.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::description::Description;

/// Compiled components kept on disk; one has some 100 kB. The oldest go first.
const MAX_CACHED: usize = 512;

/// Native code that this program wrote; see [`crate::native`].
pub(crate) struct TrustedCode(Vec<u8>);

impl TrustedCode {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What stands beside native code.
#[derive(Serialize, Deserialize)]
struct About {
    /// SHA-256 of the native code.
    sha256: String,
    description: Description,
}

/// A directory of native code.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    compatibility: String,
}

impl Cache {
    /// Creates the directory, or checks that an existing one is ours alone. FW0002 otherwise.
    pub(crate) fn open(directory: &Path, compatibility: String) -> Result<Self> {
        let io = |error: std::io::Error| io_error(directory, &error.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
        let directory = directory.canonicalize().map_err(io)?;
        let metadata = fs::symlink_metadata(&directory).map_err(io)?;
        // On Linux the owner of /proc/self is the effective user.
        let user = fs::metadata("/proc/self").map_err(io)?.uid();
        if metadata.uid() != user {
            return Err(io_error(
                &directory,
                &format!("it belongs to user {}, not to {user}", metadata.uid()),
            )
            .help("give a directory of the sidecar's own: native code from it is executed"));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(io_error(&directory, "others may enter it")
                .help(format!("chmod 700 {}", directory.display())));
        }
        Ok(Self { directory, compatibility })
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Native code and description of the component, when it was compiled before and is whole. A damaged file is removed.
    pub(crate) fn load(&self, component: &str) -> Option<(TrustedCode, Description)> {
        let path = self.path(component);
        let code = fs::read(&path).ok()?;
        let about =
            fs::read(about_path(&path)).ok().and_then(|json| serde_json::from_slice::<About>(&json).ok());
        match about {
            Some(about) if hex::encode(Sha256::digest(&code)) == about.sha256 => {
                Some((TrustedCode(code), about.description))
            }
            _ => {
                tracing::warn!(path = %path.display(), "compiled code is damaged; compiling again");
                self.remove(component);
                None
            }
        }
    }

    /// Keeps native code. A failure costs a compilation at the next start, so it is only logged.
    pub(crate) fn store(&self, component: &str, code: &[u8], description: &Description) {
        let path = self.path(component);
        let about = About { sha256: hex::encode(Sha256::digest(code)), description: description.clone() };
        // The digest goes first: code without its digest is never used.
        let stored = serde_json::to_vec(&about)
            .map_err(std::io::Error::from)
            .and_then(|about| replace(&about_path(&path), &about))
            .and_then(|()| replace(&path, code));
        if let Err(error) = stored.and_then(|()| self.evict()) {
            tracing::warn!(path = %path.display(), %error, "compiled code can't be kept");
        }
    }

    pub(crate) fn remove(&self, component: &str) {
        let path = self.path(component);
        // Nothing is lost if a file stays: its digest does not fit, or it is compiled over.
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(about_path(&path));
    }

    fn path(&self, component: &str) -> PathBuf {
        self.directory.join(format!("{component}-{}.cwasm", self.compatibility))
    }

    fn evict(&self) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "cwasm") {
                files.push((fs::metadata(&path)?.modified()?, path));
            }
        }
        files.sort();
        let excess = files.len().saturating_sub(MAX_CACHED);
        for (_, path) in &files[..excess] {
            fs::remove_file(path)?;
            fs::remove_file(about_path(path))?;
        }
        Ok(())
    }
}

fn about_path(path: &Path) -> PathBuf {
    path.with_extension("cwasm.json")
}

/// Writes beside the file and renames: a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

fn io_error(directory: &Path, reason: &str) -> Diagnostic {
    Diagnostic::new(Code::Io, format!("the cache directory {} can't be used: {reason}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        let json = r#"{"name": "f", "version": "1.0.0", "kind": "filter", "description": "", "input": [], "output": [], "parameters": []}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn whole_code_is_found_and_damaged_code_is_not() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(&root.path().join("cache"), "v1".into()).unwrap();
        assert!(cache.load("abc").is_none());
        cache.store("abc", b"code", &description());
        let (code, found) = cache.load("abc").unwrap();
        assert_eq!((code.bytes(), found), (&b"code"[..], description()));
        assert!(Cache::open(&root.path().join("cache"), "v2".into()).unwrap().load("abc").is_none());

        fs::write(cache.path("abc"), b"c0de").unwrap();
        assert!(cache.load("abc").is_none());
        assert!(!cache.path("abc").exists(), "the damaged file stays");

        cache.store("abc", b"code", &description());
        fs::remove_file(about_path(&cache.path("abc"))).unwrap();
        assert!(cache.load("abc").is_none(), "code without its digest is used");
    }

    #[test]
    fn a_directory_that_others_may_enter_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let error = Cache::open(root.path(), String::new()).unwrap_err();
        assert_eq!(error.code, Code::Io);
        assert!(error.message.ends_with("others may enter it"), "{error}");
    }

    #[test]
    fn the_oldest_code_goes_first() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(&root.path().join("cache"), "v1".into()).unwrap();
        for index in 0..MAX_CACHED + 2 {
            cache.store(&format!("{index:04}"), b"code", &description());
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(index as u64);
            File::open(cache.path(&format!("{index:04}"))).unwrap().set_modified(time).unwrap();
        }
        cache.store("last", b"code", &description());
        assert!(cache.load("0002").is_none() && cache.load("0003").is_some() && cache.load("last").is_some());
    }
}
