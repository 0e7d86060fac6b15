//! The unix socket's file: made, checked, removed.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

/// The user and the group of the sidecar: a task manager that runs as another user shares the group.
const SOCKET_MODE: u32 = 0o660;

/// Device, inode, and when the inode was changed last: a new file may get the inode of the one that it replaces.
type Identity = (u64, u64, i64, i64);

/// Removes the socket's file when it goes, if it is still the one that was made.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Listens at `path`. A file left behind by a dead sidecar is replaced; FW0002 when a live one listens there.
pub(crate) fn bind(path: &Path) -> Result<(UnixListener, SocketFile)> {
    let refused =
        |reason: String| Diagnostic::new(Code::Io, format!("can't listen at {}: {reason}", path.display()));
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(refused("a file that is no socket is there".into()));
        }
        match UnixStream::connect(path) {
            Ok(_) => return Err(refused("another sidecar listens there".into())),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(|error| refused(error.to_string()))?;
            }
            Err(error) => return Err(refused(format!("a socket is there that does not answer: {error}"))),
        }
    }
    let listener = UnixListener::bind(path).map_err(|error| {
        let help = match error.kind() {
            ErrorKind::NotFound => "make the directory first",
            ErrorKind::InvalidInput => "a socket's path has at most 107 bytes",
            _ => "the directory must be writable",
        };
        refused(error.to_string()).help(help)
    })?;
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))
        .map_err(|error| refused(error.to_string()))?;
    let identity = identity(path).ok_or_else(|| refused("the socket is gone already".into()))?;
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path) == Some(self.identity) {
            // If it stays, the next sidecar replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_made_replaced_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (listener, file) = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(bind(&path).unwrap_err().message.ends_with("another sidecar listens there"));

        drop(listener); // dead, and its file is still there
        let (_listener, newer) = bind(&path).unwrap();
        drop(file);
        assert!(path.exists(), "the old one removed the file of the new one");
        drop(newer);
        assert!(!path.exists());

        fs::write(&path, "text").unwrap();
        assert!(bind(&path).unwrap_err().message.ends_with("a file that is no socket is there"));
    }
}
