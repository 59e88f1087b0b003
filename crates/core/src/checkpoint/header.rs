//! The header of a checkpoint: the types, shapes and places of its tensors, and its metadata.
//!
//! The metadata holds two checksums, as eight hexadecimal digits each: of the header, with zeros in place
//! of its own checksum, and of the bytes of all tensors. A checksum is a CRC-32, as in gzip, zip and PNG:
//! it detects every change within 32 bits in a row, so every flipped bit, and all but one in 2^32 of other
//! changes. It costs as little as reading memory. It is not a signature: anyone who edits a file on
//! purpose can compute a new one.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::Crc;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::Value;

use crate::Error;

/// The metadata key of the JSON value.
const METADATA_KEY: &str = "m2g";

/// The keys that this module adds to the JSON value.
const FORMAT_KEY: &str = "format";
const CHECKSUM_KEY: &str = "checksum";

/// The version of the format. Files of version 1 have no checksums.
const FORMAT: u64 = 2;

/// The checksums before they are known: of the header, and of the tensors.
const NO_CHECKSUM: &str = "00000000-00000000";

/// The length of a checksum as text.
const CHECKSUM_BYTES: usize = 8;

/// The size of the header's length, which precedes the header. The header is padded to a
/// multiple of it.
const LENGTH_BYTES: usize = 8;

/// The largest header in bytes. That of a model of 1000 blocks with its optimiser has 5 MB, and a
/// vocabulary of 250,000 byte pairs adds 4 MB.
const MAX_HEADER_BYTES: u64 = 32 << 20;

/// The header of a file to write, with its length.
pub(super) struct NewHeader {
    bytes: Vec<u8>,
    /// Where the checksums start.
    checksum_at: usize,
}

impl NewHeader {
    /// The header of a file with these tensors, whose checksums are not known yet.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it would be too large.
    pub fn new(path: &Path, metadata: &Value, tensors: Vec<(String, TensorInfo)>) -> Result<Self, Error> {
        let mut metadata = metadata.clone();
        metadata[FORMAT_KEY] = FORMAT.into();
        metadata[CHECKSUM_KEY] = NO_CHECKSUM.into();
        let metadata = HashMap::from([(METADATA_KEY.to_string(), metadata.to_string())]);
        let header = Metadata::new(Some(metadata), tensors)
            .map_err(|e| e.to_string())
            .and_then(|header| serde_json::to_vec(&header).map_err(|e| e.to_string()));
        let mut header = header.map_err(|why| unusable(path, &why))?;
        header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
        let bytes = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
        match find_checksum(&bytes, NO_CHECKSUM) {
            Some(checksum_at) if header.len() as u64 <= MAX_HEADER_BYTES => Ok(Self { bytes, checksum_at }),
            _ => {
                let most = MAX_HEADER_BYTES >> 20;
                Err(unusable(path, &format!("its settings and its vocabulary have more than {most} MiB")))
            }
        }
    }

    /// Sets the checksums, once that of the tensors is known.
    pub fn seal(&mut self, tensors: &Crc) {
        let (of_header, of_tensors) = (self.checksum_at, self.checksum_at + CHECKSUM_BYTES + 1);
        self.bytes[of_tensors..][..CHECKSUM_BYTES].copy_from_slice(hex(tensors).as_bytes());
        let mut header = Crc::new();
        header.update(&self.bytes);
        self.bytes[of_header..][..CHECKSUM_BYTES].copy_from_slice(hex(&header).as_bytes());
    }

    /// The length and the header.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A file whose header was read and checked.
pub(super) struct OpenFile {
    /// The file, positioned at the first element.
    pub file: File,
    /// The tensors, in the order of the file.
    pub tensors: Vec<(String, TensorInfo)>,
    /// The JSON value.
    pub metadata: Value,
    /// The checksum of the tensors; `None` in files of older versions.
    checksum: Option<String>,
}

impl OpenFile {
    /// Opens a file, and checks that it is complete and that its header is as it was written.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Checkpoint`] if the file is damaged or no checkpoint of m2g.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let broken = |why: &str| unusable(path, &format!("it is damaged or not a safetensors file ({why})"));
        let found = std::fs::metadata(path).map_err(Error::io("read", path))?;
        // A pipe would wait for a writer.
        if !found.is_file() {
            return Err(unusable(path, "it is not a file"));
        }
        let size = found.len();
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        if size < LENGTH_BYTES as u64 {
            return Err(broken("it is too short"));
        }
        let mut length = [0; LENGTH_BYTES];
        file.read_exact(&mut length).map_err(Error::io("read", path))?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES.min(size - LENGTH_BYTES as u64) {
            return Err(broken("its header is too long"));
        }
        let mut bytes = vec![0; LENGTH_BYTES + header_bytes as usize];
        bytes[..LENGTH_BYTES].copy_from_slice(&length);
        file.read_exact(&mut bytes[LENGTH_BYTES..]).map_err(Error::io("read", path))?;
        let header: Metadata =
            serde_json::from_slice(&bytes[LENGTH_BYTES..]).map_err(|e| broken(&e.to_string()))?;
        let expected = (bytes.len() as u64).saturating_add(header.data_len() as u64);
        if size != expected {
            return Err(broken(&format!("it has {size} bytes, not {expected} as its header says")));
        }
        let text = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(METADATA_KEY))
            .ok_or_else(|| unusable(path, "it was not written by m2g (no `m2g` metadata)"))?;
        let mut metadata: Value = serde_json::from_str(text)
            .map_err(|e| unusable(path, &format!("its metadata is not JSON ({e})")))?;
        let mut remove = |key| metadata.as_object_mut().and_then(|metadata| metadata.remove(key));
        let (format, stored) = (remove(FORMAT_KEY).unwrap_or_default(), remove(CHECKSUM_KEY));
        let checksum = match (format.as_u64(), stored) {
            (Some(1), None) => None,
            (Some(FORMAT), Some(Value::String(stored))) => Some(checked(path, &mut bytes, &stored)?),
            (Some(1..=FORMAT), _) => return Err(damaged(path, "it has lost its checksums")),
            _ => {
                let why =
                    format!("its format is {format}, but this version of m2g reads formats 1 to {FORMAT}");
                return Err(unusable(path, &why));
            }
        };
        let names = header.offset_keys().into_iter();
        let tensors: Vec<_> =
            names.filter_map(|name| header.info(&name).cloned().map(|info| (name, info))).collect();
        match tensors.iter().find(|(_, info)| info.shape.contains(&0)) {
            Some((name, info)) => {
                Err(unusable(path, &format!("{name} has the shape {:?}, which is empty", info.shape)))
            }
            None => Ok(Self { file, tensors, metadata, checksum }),
        }
    }

    /// Checks that the tensors, whose checksum is now `found`, are as they were written.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if they are not.
    pub fn check_tensors(&self, path: &Path, found: &Crc) -> Result<(), Error> {
        match &self.checksum {
            Some(checksum) if *checksum != hex(found) => {
                Err(damaged(path, "its tensors do not match their checksum"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a checkpoint has checksums. Those of older versions have none.
///
/// # Errors
/// As [`Checkpoint::load`](super::Checkpoint::load).
pub fn has_checksums(path: &Path) -> Result<bool, Error> {
    OpenFile::open(path).map(|open| open.checksum.is_some())
}

/// Checks the checksum of a header, and returns that of the tensors. Changes the bytes.
fn checked(path: &Path, bytes: &mut [u8], stored: &str) -> Result<String, Error> {
    let wrong = || damaged(path, "its header does not match its checksum");
    // To look for a text as long as the header takes time that grows with the square of that.
    if stored.len() != NO_CHECKSUM.len() {
        return Err(wrong());
    }
    let at = find_checksum(bytes, stored).ok_or_else(wrong)?;
    let (of_header, of_tensors) = stored.split_once('-').ok_or_else(wrong)?;
    bytes[at..at + of_header.len()].fill(b'0');
    let mut found = Crc::new();
    found.update(bytes);
    if of_header != hex(&found) {
        return Err(wrong());
    }
    Ok(of_tensors.to_string())
}

/// Where the checksums start. The JSON value is a string within JSON, so its quotes are escaped.
fn find_checksum(bytes: &[u8], checksum: &str) -> Option<usize> {
    let key = format!(r#"\"{CHECKSUM_KEY}\":\""#);
    let text = format!("{key}{checksum}");
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes())?;
    Some(at + key.len())
}

/// A checksum as text. Only this spelling is accepted, so that a flipped bit in it is detected too.
fn hex(crc: &Crc) -> String {
    format!("{:08x}", crc.sum())
}

fn damaged(path: &Path, how: &str) -> Error {
    let advice = "use the other checkpoint of the run, or restore the file from a copy";
    unusable(path, &format!("it is damaged: {how}; {advice}"))
}

/// An [`Error::Checkpoint`].
pub(crate) fn unusable(path: &Path, why: &str) -> Error {
    Error::Checkpoint { path: path.to_path_buf(), why: why.to_string() }
}
