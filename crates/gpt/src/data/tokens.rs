//! A row of tokens, in memory or in a file of any size.
//!
//! The bytes are the same in both: little-endian numbers of 16 bits if the
//! vocabulary fits, else of 32, without a header, as nanoGPT has them.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::path::Path;

use byteorder::{ByteOrder, LittleEndian};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CorpusError;

/// How many bits a token takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// 16 bits, for at most 65,536 tokens.
    U16,
    /// 32 bits.
    U32,
}

impl Width {
    /// The smaller one that a vocabulary fits.
    pub fn of(vocab_size: usize) -> Self {
        if vocab_size <= 1 << 16 { Self::U16 } else { Self::U32 }
    }

    /// Bytes in a token.
    pub fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }
}

/// A row of token ids, each of them below the size of the vocabulary.
#[derive(Debug)]
pub struct TokenData {
    bytes: Bytes,
    width: Width,
    sha256: String,
}

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mmap),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

/// Tokens that are read at a time when all are.
const CHUNK: usize = 1 << 16;

impl TokenData {
    /// These tokens, in memory.
    pub fn new(ids: &[u32]) -> Self {
        let largest = ids.iter().max().map_or(0, |&id| id as usize);
        let mut writer = TokenWriter::new(Vec::new(), Width::of(largest + 1));
        // Writing to memory does not fail.
        let _ = writer.write(ids);
        writer.into_data()
    }

    /// The tokens of a file, which is mapped into memory and not read as a whole,
    /// except once, here, to check it.
    ///
    /// # Errors
    /// [`CorpusError`] names the file if it cannot be read, ends inside a token, or
    /// has an id that is not below `vocab_size`.
    pub fn open(path: &Path, width: Width, vocab_size: usize) -> Result<Self, CorpusError> {
        let file = File::open(path).map_err(CorpusError::io("read", path))?;
        // SAFETY: a map is undefined if the file changes under it. The files are made
        // by `prepare`, which never writes to one that has its name already, and
        // replaces a folder by renaming; and any bytes are valid numbers.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(CorpusError::io("read", path))?;
        if !map.len().is_multiple_of(width.bytes()) {
            let why = format!(
                "its {} bytes are no whole number of tokens of {} bytes: it is truncated, or not of this kind",
                map.len(),
                width.bytes()
            );
            return Err(CorpusError::file(path, why));
        }
        let mut data = Self { bytes: Bytes::Mapped(map), width, sha256: String::new() };
        data.sha256 = hex(&Sha256::digest(&data.bytes[..]));
        let mut wrong = None;
        data.for_each_chunk(|start, ids| {
            let place = ids.iter().position(|&id| id as usize >= vocab_size);
            wrong = wrong.or(place.map(|place| (start + place, ids[place])));
        });
        match wrong {
            None => Ok(data),
            Some((place, id)) => {
                let why = format!("token number {place} is {id}, and the vocabulary has {vocab_size} tokens");
                Err(CorpusError::file(path, why))
            }
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width.bytes()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the tokens are stored.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The SHA-256 of the tokens as they are stored.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Reads the tokens from number `start` on, as many as `ids` takes.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn read(&self, start: usize, ids: &mut [u32]) {
        let n = self.width.bytes();
        let bytes = &self.bytes[start * n..(start + ids.len()) * n];
        match self.width {
            Width::U16 => {
                for (id, two) in ids.iter_mut().zip(bytes.chunks_exact(2)) {
                    *id = u32::from(LittleEndian::read_u16(two));
                }
            }
            Width::U32 => LittleEndian::read_u32_into(bytes, ids),
        }
    }

    /// All tokens.
    pub fn to_vec(&self) -> Vec<u32> {
        let mut ids = vec![0; self.len()];
        self.read(0, &mut ids);
        ids
    }

    /// Reads all tokens, a piece at a time: `visit` gets the number of the first too.
    pub fn for_each_chunk(&self, mut visit: impl FnMut(usize, &[u32])) {
        let mut ids = vec![0; CHUNK.min(self.len())];
        for start in (0..self.len()).step_by(CHUNK) {
            let n = CHUNK.min(self.len() - start);
            self.read(start, &mut ids[..n]);
            visit(start, &ids[..n]);
        }
    }
}

/// Writes tokens, and counts and hashes them.
pub(crate) struct TokenWriter<W> {
    out: W,
    width: Width,
    bytes: Vec<u8>,
    hash: Sha256,
    /// How many were written.
    pub tokens: u64,
}

impl<W: Write> TokenWriter<W> {
    pub fn new(out: W, width: Width) -> Self {
        Self { out, width, bytes: Vec::new(), hash: Sha256::new(), tokens: 0 }
    }

    pub fn write(&mut self, ids: &[u32]) -> io::Result<()> {
        self.bytes.clear();
        match self.width {
            Width::U16 => self.bytes.extend(ids.iter().flat_map(|&id| (id as u16).to_le_bytes())),
            Width::U32 => self.bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes())),
        }
        self.hash.update(&self.bytes);
        self.tokens += ids.len() as u64;
        self.out.write_all(&self.bytes)
    }

    /// What was written to, and the SHA-256 of it.
    pub fn finish(self) -> (W, String) {
        (self.out, hex(&self.hash.finalize()))
    }
}

impl TokenWriter<Vec<u8>> {
    /// What was written to memory.
    pub fn into_data(self) -> TokenData {
        let width = self.width;
        let (bytes, sha256) = self.finish();
        TokenData { bytes: Bytes::Memory(bytes), width, sha256 }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_and_file_hold_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("train.bin");
        for (ids, width) in [(vec![1, 2, 65_535], Width::U16), (vec![70_000, 0, 1], Width::U32)] {
            let memory = TokenData::new(&ids);
            assert_eq!((memory.width(), memory.len()), (width, 3));
            let mut writer = TokenWriter::new(File::create(&path).unwrap(), width);
            writer.write(&ids[..1]).unwrap();
            writer.write(&ids[1..]).unwrap();
            let (_, sha256) = writer.finish();
            let file = TokenData::open(&path, width, 80_000).unwrap();
            assert_eq!(file.to_vec(), ids);
            assert!(file.sha256() == sha256 && memory.sha256() == sha256);
            let mut two = [0; 2];
            file.read(1, &mut two);
            assert_eq!(two, ids[1..]);
        }
    }

    #[test]
    fn sixteen_bits_are_little_endian_without_a_header() {
        let mut writer = TokenWriter::new(Vec::new(), Width::U16);
        writer.write(&[1, 0x0203]).unwrap();
        assert_eq!(writer.finish().0, [1, 0, 3, 2]);
    }

    #[test]
    fn wrong_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("val.bin");
        for (bytes, width, why) in [
            (&[1, 0, 2][..], Width::U16, "3 bytes"),
            (&[1, 0, 2, 0, 3, 0], Width::U32, "6 bytes"),
            (&[1, 0, 9, 0, 7, 0], Width::U16, "token number 1 is 9, and the vocabulary has 5"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = TokenData::open(&path, width, 5).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("val.bin"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(TokenData::open(&path, Width::U16, 5).unwrap_err().to_string().contains("val.bin"));
    }

    #[test]
    fn all_chunks_are_all_tokens() {
        let ids: Vec<u32> = (0..2 * CHUNK as u32 + 5).map(|i| i % 1000).collect();
        let mut seen = Vec::new();
        TokenData::new(&ids).for_each_chunk(|start, chunk| {
            assert_eq!(start, seen.len());
            seen.extend_from_slice(chunk);
        });
        assert!(seen == ids);
    }
}
