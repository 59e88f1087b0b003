//! A sequence of tokens, in memory or in a file of any size.
//!
//! The bytes are the same in both: little-endian integers of 16 bits if the vocabulary
//! fits, else of 32, without a header, as in nanoGPT.

use std::path::Path;

use byteorder::{ByteOrder, LittleEndian};
use sha2::{Digest, Sha256};

use super::memory_map::Bytes;
use super::width::Width;
use super::writer::{TokenWriter, hex};
use crate::error::TextError;

/// A sequence of token ids, each of them below the size of the vocabulary.
#[derive(Debug)]
pub struct TokenData {
    bytes: Bytes,
    width: Width,
    sha256: String,
}

/// Tokens per chunk of [`TokenData::for_each_chunk`].
const TOKENS_PER_CHUNK: usize = 1 << 16;

impl TokenData {
    /// These tokens, in memory.
    pub fn new(ids: &[u32]) -> Self {
        let largest = ids.iter().max().map_or(0, |&id| id as usize);
        let mut writer = TokenWriter::new(Vec::new(), Width::of(largest + 1));
        // Writing to memory does not fail.
        let _ = writer.write(ids);
        writer.into()
    }

    /// The tokens of a file. Maps the file into memory, and reads all of it once to check it.
    ///
    /// # Errors
    /// [`TextError`] names the file if it cannot be read, ends inside a token, or has an
    /// id that is not below `vocab_size`.
    pub fn open(path: &Path, width: Width, vocab_size: usize) -> Result<Self, TextError> {
        let bytes = Bytes::map(path)?;
        if !bytes.len().is_multiple_of(width.bytes()) {
            let why = format!(
                "its {} bytes are not a whole number of tokens of {} bytes: it is truncated, or not a file of tokens",
                bytes.len(),
                width.bytes()
            );
            return Err(TextError::file(path, why));
        }
        let sha256 = hex(&Sha256::digest(&bytes[..]));
        let data = Self { bytes, width, sha256 };
        let mut wrong = None;
        data.for_each_chunk(|start, ids| {
            let index = ids.iter().position(|&id| id as usize >= vocab_size);
            wrong = wrong.or(index.map(|index| (start + index, ids[index])));
        });
        match wrong {
            None => Ok(data),
            Some((index, id)) => {
                let byte = index * width.bytes();
                let why = format!(
                    "token number {index} (at byte {byte}) is {id}, but the vocabulary has {vocab_size} tokens"
                );
                Err(TextError::file(path, why))
            }
        }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width.bytes()
    }

    /// Whether there are no tokens.
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

    /// Fills `ids` with the tokens from index `start` on.
    ///
    /// # Panics
    /// If there are fewer tokens.
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

    /// Passes all tokens to `visit` in chunks, each with the index of its first token.
    pub fn for_each_chunk(&self, mut visit: impl FnMut(usize, &[u32])) {
        let mut ids = vec![0; TOKENS_PER_CHUNK.min(self.len())];
        for start in (0..self.len()).step_by(TOKENS_PER_CHUNK) {
            let n = TOKENS_PER_CHUNK.min(self.len() - start);
            self.read(start, &mut ids[..n]);
            visit(start, &ids[..n]);
        }
    }
}

/// The tokens that were written to memory.
impl From<TokenWriter<Vec<u8>>> for TokenData {
    fn from(writer: TokenWriter<Vec<u8>>) -> Self {
        let width = writer.width();
        let (bytes, sha256) = writer.finish();
        Self { bytes: Bytes::Memory(bytes), width, sha256 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::File;

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
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("val.bin");
        for (bytes, width, why) in [
            (&[1, 0, 2][..], Width::U16, "3 bytes"),
            (&[1, 0, 2, 0, 3, 0], Width::U32, "6 bytes"),
            (&[1, 0, 9, 0, 7, 0], Width::U16, "token number 1 (at byte 2) is 9, but the vocabulary has 5"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = TokenData::open(&path, width, 5).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("val.bin"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(TokenData::open(&path, Width::U16, 5).unwrap_err().to_string().contains("val.bin"));
    }

    #[test]
    fn chunks_cover_all_tokens() {
        let ids: Vec<u32> = (0..2 * TOKENS_PER_CHUNK as u32 + 5).map(|i| i % 1000).collect();
        let mut seen = Vec::new();
        TokenData::new(&ids).for_each_chunk(|start, chunk| {
            assert_eq!(start, seen.len());
            seen.extend_from_slice(chunk);
        });
        assert!(seen == ids);
    }
}
