//! A sequence of tokens, in memory or in a file of any size.
//!
//! The bytes are the same in both: little-endian integers of 16 bits if the vocabulary
//! fits, else of 32, without a header, as in nanoGPT.

use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::bytes::Bytes;
use super::width::Width;
use super::writer::{TokenWriter, hex};
use crate::error::TextError;

/// A sequence of token ids, each of them below the size of the vocabulary.
#[derive(Debug)]
pub struct TokenData {
    bytes: Bytes,
    width: Width,
    /// Ids are below this.
    vocab_size: usize,
    sha256: String,
}

/// Tokens per chunk of [`TokenData::for_each_chunk`].
const TOKENS_PER_CHUNK: usize = 1 << 16;

/// Bytes per read from a file, in a buffer on the stack: a multiple of every width.
const BYTES_PER_READ: usize = 1 << 13;

impl TokenData {
    /// These tokens, in memory.
    pub fn new(ids: &[u32]) -> Self {
        written(ids, Vec::new()).into()
    }

    /// [`TokenData::sha256`] of these tokens in memory, without a copy of them.
    pub fn sha256_of(ids: &[u32]) -> String {
        written(ids, io::sink()).finish().1
    }

    /// The tokens of a file, which stays open. Reads all of it once to check it.
    ///
    /// # Errors
    /// [`TextError`] names the file if it cannot be read, ends inside a token, or has an
    /// id that is not below `vocab_size`.
    pub fn open(path: &Path, width: Width, vocab_size: usize) -> Result<Self, TextError> {
        let bytes = Bytes::open(path)?;
        if !bytes.len().is_multiple_of(width.bytes()) {
            let why = format!(
                "its {} bytes are not a whole number of tokens of {} bytes: it is truncated, or not a file of tokens",
                bytes.len(),
                width.bytes()
            );
            return Err(TextError::file(path, why));
        }
        let (mut hash, mut ids) = (Sha256::new(), Vec::new());
        let mut buffer = vec![0; (TOKENS_PER_CHUNK * width.bytes()).min(bytes.len())];
        for start in (0..bytes.len()).step_by(TOKENS_PER_CHUNK * width.bytes()) {
            let n = buffer.len().min(bytes.len() - start);
            let chunk = bytes.read(start, &mut buffer[..n])?;
            hash.update(chunk);
            ids.resize(n / width.bytes(), 0);
            width.decode(chunk, &mut ids);
            if let Some(i) = ids.iter().position(|&id| id as usize >= vocab_size) {
                let (index, id) = (start / width.bytes() + i, ids[i]);
                let why = format!(
                    "token number {index} (at byte {}) is {id}, but the vocabulary has {vocab_size} tokens",
                    index * width.bytes()
                );
                return Err(TextError::file(path, why));
            }
        }
        Ok(Self { bytes, width, vocab_size, sha256: hex(&hash.finalize()) })
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

    /// Fills `ids` with the tokens from index `start` on. Allocates nothing.
    ///
    /// # Errors
    /// [`TextError`] names the file if another program has truncated or changed it.
    ///
    /// # Panics
    /// If there are fewer tokens.
    pub fn read(&self, start: usize, ids: &mut [u32]) -> Result<(), TextError> {
        assert!(start + ids.len() <= self.len(), "there are only {} tokens", self.len());
        let mut buffer = [0; BYTES_PER_READ];
        let n = self.width.bytes();
        let mut at = start * n;
        for ids in ids.chunks_mut(BYTES_PER_READ / n) {
            let bytes = self.bytes.read(at, &mut buffer[..ids.len() * n])?;
            self.width.decode(bytes, ids);
            if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocab_size) {
                return Err(self.bytes.changed(&format!(
                    "it has a token {id} now, but the vocabulary has {} tokens",
                    self.vocab_size
                )));
            }
            at += bytes.len();
        }
        Ok(())
    }

    /// All tokens.
    ///
    /// # Errors
    /// As [`TokenData::read`].
    pub fn to_vec(&self) -> Result<Vec<u32>, TextError> {
        let mut ids = vec![0; self.len()];
        self.read(0, &mut ids)?;
        Ok(ids)
    }

    /// Passes all tokens to `visit` in chunks, each with the index of its first token.
    ///
    /// # Errors
    /// As [`TokenData::read`].
    pub fn for_each_chunk(&self, mut visit: impl FnMut(usize, &[u32])) -> Result<(), TextError> {
        let mut ids = vec![0; TOKENS_PER_CHUNK.min(self.len())];
        for start in (0..self.len()).step_by(TOKENS_PER_CHUNK) {
            let n = TOKENS_PER_CHUNK.min(self.len() - start);
            self.read(start, &mut ids[..n])?;
            visit(start, &ids[..n]);
        }
        Ok(())
    }
}

/// These tokens, written to `out`, which must not fail.
fn written<W: Write>(ids: &[u32], out: W) -> TokenWriter<W> {
    let largest = ids.iter().max().map_or(0, |&id| id as usize);
    let mut writer = TokenWriter::new(out, Width::of(largest + 1));
    for chunk in ids.chunks(TOKENS_PER_CHUNK) {
        let _ = writer.write(chunk);
    }
    writer
}

/// The tokens that were written to memory.
impl From<TokenWriter<Vec<u8>>> for TokenData {
    fn from(writer: TokenWriter<Vec<u8>>) -> Self {
        let width = writer.width();
        let (bytes, sha256) = writer.finish();
        Self { bytes: Bytes::Memory(bytes), width, vocab_size: usize::MAX, sha256 }
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
            assert_eq!(file.to_vec().unwrap(), ids);
            assert!(file.sha256() == sha256 && memory.sha256() == sha256);
            assert_eq!(TokenData::sha256_of(&ids), sha256);
            let mut two = [0; 2];
            file.read(1, &mut two).unwrap();
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
        let visit = |start, chunk: &[u32]| {
            assert_eq!(start, seen.len());
            seen.extend_from_slice(chunk);
        };
        TokenData::new(&ids).for_each_chunk(visit).unwrap();
        assert!(seen == ids);
    }

    /// A memory map would end the process with SIGBUS here.
    #[test]
    fn a_file_that_changes_while_it_is_open_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("train.bin");
        std::fs::write(&path, [1, 0].repeat(BYTES_PER_READ)).unwrap();
        let data = TokenData::open(&path, Width::U16, 5).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(BYTES_PER_READ as u64).unwrap();
        data.read(0, &mut [0; 100]).unwrap();
        let error = data.to_vec().unwrap_err().to_string();
        assert!(error.contains("train.bin: it had 16384 bytes when it was opened and has fewer"), "{error}");
        std::fs::write(&path, [9, 0].repeat(BYTES_PER_READ)).unwrap();
        let error = data.to_vec().unwrap_err().to_string();
        assert!(error.contains("a token 9 now, but the vocabulary has 5 tokens"), "{error}");
    }
}
