//! Zip archives: the directory at the end, and entries that are stored or deflated, beyond 4 GB too.
//!
//! Every size and offset in the file is compared with the length of the file before it is used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use m2g_core::Error;
use m2g_core::bounded::{MAX_EXPANSION, expands_too_far};

/// The longest accepted directory. That of a checkpoint with 1000 blocks takes 2 MB.
const MAX_DIRECTORY_BYTES: u64 = 1 << 26;
/// Deflate never makes anything smaller than this.
const LARGEST_DEFLATE_RATIO: u64 = 1032;
/// The fixed part of the end record; a comment of at most 65,535 bytes follows.
const END_BYTES: u64 = 22;

/// Why an archive cannot be read.
pub(super) enum ZipError {
    /// The operating system failed.
    Io(std::io::Error),
    /// The content is damaged, as a sentence about the file: "it ...".
    Content(String),
}

impl From<std::io::Error> for ZipError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn damaged<T>(why: impl Into<String>) -> Result<T, ZipError> {
    Err(ZipError::Content(why.into()))
}

/// An open archive.
#[derive(Debug)]
pub(super) struct Zip {
    file: File,
    /// The length of the file.
    bytes: u64,
    entries: BTreeMap<String, Entry>,
    /// The length of all that was read so far, unpacked.
    read: u64,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    /// The offset of its local header.
    offset: u64,
}

impl Zip {
    /// Opens an archive and reads its directory.
    pub fn open(path: &Path) -> Result<Self, ZipError> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let (start, length) = directory(&mut file, bytes)?;
        if length > MAX_DIRECTORY_BYTES || start.checked_add(length).is_none_or(|end| end > bytes) {
            return damaged("it is cut off or damaged: its directory is not within the file");
        }
        let directory = read_at(&mut file, start, length)?;
        Ok(Self { file, bytes, entries: entries(&directory)?, read: 0 })
    }

    /// The names of all entries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The length of an entry, unpacked.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|entry| entry.size)
    }

    /// The content of an entry.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, ZipError> {
        let Some(&entry) = self.entries.get(name) else { return damaged(format!("it has no entry {name}")) };
        let Entry { flags, method, crc, compressed, size, offset } = entry;
        if flags & 1 == 1 {
            return damaged(format!("its entry {name} is encrypted"));
        }
        let outside =
            || ZipError::Content(format!("it is cut off or damaged: {name} is not within the file"));
        // Magic, 22 bytes that the directory repeats, the lengths of the name and of the extra field.
        let local = read_at(&mut self.file, offset, 30).map_err(|_| outside())?;
        if local[..4] != *b"PK\x03\x04" {
            return damaged(format!("its entry {name} is not where its directory says"));
        }
        let start = offset + 30 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        if start.checked_add(compressed).is_none_or(|end| end > self.bytes) {
            return Err(outside());
        }
        // Tensors may take turns to ask for the same entries.
        if expands_too_far(self.bytes, self.read) {
            return damaged(format!(
                "its tensors share entries, and to read these again and again takes more than {MAX_EXPANSION} times \
                 its size"
            ));
        }
        let content = match method {
            0 if compressed == size => read_at(&mut self.file, start, size)?,
            8 if expands_too_far(compressed, size) => {
                return damaged(format!(
                    "its entry {name} unpacks to more than {MAX_EXPANSION} times its size"
                ));
            }
            8 if size / LARGEST_DEFLATE_RATIO <= compressed => {
                self.file.seek(SeekFrom::Start(start))?;
                let mut content = Vec::new();
                // Reads one byte more than there should be.
                let packed = (&mut self.file).take(compressed);
                let mut unpacked = DeflateDecoder::new(packed).take(size.saturating_add(1));
                if unpacked.read_to_end(&mut content).is_err() {
                    return damaged(format!("its entry {name} is damaged: it cannot be unpacked"));
                }
                content
            }
            0 | 8 => {
                return damaged(format!("its entry {name} is damaged: its lengths contradict each other"));
            }
            other => {
                return damaged(format!(
                    "its entry {name} is packed by method {other}; only deflate is read"
                ));
            }
        };
        let mut found = Crc::new();
        found.update(&content);
        // PyTorch can be told not to compute the sum, which is then 0.
        if content.len() as u64 != size || (crc != 0 && found.sum() != crc) {
            return damaged(format!("its entry {name} is damaged: its check sum is wrong"));
        }
        self.read = self.read.saturating_add(size);
        Ok(content)
    }
}

/// The offset and the length of the directory, from the record at the end of the file.
fn directory(file: &mut File, bytes: u64) -> Result<(u64, u64), ZipError> {
    let tail_at = bytes.saturating_sub(END_BYTES + 65_535);
    let tail = read_at(file, tail_at, bytes - tail_at)?;
    let is_end = |&at: &usize| {
        let record = &tail[at..];
        record.starts_with(b"PK\x05\x06") && record.len() as u64 == END_BYTES + u64::from(u16_at(record, 20))
    };
    let last = tail.len().checked_sub(END_BYTES as usize);
    let Some(at) = last.and_then(|last| (0..=last).rev().find(is_end)) else {
        return damaged("it is cut off: the directory of its zip archive is missing");
    };
    let (length, start) = (u32_at(&tail, at + 12), u32_at(&tail, at + 16));
    if length != u32::MAX && start != u32::MAX {
        return Ok((start.into(), length.into()));
    }
    // Beyond 4 GB, another record holds the numbers, and a locator before this one says where it is.
    let end_at = tail_at + at as u64;
    let locator = end_at.checked_sub(20).map(|at| read_at(file, at, 20)).transpose()?;
    let Some(locator) = locator.filter(|locator| locator.starts_with(b"PK\x06\x07")) else {
        return damaged("it is damaged: the locator of its zip archive is missing");
    };
    let record_at = u64_at(&locator, 8);
    if record_at.checked_add(56).is_none_or(|end| end > bytes) {
        return damaged("it is damaged: the end record of its zip archive is not within the file");
    }
    let record = read_at(file, record_at, 56)?;
    if !record.starts_with(b"PK\x06\x06") {
        return damaged("it is damaged: the end record of its zip archive is missing");
    }
    Ok((u64_at(&record, 48), u64_at(&record, 40)))
}

/// The entries of a directory.
fn entries(mut directory: &[u8]) -> Result<BTreeMap<String, Entry>, ZipError> {
    /// The length without name, extra field and comment.
    const FIXED_BYTES: usize = 46;
    let mut entries = BTreeMap::new();
    while directory.starts_with(b"PK\x01\x02") && directory.len() >= FIXED_BYTES {
        let fixed = directory;
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
        let Some(rest) = directory[FIXED_BYTES..].get(..name + extra + comment) else { break };
        directory = &directory[FIXED_BYTES + rest.len()..];
        let (name, extra) = (&rest[..name], &rest[name..name + extra]);
        let mut entry = Entry {
            flags: u16_at(fixed, 8),
            method: u16_at(fixed, 10),
            crc: u32_at(fixed, 16),
            compressed: u32_at(fixed, 20).into(),
            size: u32_at(fixed, 24).into(),
            offset: u32_at(fixed, 42).into(),
        };
        widen(&mut entry, extra);
        let name = String::from_utf8_lossy(name).into_owned();
        if entries.insert(name.clone(), entry).is_some() {
            return damaged(format!("it is damaged: it has two entries {}", name.escape_debug()));
        }
    }
    match directory {
        [] => Ok(entries),
        _ => damaged("it is damaged: the directory of its zip archive cannot be read"),
    }
}

/// Takes the numbers that do not fit 32 bits from the extra field with the tag 1.
fn widen(entry: &mut Entry, mut extra: &[u8]) {
    while extra.len() >= 4 {
        let (tag, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra[4..].get(..length) else { return };
        if tag == 1 {
            let mut numbers = field.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b));
            for number in [&mut entry.size, &mut entry.compressed, &mut entry.offset] {
                if *number == u64::from(u32::MAX) {
                    *number = numbers.next().unwrap_or(*number);
                }
            }
            return;
        }
        extra = &extra[4 + length..];
    }
}

/// Reads `length` bytes, which the caller has compared with the length of the file.
fn read_at(file: &mut File, at: u64, length: u64) -> Result<Vec<u8>, std::io::Error> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes[at..].first_chunk().map_or(0, |b| u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

impl ZipError {
    /// The error of the file at `path`; `content` makes that of a damaged one.
    pub fn at<E: From<Error>>(self, path: &Path, content: impl FnOnce(String) -> E) -> E {
        match self {
            Self::Io(error) => Error::io("read", path)(error).into(),
            Self::Content(why) => content(why),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// One entry whose numbers are all in the fields of 64 bits, as in an archive beyond 4 GB.
    fn wide(content: &[u8], size: u64) -> Vec<u8> {
        let (name, none) = (b"a", u32::MAX.to_le_bytes());
        let mut bytes = [&b"PK\x03\x04"[..], &[0; 22], &[1, 0, 0, 0], name, content].concat();
        let directory_at = bytes.len() as u64;
        let numbers: Vec<u8> = [size, content.len() as u64, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
        let mut entry =
            [&b"PK\x01\x02"[..], &[0; 16], &none, &none, &[1, 0, 28, 0], &[0; 10], &none].concat();
        entry.extend([&name[..], &[1, 0, 24, 0], &numbers].concat());
        bytes.extend(&entry);
        let record_at = bytes.len() as u64;
        let record: Vec<u8> =
            [entry.len() as u64, directory_at].iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.extend([&b"PK\x06\x06"[..], &[0; 36], &record].concat());
        bytes.extend([&b"PK\x06\x07"[..], &[0; 4], &record_at.to_le_bytes(), &[0; 4]].concat());
        bytes.extend([&b"PK\x05\x06"[..], &[0; 8], &none, &none, &[0; 2]].concat());
        bytes
    }

    /// Reads the entry this many times.
    fn read(bytes: &[u8], times: usize) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        std::fs::write(&path, bytes).unwrap();
        let content = Zip::open(&path).and_then(|mut zip| {
            for _ in 1..times {
                zip.read("a")?;
            }
            zip.read("a")
        });
        content.map_err(|error| match error {
            ZipError::Io(error) => error.to_string(),
            ZipError::Content(why) => why,
        })
    }

    #[test]
    fn numbers_beyond_32_bits_are_read_and_checked() {
        assert_eq!(read(&wide(b"four", 4), 1).unwrap(), b"four");
        assert!(read(&wide(b"four", u64::MAX), 1).unwrap_err().contains("its lengths contradict each other"));
        let mut far = wide(b"four", 4);
        let at = far.len() - END_BYTES as usize - 12;
        far[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(read(&far, 1).unwrap_err().contains("is not within the file"));
    }

    #[test]
    fn an_entry_is_not_read_without_end() {
        let archive = wide(&vec![0_u8; 1 << 20], 1 << 20);
        assert_eq!(read(&archive, 100).unwrap().len(), 1 << 20);
        assert!(read(&archive, 110).unwrap_err().contains("more than 100 times its size"));
    }
}
