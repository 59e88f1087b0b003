//! A folder of tokens as nanoGPT's `prepare.py` makes them: `train.bin` and `val.bin`, and perhaps
//! `meta.pkl` with the vocabulary of characters.

use std::path::{Path, PathBuf};

use m2g_core::bounded;

use super::data::TokenData;
use super::folder::{META, TOKENIZER, TRAIN, VAL};
use super::width::Width;
use crate::error::TextError;
use crate::pickle::{self, Pickle, ValueId};
use crate::tokenizer::Tokenizer;

/// The vocabulary of the folder.
const META_PKL: &str = "meta.pkl";

/// A folder with nanoGPT's files.
#[derive(Debug)]
pub struct NanoGptFolder {
    path: PathBuf,
    /// The vocabulary that the folder names, if it does.
    pub meta: Option<NanoGptMeta>,
}

/// The contents of `meta.pkl`.
#[derive(Debug, Clone, PartialEq)]
pub struct NanoGptMeta {
    /// V, the number of tokens.
    pub vocab_size: usize,
    /// The tokenizer; a sentence on why there is none, if the tokens are not characters.
    pub tokenizer: Result<Tokenizer, String>,
}

/// Whether a folder holds tokens of nanoGPT, and not of [`prepare`](crate::prepare).
pub fn is_nanogpt(folder: &Path) -> bool {
    let has = |name| folder.join(name).is_file();
    has(TRAIN) && !has(META) && !has(TOKENIZER)
}

impl NanoGptFolder {
    /// Opens a folder and reads its vocabulary.
    ///
    /// # Errors
    /// [`TextError`] if a file is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self, TextError> {
        if !folder.join(VAL).is_file() {
            let why = format!("it has {TRAIN} but no {VAL}, the tokens to validate on");
            return Err(TextError::file(folder, why));
        }
        let meta = folder.join(META_PKL);
        let meta = meta.is_file().then(|| read_meta(&meta)).transpose()?;
        Ok(Self { path: folder.to_path_buf(), meta })
    }

    /// The training and the validation split: ids of 16 bits, or of 32 if `vocab_size` needs them.
    ///
    /// # Errors
    /// [`TextError`] names the file and the first id that is not below `vocab_size`.
    pub fn tokens(&self, vocab_size: usize) -> Result<[TokenData; 2], TextError> {
        let open = |name| {
            let path = self.path.join(name);
            let data = TokenData::open(&path, Width::of(vocab_size), vocab_size)?;
            let bits = 8 * data.width().bytes();
            match is_wider(&data)? {
                true => Err(TextError::file(
                    &path,
                    format!(
                        "every second id of {bits} bits is 0, as in a file of wider ids: save them as {bits} bits \
                         (uint{bits})"
                    ),
                )),
                false => Ok(data),
            }
        };
        Ok([open(TRAIN)?, open(VAL)?])
    }
}

/// Whether the ids were written with twice as many bits. Each is then read as two: the id, and a 0.
fn is_wider(data: &TokenData) -> Result<bool, TextError> {
    /// A text this short may have a pattern by chance.
    const SHORTEST: usize = 32;
    let (mut upper, mut lower) = (0, 0);
    data.for_each_chunk(|start, ids| {
        for (id, index) in ids.iter().zip(start..) {
            *(if index % 2 == 1 { &mut upper } else { &mut lower }) |= id;
        }
    })?;
    let even = data.len() >= SHORTEST && data.len().is_multiple_of(2);
    Ok(even && upper == 0 && lower > 0)
}

/// Reads `meta.pkl`: a dict with `vocab_size`, and with `stoi` and `itos` for a vocabulary of
/// characters.
///
/// # Errors
/// [`TextError`] if the file cannot be read, is no such dict, or contradicts itself.
pub fn read_meta(path: &Path) -> Result<NanoGptMeta, TextError> {
    let unusable = |why: String| TextError::file(path, why);
    let bytes = bounded::read(path, pickle::MAX_BYTES as u64, "a vocabulary")?;
    let pickle = pickle::read(&bytes, &[]).map_err(|e| unusable(e.to_string()))?;
    let meta = Meta { pickle: &pickle };
    let vocab_size = meta.size("vocab_size").map_err(unusable)?;
    let tokens = meta.tokens().map_err(unusable)?;
    let Some(n) = tokens.as_ref().map(Vec::len).or(vocab_size) else {
        return Err(unusable("it is not a vocabulary of nanoGPT: it has neither vocab_size nor stoi".into()));
    };
    let vocab_size = vocab_size.unwrap_or(n);
    if n > vocab_size {
        return Err(unusable(format!("its vocab_size is {vocab_size}, but stoi has {n} tokens")));
    }
    let tokenizer = match tokens {
        None => Err(format!("{} has no characters (stoi)", path.display())),
        Some(tokens) => characters(&tokens).map_err(|why| format!("{}: {why}", path.display())),
    };
    Ok(NanoGptMeta { vocab_size, tokenizer })
}

/// The tokenizer of tokens that are one character each.
fn characters(tokens: &[&str]) -> Result<Tokenizer, String> {
    if let Some(id) = tokens.iter().position(|token| token.chars().count() != 1) {
        return Err(format!("token {id} is \"{}\", not one character", tokens[id].escape_debug()));
    }
    Tokenizer::characters_in_order(&tokens.concat()).map_err(|e| e.to_string())
}

/// The root of a `meta.pkl`.
struct Meta<'a> {
    pickle: &'a Pickle,
}

impl<'a> Meta<'a> {
    fn needed(&self, key: &str) -> Result<Option<ValueId>, String> {
        self.pickle.needed(self.pickle.root(), key).map_err(|e| e.to_string())
    }

    fn size(&self, key: &str) -> Result<Option<usize>, String> {
        let Some(id) = self.needed(key)? else { return Ok(None) };
        let size = self.pickle.size(id).filter(|size| (1..=1 << 24).contains(size));
        size.map(Some).ok_or(format!("its {key} is not a number from 1 to 16777216"))
    }

    /// The tokens in the order of their ids, from `stoi` and, if it is there, the same from `itos`.
    fn tokens(&self) -> Result<Option<Vec<&'a str>>, String> {
        let pickle = self.pickle;
        let by_id = |key: &str, swap: bool| -> Result<Option<Vec<&'a str>>, String> {
            let Some(id) = self.needed(key)? else { return Ok(None) };
            let items: Vec<(Option<&str>, Option<usize>)> = match (pickle.dict(id), pickle.items(id)) {
                (Some(items), _) => {
                    let pair = |&(k, v)| {
                        if swap { (pickle.text(v), pickle.size(k)) } else { (pickle.text(k), pickle.size(v)) }
                    };
                    items.iter().map(pair).collect()
                }
                // Some write itos as a list.
                (None, Some(items)) if swap => {
                    items.iter().map(|&v| pickle.text(v)).zip((0..).map(Some)).collect()
                }
                _ => return Err(format!("its {key} is not a dict")),
            };
            let mut tokens = vec![None; items.len()];
            for (token, id) in items {
                match (token, id.and_then(|id| tokens.get_mut(id))) {
                    (Some(token), Some(place @ None)) => *place = Some(token),
                    _ => return Err(format!("the ids in its {key} are not 0, 1, 2, ... of strings")),
                }
            }
            Ok(tokens.into_iter().collect())
        };
        let (stoi, itos) = (by_id("stoi", false)?, by_id("itos", true)?);
        match (stoi, itos) {
            (Some(stoi), Some(itos)) if stoi != itos => Err("its stoi and its itos differ".into()),
            (stoi, itos) => Ok(stoi.or(itos)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(train: &[u16], val: &[u16]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, ids) in [(TRAIN, train), (VAL, val)] {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    #[test]
    fn ids_are_read_and_checked() {
        let dir = folder(&[3, 0, 2, 1], &[1, 2]);
        assert!(is_nanogpt(dir.path()));
        let folder = NanoGptFolder::open(dir.path()).unwrap();
        assert_eq!(folder.meta, None);
        let [train, val] = folder.tokens(4).unwrap();
        assert_eq!((train.to_vec().unwrap(), val.to_vec().unwrap()), (vec![3, 0, 2, 1], vec![1, 2]));
        let error = folder.tokens(3).unwrap_err().to_string();
        assert!(
            error.contains("train.bin: token number 0 (at byte 0) is 3, but the vocabulary has 3"),
            "{error}"
        );
        std::fs::remove_file(dir.path().join(VAL)).unwrap();
        let error = NanoGptFolder::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("it has train.bin but no val.bin"), "{error}");
        std::fs::write(dir.path().join(META), "{}").unwrap();
        assert!(!is_nanogpt(dir.path()), "a prepared folder, though a damaged one");
    }

    #[test]
    fn ids_of_32_bits_are_not_taken_for_twice_as_many_of_16() {
        let wide: Vec<u16> = (0..20).flat_map(|i| [i, 0]).collect();
        let dir = folder(&wide, &[1, 2]);
        let error = NanoGptFolder::open(dir.path()).unwrap().tokens(50).unwrap_err().to_string();
        assert!(error.contains("train.bin: every second id of 16 bits is 0"), "{error}");
        // 64 bits, read as 32.
        let wider: Vec<u16> = (0..20).flat_map(|i| [i, 0, 0, 0]).collect();
        let dir = folder(&wider, &wider);
        let error = NanoGptFolder::open(dir.path()).unwrap().tokens(70_000).unwrap_err().to_string();
        assert!(error.contains("every second id of 32 bits is 0") && error.contains("(uint32)"), "{error}");
        for ids in [vec![0; 40], (0..40).collect()] {
            let dir = folder(&ids, &[1, 2]);
            NanoGptFolder::open(dir.path()).unwrap().tokens(50).unwrap();
        }
    }

    #[test]
    fn a_vocabulary_may_be_only_a_size() {
        let dir = folder(&[3, 0, 2, 1], &[1, 2]);
        let path = dir.path().join(META_PKL);
        // {"vocab_size": 50304}
        std::fs::write(&path, b"\x80\x04}\x8c\x0avocab_sizeM\x80\xc4s.").unwrap();
        let meta = NanoGptFolder::open(dir.path()).unwrap().meta.unwrap();
        assert!(meta.vocab_size == 50_304 && meta.tokenizer.unwrap_err().contains("no characters (stoi)"));
        // {"itos": ["b", "a"]}
        std::fs::write(&path, b"\x80\x04}\x8c\x04itos](\x8c\x01b\x8c\x01aes.").unwrap();
        let meta = read_meta(&path).unwrap();
        assert_eq!(
            (meta.vocab_size, meta.tokenizer.as_ref().unwrap().encode("ab").unwrap()),
            (2, vec![1, 0])
        );
        // {"itos": ["b", "a"], "n": Counter()}: a value that is not needed may have any type.
        let counter = &b"\x8c\x0bcollections\x8c\x07Counter\x93)R"[..];
        let with_counter = [&b"\x80\x04}(\x8c\x04itos](\x8c\x01b\x8c\x01ae\x8c\x01n"[..], counter, b"u."];
        std::fs::write(&path, with_counter.concat()).unwrap();
        assert_eq!(read_meta(&path).unwrap(), meta);
        std::fs::write(&path, [&b"\x80\x04}\x8c\x04itos"[..], counter, b"s."].concat()).unwrap();
        let error = read_meta(&path).unwrap_err().to_string();
        assert!(error.contains("meta.pkl: its pickle names collections.Counter, and only"), "{error}");
        std::fs::write(&path, b"\x80\x04}\x8c\x04itos](\x8c\x01b").unwrap();
        let error = NanoGptFolder::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("meta.pkl: its pickle is cut off at byte"), "{error}");
    }
}
