//! Reads and writes the tokenizer of a folder: GPT-2's or one of this project.
//!
//! `vocab.json` holds the tokens with their ids, `merges.txt` the pairs in the order in which they
//! are merged, `tokenizer.json` both. All of them write each byte as one visible character, so that
//! a token contains no spaces.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use m2g_core::{Error, atomic};
use serde_json::Value;

use super::ImportError;
use m2g_text::{Tokenizer, TokenizerKind};

/// Tokens and ids.
const VOCAB: &str = "vocab.json";
/// Pairs to merge.
const MERGES: &str = "merges.txt";
/// Tokens, ids and merges.
const TOKENIZER: &str = "tokenizer.json";
/// A tokenizer of this project, which the format of Hugging Face cannot express.
const OURS: &str = "m2g_tokenizer.json";

/// The tokenizer of the folder, for a model with `vocab_size` tokens. If it is not
/// supported, a sentence on why.
///
/// # Errors
/// [`Error::Io`]; [`ImportError::File`] if a file is damaged.
pub fn read(dir: &Path, vocab_size: usize) -> Result<Result<Tokenizer, String>, ImportError> {
    let ours = dir.join(OURS);
    if ours.is_file() {
        let tokenizer: Tokenizer = serde_json::from_value(read_json(&ours)?)
            .map_err(|e| ImportError::File { path: ours.clone(), why: e.to_string() })?;
        let tokens = tokenizer.vocab_size();
        return Ok(match tokens == vocab_size {
            true => Ok(tokenizer),
            false => Err(format!("{OURS} has {tokens} tokens, but the model has {vocab_size}")),
        });
    }
    let Some((name, theirs)) = find(dir)? else {
        return Ok(match vocab_size == Tokenizer::gpt2().vocab_size() {
            true => Ok(Tokenizer::gpt2()),
            false => Err(format!("the folder has no {VOCAB} or {TOKENIZER}")),
        });
    };
    let gpt2 = Tokenizer::gpt2();
    if vocab_size != gpt2.vocab_size() {
        return Ok(Err(format!("the model has {vocab_size} tokens, not GPT-2's {}", gpt2.vocab_size())));
    }
    let same = spelled_tokens(&gpt2)
        .all(|(token, id)| theirs.get(&token).and_then(Value::as_u64) == Some(id.into()));
    Ok(if same { Ok(gpt2) } else { Err(format!("the tokens in {name} are not GPT-2's")) })
}

/// The id of each token, by its spelling in the files.
type Ids = HashMap<String, Value>;

/// The file that holds the tokens, and their ids.
fn find(dir: &Path) -> Result<Option<(&'static str, Ids)>, ImportError> {
    let (vocab, whole) = (dir.join(VOCAB), dir.join(TOKENIZER));
    let object = |path: &Path, value: &Value, what: &str| match value.as_object() {
        Some(map) => Ok(map.iter().map(|(token, id)| (token.clone(), id.clone())).collect()),
        None => {
            Err(ImportError::File { path: path.to_path_buf(), why: format!("{what} is not a JSON object") })
        }
    };
    if vocab.is_file() {
        return Ok(Some((VOCAB, object(&vocab, &read_json(&vocab)?, "it")?)));
    }
    if whole.is_file() {
        let json = read_json(&whole)?;
        let mut tokens: Ids = object(&whole, &json["model"]["vocab"], "its model.vocab")?;
        for added in json["added_tokens"].as_array().into_iter().flatten() {
            if let Some(content) = added["content"].as_str() {
                tokens.insert(content.to_string(), added["id"].clone());
            }
        }
        return Ok(Some((TOKENIZER, tokens)));
    }
    Ok(None)
}

fn read_json(path: &Path) -> Result<Value, ImportError> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| ImportError::File { path: path.to_path_buf(), why: format!("it is not JSON ({e})") })
}

/// Writes the tokenizer to the folder: GPT-2's in the format of `transformers`, others in the
/// format of this project.
///
/// # Errors
/// [`Error::Io`].
pub fn write(dir: &Path, tokenizer: &Tokenizer) -> Result<(), Error> {
    if tokenizer.kind() != TokenizerKind::Gpt2 {
        let json = serde_json::to_string(tokenizer).map_err(|e| Error::Other(Box::new(e)))?;
        return atomic::write(&dir.join(OURS), |f| f.write_all(json.as_bytes()));
    }
    let tokens: Vec<String> =
        spelled_tokens(tokenizer).map(|(token, id)| format!("{}: {id}", Value::String(token))).collect();
    atomic::write(&dir.join(VOCAB), |f| write!(f, "{{{}}}", tokens.join(", ")))?;
    let lines: String = merges(tokenizer).iter().map(|[a, b]| format!("{a} {b}\n")).collect();
    atomic::write(&dir.join(MERGES), |f| write!(f, "#version: 0.2\n{lines}"))
}

/// The spelling of every token in the files, with its id. The end of text is spelled as it is.
fn spelled_tokens(tokenizer: &Tokenizer) -> impl Iterator<Item = (String, u32)> {
    let letters = bytes_to_unicode();
    (0..).map_while(move |id| {
        let token = tokenizer.token(id)?;
        Some((spell(&token, &letters), id))
    })
}

fn spell(token: &[u8], letters: &[char; 256]) -> String {
    token.iter().map(|byte| letters[usize::from(*byte)]).collect()
}

/// The character for each byte, as in GPT-2's `bytes_to_unicode`: its Latin-1 character if that is
/// visible, otherwise the next character from U+0100 on.
fn bytes_to_unicode() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match char::from(byte as u8) {
        c @ ('!'..='~' | '¡'..='¬' | '®'..='ÿ') => c,
        c => others.next().unwrap_or(c),
    })
}

/// The merges of GPT-2, as pairs of spelled tokens. They follow from the ids: a token is the merge
/// of the two parts that remain after all merges with lower ids.
fn merges(tokenizer: &Tokenizer) -> Vec<[String; 2]> {
    let letters = bytes_to_unicode();
    let tokens: Vec<Vec<u8>> = (0..)
        .take_while(|&id| Some(id) != tokenizer.end_of_text())
        .map_while(|id| tokenizer.token(id).map(|t| t.into_owned()))
        .collect();
    let ids: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(id, t)| (&t[..], id)).collect();
    let pair = |(id, token): (usize, &Vec<u8>)| {
        // The ends of the parts: initially every byte is a part.
        let mut ends: Vec<usize> = (1..=token.len()).collect();
        while ends.len() > 2 {
            let joined = |i: usize| {
                let start = if i == 0 { 0 } else { ends[i - 1] };
                ids.get(&token[start..ends[i + 1]]).copied().filter(|earlier| *earlier < id)
            };
            let first = (0..ends.len() - 1).filter_map(|i| Some((joined(i)?, i))).min()?;
            ends.remove(first.1);
        }
        (ends.len() == 2).then(|| {
            let (left, right) = token.split_at(ends[0]);
            [spell(left, &letters), spell(right, &letters)]
        })
    };
    tokens.iter().enumerate().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_are_spelled_as_in_gpt2() {
        let letters = bytes_to_unicode();
        assert_eq!(spell(b" the\n", &letters), "ĠtheĊ");
        assert_eq!(spell("é\u{7f}".as_bytes(), &letters), "Ã©ġ");
        let distinct: std::collections::BTreeSet<char> = letters.into_iter().collect();
        assert_eq!(distinct.len(), 256);
    }

    #[test]
    fn first_merges_are_those_of_gpt2() {
        let merges = merges(&Tokenizer::gpt2());
        assert_eq!(merges.len(), 50_000);
        assert_eq!(
            merges[..4],
            [["Ġ", "t"], ["Ġ", "a"], ["h", "e"], ["i", "n"]].map(|m| m.map(String::from))
        );
    }

    /// Applies the merges like every reader of the format: the earliest pair first, from left to
    /// right.
    #[test]
    fn merges_give_the_tokens_of_gpt2() {
        let gpt2 = Tokenizer::gpt2();
        let merges = merges(&gpt2);
        let ranks: HashMap<[&str; 2], usize> =
            merges.iter().enumerate().map(|(i, [a, b])| ([&a[..], &b[..]], i)).collect();
        let ids: HashMap<String, u32> = spelled_tokens(&gpt2).collect();
        for word in
            [" Shakespeare", "antidisestablishmentarianism", " übergrößenträger", "========", " 𝔘𝔫", "\n\n\n"]
        {
            let mut parts: Vec<String> =
                spell(word.as_bytes(), &bytes_to_unicode()).chars().map(String::from).collect();
            while let Some(best) =
                parts.windows(2).filter_map(|p| ranks.get(&[&p[0][..], &p[1][..]])).min().copied()
            {
                let [a, b] = &merges[best];
                while let Some(i) = parts.windows(2).position(|p| p[0] == *a && p[1] == *b) {
                    parts.splice(i..i + 2, [format!("{a}{b}")]);
                }
            }
            let found: Vec<u32> = parts.iter().map(|part| ids[part]).collect();
            assert_eq!(found, gpt2.encode(word).unwrap(), "{word}");
        }
    }

    #[test]
    fn only_the_files_of_gpt2_are_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let read = |v| read(dir.path(), v).unwrap();
        assert_eq!(
            read(50257),
            Ok(Tokenizer::gpt2()),
            "the size of GPT-2's vocabulary implies its tokenizer"
        );
        assert_eq!(read(101), Err("the folder has no vocab.json or tokenizer.json".into()));
        write(dir.path(), &Tokenizer::gpt2()).unwrap();
        assert_eq!(read(50257), Ok(Tokenizer::gpt2()));
        assert_eq!(read(50304), Err("the model has 50304 tokens, not GPT-2's 50257".into()));

        let vocab = dir.path().join(VOCAB);
        let text = std::fs::read_to_string(&vocab).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        std::fs::write(&vocab, text.replace("\"Ġthe\": ", "\"Ġeht\": ")).unwrap();
        assert_eq!(read(50257), Err("the tokens in vocab.json are not GPT-2's".into()));
        std::fs::remove_file(&vocab).unwrap();
        let mut whole = serde_json::json!({"model": {"vocab": json}, "added_tokens": []});
        whole["model"]["vocab"].as_object_mut().unwrap().remove("<|endoftext|>");
        let path = dir.path().join(TOKENIZER);
        std::fs::write(&path, whole.to_string()).unwrap();
        assert!(read(50257).is_err());
        whole["added_tokens"] = serde_json::json!([{"content": "<|endoftext|>", "id": 50256}]);
        std::fs::write(&path, whole.to_string()).unwrap();
        assert_eq!(read(50257), Ok(Tokenizer::gpt2()));
        std::fs::write(&path, "[]").unwrap();
        assert!(
            super::read(dir.path(), 50257)
                .unwrap_err()
                .to_string()
                .contains("its model.vocab is not a JSON object")
        );
    }

    #[test]
    fn own_tokenizers_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        for tokenizer in
            [Tokenizer::char("hello"), Tokenizer::byte(), Tokenizer::bpe("the the the", 258).unwrap()]
        {
            write(dir.path(), &tokenizer).unwrap();
            let size = tokenizer.vocab_size();
            assert_eq!(read(dir.path(), size).unwrap(), Ok(tokenizer));
            assert!(read(dir.path(), size + 1).unwrap().unwrap_err().starts_with("m2g_tokenizer.json has"));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::write(dir.path().join(OURS), "{}").unwrap();
        assert!(read(dir.path(), 4).unwrap_err().to_string().contains("m2g_tokenizer.json cannot be used"));
    }
}
