//! The one tar archive that given entries have: POSIX ustar, plain files, fixed mode, owner and time.
//!
//! A general tar reader skips what it does not know; here a header is right only when it equals, byte
//! for byte, the one that would be written. That leaves nothing to smuggle in, and no flipped bit
//! unnoticed.

use std::ops::Range;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

/// tar's unit: headers take one, contents and the end of the archive are padded to it.
pub(crate) const BLOCK_BYTES: usize = 512;

/// Two zero blocks end an archive.
const END_BYTES: usize = 2 * BLOCK_BYTES;

/// The fields of a header by name and place, for messages.
const FIELDS: [(&str, Range<usize>); 17] = [
    ("name", 0..100),
    ("mode", 100..108),
    ("uid", 108..116),
    ("gid", 116..124),
    ("size", 124..136),
    ("mtime", 136..148),
    ("checksum", 148..156),
    ("type", 156..157),
    ("link name", 157..257),
    ("magic", 257..263),
    ("version", 263..265),
    ("user name", 265..297),
    ("group name", 297..329),
    ("device major", 329..337),
    ("device minor", 337..345),
    ("prefix", 345..500),
    ("padding", 500..512),
];

/// Appends one entry. `path` has at most 100 bytes and `bytes` less than 8 GiB: the callers' limits
/// are far below.
pub(crate) fn append(archive: &mut Vec<u8>, path: &str, bytes: &[u8]) {
    archive.extend(header(path, bytes.len() as u64));
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(BLOCK_BYTES), 0);
}

/// Ends the archive.
pub(crate) fn end(archive: &mut Vec<u8>) {
    archive.resize(archive.len() + END_BYTES, 0);
}

fn header(path: &str, size: u64) -> [u8; BLOCK_BYTES] {
    let mut header = [0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let checksum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    header
}

/// One entry of an archive that is being read.
pub(crate) struct RawEntry {
    pub(crate) path: String,
    pub(crate) contents: Range<usize>,
}

/// Reads entry after entry. Allocates nothing for contents: they are ranges of the archive.
pub(crate) struct Reader<'a> {
    archive: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(archive: &'a [u8]) -> Self {
        Self { archive, at: 0 }
    }

    /// The next entry, or `None` at the well-formed end of the archive. `size_max` gives the limit on
    /// an entry's size by its path, and refuses paths that have no business here.
    pub(crate) fn next(&mut self, size_max: impl Fn(&str) -> Result<u64>) -> Result<Option<RawEntry>> {
        let start = self.at;
        let Some(found) = self.archive.get(start..start + BLOCK_BYTES) else {
            return Err(truncated(&format!(
                "before the end of the archive, in the header at offset {start:#x}"
            )));
        };
        if found[0] == 0 {
            self.end(start)?;
            return Ok(None);
        }
        let place = format!("the entry `{}` at offset {start:#x}", printable(name(found)));
        let path = std::str::from_utf8(name(found))
            .map_err(|_| corrupt(format!("{place} has a name that is not UTF-8")))?
            .to_string();
        if let Some(kind) = kind(found[156]) {
            return Err(corrupt(format!("{place} is a {kind}; a bundle has plain files only")));
        }
        let size = octal(&found[124..136]).ok_or_else(|| corrupt(format!("{place} has no valid size")))?;
        let expected = header(&path, size);
        if let Some(at) = (0..BLOCK_BYTES).find(|at| found[*at] != expected[*at]) {
            // The checksum is wrong whenever another field is: name the field, if one stands out.
            let at = (at..BLOCK_BYTES)
                .find(|at| found[*at] != expected[*at] && !(148..156).contains(at))
                .unwrap_or(at);
            let field =
                FIELDS.iter().find(|(_, range)| range.contains(&at)).map_or("header", |(name, _)| name);
            return Err(corrupt(format!("{place} has an unexpected {field} in its header"))
                .note(format!("at offset {:#x}", start + at)));
        }
        let limit = size_max(&path)?;
        if size > limit {
            return Err(Diagnostic::new(
                Code::TooLarge,
                format!("{place} has {size} bytes, at most {limit} are allowed"),
            ));
        }
        // The limit bounds `size` far below what could overflow.
        let contents = start + BLOCK_BYTES..start + BLOCK_BYTES + size as usize;
        let end = contents.end.next_multiple_of(BLOCK_BYTES);
        let Some(padding) = self.archive.get(contents.end..end) else {
            return Err(truncated(&format!("inside of {place}")));
        };
        if padding.iter().any(|byte| *byte != 0) {
            return Err(corrupt(format!("{place} has other padding than zeros")));
        }
        self.at = end;
        Ok(Some(RawEntry { path, contents }))
    }

    fn end(&self, start: usize) -> Result<()> {
        let rest = &self.archive[start..];
        if let Some(at) = rest.iter().take(END_BYTES).position(|byte| *byte != 0) {
            return Err(corrupt(format!("the end of the archive at offset {start:#x} is not zero"))
                .note(format!("at offset {:#x}", start + at)));
        }
        if rest.len() < END_BYTES {
            return Err(truncated(&format!("inside of the end of the archive at offset {start:#x}")));
        }
        if rest.len() > END_BYTES {
            return Err(corrupt(format!(
                "{} bytes follow the end of the archive at offset {start:#x}",
                rest.len() - END_BYTES
            )));
        }
        Ok(())
    }
}

/// The name in a header, up to its first NUL.
pub(crate) fn name(header: &[u8]) -> &[u8] {
    let field = &header[..header.len().min(100)];
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Whether a header has tar's magic.
pub(crate) fn has_magic(header: &[u8]) -> bool {
    header.get(257..262) == Some(b"ustar")
}

/// A name of unknown origin, fit for a message.
pub(crate) fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().take(120).collect()
}

/// What an entry is that is not a plain file.
fn kind(type_flag: u8) -> Option<&'static str> {
    match type_flag {
        b'1' => Some("hard link"),
        b'2' => Some("symbolic link"),
        b'3' | b'4' => Some("device"),
        b'5' => Some("directory"),
        b'6' => Some("pipe"),
        b'x' | b'g' => Some("pax header"),
        b'L' | b'K' => Some("long name of GNU tar"),
        b'S' => Some("sparse file"),
        _ => None,
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(field.strip_suffix(b"\0")?).ok()?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { u64::from_str_radix(digits, 8).ok() } else { None }
}

pub(crate) fn corrupt(message: String) -> Diagnostic {
    Diagnostic::new(Code::CorruptBundle, message)
        .help("get the bundle again, or write it again with `flink-wasm pack`")
}

pub(crate) fn truncated(place: &str) -> Diagnostic {
    Diagnostic::new(Code::TruncatedBundle, format!("the file ends {place}")).help("get the bundle again")
}
