//! The keys of a tokenizer, in and out.
//!
//! The file spells the bytes of a token as GPT-2 does, one visible character for each: `Ġthe`. llama.cpp
//! encodes a word by merging pairs, and looks up what remains.
//!
//! A vocabulary of characters needs no merges, except that a character of several bytes is put together
//! from its bytes: `Ã ©` for é. What comes between, such as the first two bytes of three, need not be a
//! token.

use std::collections::BTreeSet;

use m2g_text::hugging_face::Found;
use m2g_text::tokenizer::{AddedToken, ByteLevelParts, SpecialToken, spell, unspell};
use m2g_text::{Tokenizer, TokenizerKind};
use rustc_hash::FxHashMap;

use super::reader::GgufFile;
use super::value::{Value, Written};
use crate::gpt2::{ExportError, ImportError};

/// The kind of the tokenizer.
pub const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const END_OF_TEXT: &str = "tokenizer.ggml.eos_token_id";
const BEGINNING: &str = "tokenizer.ggml.bos_token_id";
const PADDING: &str = "tokenizer.ggml.padding_token_id";
const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
const ADD_BEGINNING: &str = "tokenizer.ggml.add_bos_token";
const ADD_END: &str = "tokenizer.ggml.add_eos_token";
const ADD_SPACE: &str = "tokenizer.ggml.add_space_prefix";

/// Types of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The names of ways to split a text into words that are GPT-2's.
const LIKE_GPT2: [&str; 5] = ["gpt-2", "mpt", "olmo", "jais", "phi-2"];
/// The name of a way that llama.cpp also takes if a file names none, as old files of GPT-2 do.
const DEFAULT: &str = "default";

/// The token that llama.cpp takes for the end of a text if a file names none: in GPT-2 a comma, and by
/// bytes a control character, which no text has.
pub const TAKEN_FOR_END: u32 = 11;

/// A tokenizer as the file holds it.
#[derive(Debug, Default, PartialEq)]
pub struct TokenKeys {
    texts: Vec<String>,
    types: Vec<i32>,
    merges: Vec<String>,
    end_of_text: Option<u32>,
    beginning: Option<u32>,
    padding: Option<u32>,
    unknown: Option<u32>,
    prefix_space: bool,
}

impl TokenKeys {
    /// The keys of a tokenizer. The model has `vocab_size` tokens; the tokenizer may have fewer.
    ///
    /// # Errors
    /// [`ExportError::Gguf`] if the tokens are words, or two tokens have the same bytes.
    pub fn of(tokenizer: &Tokenizer, vocab_size: usize) -> Result<Self, ExportError> {
        let refused = |why| ExportError::Gguf { what: "its tokenizer".into(), why };
        if tokenizer.kind() == TokenizerKind::Word {
            let why = "its tokens are whole words, and those of these models of llama.cpp are bytes: train with \
                       another tokenizer, such as bpe";
            return Err(refused(why.into()));
        }
        let mut keys = match tokenizer.byte_level_parts().map_err(refused)? {
            Some(parts) => Self::of_bytes(&parts),
            None => Self::of_characters(tokenizer),
        };
        for id in keys.texts.len()..vocab_size {
            keys.push(format!("[UNUSED{id}]"), UNUSED);
        }
        let mut seen = BTreeSet::new();
        match keys.texts.iter().find(|text| !seen.insert(text.as_str())) {
            Some(twice) => Err(refused(format!("two of its tokens are both \"{}\"", twice.escape_debug()))),
            None => Ok(keys),
        }
    }

    fn of_bytes(parts: &ByteLevelParts) -> Self {
        let mut keys = Self {
            end_of_text: parts.end_of_text,
            beginning: parts.beginning,
            padding: parts.padding,
            unknown: parts.unknown,
            prefix_space: parts.prefix_space,
            ..Self::default()
        };
        let added: FxHashMap<u32, &AddedToken> = parts.added.iter().map(|added| (added.id, added)).collect();
        let size = added.keys().map(|&id| id as usize + 1).fold(parts.tokens.len(), usize::max);
        for id in 0..size {
            match (added.get(&(id as u32)), parts.tokens.get(id).and_then(Option::as_deref)) {
                (Some(added), _) => {
                    keys.push(added.text.clone(), if added.special { CONTROL } else { USER_DEFINED });
                }
                (None, Some(text)) => keys.push(text.into(), NORMAL),
                (None, None) => keys.push(format!("[UNUSED{id}]"), UNUSED),
            }
        }
        let spelled = |id: u32| parts.tokens[id as usize].as_deref().unwrap_or_default();
        keys.merges = parts.merges.iter().map(|&[a, b]| format!("{} {}", spelled(a), spelled(b))).collect();
        keys
    }

    fn of_characters(tokenizer: &Tokenizer) -> Self {
        let mut keys = Self {
            end_of_text: tokenizer.end_of_text(),
            beginning: tokenizer.beginning(),
            padding: tokenizer.padding(),
            ..Self::default()
        };
        let mut known = BTreeSet::new();
        for (id, token) in (0..).map_while(|id| Some((id, tokenizer.token(id)?))) {
            if tokenizer.is_special(id) {
                keys.push(String::from_utf8_lossy(&token).into_owned(), CONTROL);
                continue;
            }
            keys.push(spell(&token), NORMAL);
            for end in 1..token.len() {
                let merge = format!("{} {}", spell(&token[..end]), spell(&token[end..=end]));
                if known.insert(merge.clone()) {
                    keys.merges.push(merge);
                }
            }
        }
        keys
    }

    fn push(&mut self, text: String, kind: i32) {
        self.texts.push(text);
        self.types.push(kind);
    }

    /// Whether llama.cpp would take a token of the text for its end.
    pub fn lacks_end_of_text(&self) -> bool {
        let control = spell(&[TAKEN_FOR_END as u8]);
        let taken = self.texts.get(TAKEN_FOR_END as usize).zip(self.types.get(TAKEN_FOR_END as usize));
        self.end_of_text.is_none() && taken.is_some_and(|(text, kind)| *text != control && *kind == NORMAL)
    }

    /// The text of a token, as the file spells it.
    pub fn text(&self, id: u32) -> &str {
        self.texts.get(id as usize).map_or("", String::as_str)
    }

    /// Adds an end-of-text token after all others.
    pub fn add_end_of_text(&mut self) {
        self.end_of_text = Some(self.texts.len() as u32);
        self.push(SpecialToken::EndOfText.spelling().into(), CONTROL);
    }

    /// Whether a text gets a space in front, which llama.cpp does not do with byte-level tokens.
    pub fn prefix_space(&self) -> bool {
        self.prefix_space
    }

    /// The keys, in the order of the file.
    pub fn written(&self) -> Vec<(String, Written<'_>)> {
        let mut keys = vec![
            (MODEL, Written::Text("gpt2")),
            (PRE, Written::Text("gpt-2")),
            (TOKENS, Written::Texts(&self.texts)),
            (TYPES, Written::I32s(&self.types)),
            (MERGES, Written::Texts(&self.merges)),
        ];
        let beginning = self.beginning.or(self.end_of_text);
        for (key, id) in [
            (BEGINNING, beginning),
            (END_OF_TEXT, self.end_of_text),
            (PADDING, self.padding),
            (UNKNOWN, self.unknown),
        ] {
            keys.extend(id.map(|id| (key, Written::U32(id))));
        }
        keys.push((ADD_BEGINNING, Written::Flag(false)));
        if self.prefix_space {
            keys.push((ADD_SPACE, Written::Flag(true)));
        }
        keys.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
    }
}

/// The keys of a model without a tokenizer.
pub fn without_tokenizer() -> Vec<(String, Written<'static>)> {
    vec![(MODEL.into(), Written::Text("none"))]
}

/// The tokenizer of a file whose token embedding has `vocab_size` rows. With `without_last`, the last row
/// is left out.
///
/// # Errors
/// [`ImportError::File`] if the keys contradict each other; [`ImportError::Config`] if one has another type.
pub fn read(file: &GgufFile, vocab_size: usize, without_last: bool) -> Result<Found, ImportError> {
    let unsupported = |why: String| Ok(Found { tokenizer: Err(why), notes: Vec::new() });
    match file.text(MODEL)? {
        None | Some("none" | "no_vocab") => return unsupported("the file has no tokenizer".into()),
        Some("gpt2") => {}
        Some(other) => {
            let kind = other.escape_debug();
            return unsupported(format!(
                "{MODEL} is {kind}, but only byte-level pairs (gpt2) can be expressed"
            ));
        }
    }
    let pre = file.text(PRE)?.unwrap_or(DEFAULT);
    if pre != DEFAULT && !LIKE_GPT2.contains(&pre) {
        let pre = pre.escape_debug();
        return unsupported(format!(
            "{PRE} is {pre}: only texts that are split as by gpt-2 can be expressed"
        ));
    }
    let Some(Value::Texts(texts)) = file.value(TOKENS) else {
        return Err(file.unusable(format!("it has no {TOKENS}")));
    };
    if texts.len() != vocab_size {
        return Err(
            file.unusable(format!("it has {} tokens, but an embedding for {vocab_size}", texts.len()))
        );
    }
    let types: Vec<i64> = match file.value(TYPES) {
        None => vec![i64::from(NORMAL); texts.len()],
        Some(Value::Integers(types)) if types.len() == texts.len() => types.clone(),
        Some(other) => {
            return Err(
                file.unusable(format!("its {TYPES} is {}, not one integer for each token", other.shown()))
            );
        }
    };
    let merges = match file.value(MERGES) {
        None => &[][..],
        Some(Value::Texts(merges)) => &merges[..],
        Some(other) => {
            return Err(file.unusable(format!("its {MERGES} is {}, not a list of texts", other.shown())));
        }
    };
    let kept = texts.len() - usize::from(without_last);
    let id = |key: &str| Ok::<_, ImportError>(file.size(key)?.filter(|&id| id < kept).map(|id| id as u32));
    let (end_of_text, beginning) = (id(END_OF_TEXT)?, id(BEGINNING)?);
    let padding = id(PADDING)?.filter(|id| Some(*id) != end_of_text && Some(*id) != beginning);
    let mut notes = Vec::new();
    for (key, name, place) in
        [(ADD_BEGINNING, "add_bos_token", "before"), (ADD_END, "add_eos_token", "after")]
    {
        if file.flag(key)? == Some(true) {
            notes.push(format!("llama.cpp puts a token {place} every text ({name}), which is left out here"));
        }
    }
    let (texts, types) = (&texts[..kept], &types[..kept]);
    if let Some(characters) = characters(texts, types) {
        return Ok(Found { tokenizer: Ok(characters), notes });
    }
    if pre == DEFAULT {
        notes.push(format!(
            "the file does not say that it splits a text into words as gpt-2 does ({PRE}), but here it is split so: \
             llama.cpp sets punctuation and digits apart, which can give other tokens"
        ));
    }
    let is_text = text_tokens(texts, types, merges);
    for (token, does) in [(beginning.filter(|id| Some(*id) != end_of_text), "begins"), (end_of_text, "ends")]
    {
        if let Some(id) = token.filter(|&id| is_text[id as usize]) {
            let text = texts[id as usize].escape_debug();
            notes.push(format!(
                "token {id}, \"{text}\", {does} a text in this file, and is text too: here it is only text"
            ));
        }
    }
    let special = |token: Option<u32>| token.filter(|&id| !is_text[id as usize]);
    let mut parts = ByteLevelParts {
        end_of_text: special(end_of_text),
        beginning: special(beginning.filter(|id| Some(*id) != end_of_text)),
        padding: special(padding),
        unknown: id(UNKNOWN)?,
        prefix_space: file.flag(ADD_SPACE)? == Some(true),
        ..ByteLevelParts::default()
    };
    for ((text, kind), id) in texts.iter().zip(types).zip(0..) {
        let is_role = [parts.end_of_text, parts.beginning, parts.padding].contains(&Some(id));
        match *kind {
            kind if kind == i64::from(UNUSED) && !is_role => parts.tokens.push(None),
            kind if kind == i64::from(NORMAL) && !is_role => parts.tokens.push(Some(text.clone())),
            kind => {
                parts.tokens.push(None);
                let special = kind != i64::from(USER_DEFINED) || is_role;
                parts.added.push(AddedToken { special, ..AddedToken::special(id, text) });
            }
        }
    }
    parts.tokens.truncate(parts.tokens.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
    let tokenizer = merge_ids(&parts.tokens, merges).and_then(|merges| {
        parts.merges = merges;
        Tokenizer::byte_level(parts).map_err(|e| e.to_string())
    });
    Ok(Found { tokenizer: tokenizer.map_err(|why| format!("its tokenizer cannot be read: {why}")), notes })
}

/// Which tokens are text, whatever their role: padding may be any token, such as 0, which is "!" in GPT-2. A single
/// byte is text, and so is what merges use or make.
fn text_tokens(texts: &[String], types: &[i64], merges: &[String]) -> Vec<bool> {
    let mut of_merges = BTreeSet::new();
    for (a, b) in merges.iter().filter_map(|merge| merge.split_once(' ')) {
        of_merges.extend([a.to_string(), b.to_string(), format!("{a}{b}")]);
    }
    let is_byte = |text: &str| unspell(text).is_some_and(|bytes| bytes.len() == 1);
    let is_text = |(text, &kind): (&String, &i64)| {
        kind == i64::from(NORMAL) && (is_byte(text) || of_merges.contains(text))
    };
    texts.iter().zip(types).map(is_text).collect()
}

/// A vocabulary of characters, with special tokens after them; `None` if a token is no character.
fn characters(texts: &[String], types: &[i64]) -> Option<Tokenizer> {
    let (mut characters, mut special, mut unused) = (String::new(), Vec::new(), false);
    for (text, &kind) in texts.iter().zip(types) {
        match i32::try_from(kind).ok()? {
            NORMAL if special.is_empty() && !unused => {
                let token = String::from_utf8(unspell(text)?).ok()?;
                let mut letters = token.chars();
                characters.push(letters.next()?);
                letters.next().is_none().then_some(())?;
            }
            CONTROL if !unused => special.push(SpecialToken::spelled(text)?),
            UNUSED => unused = true,
            _ => return None,
        }
    }
    Tokenizer::characters_in_order(&characters).ok()?.with_special_tokens(&special).ok()
}

/// The merges as ids.
fn merge_ids(tokens: &[Option<String>], merges: &[String]) -> Result<Vec<[u32; 2]>, String> {
    let ids: FxHashMap<&str, u32> =
        tokens.iter().zip(0..).filter_map(|(token, id)| Some((token.as_deref()?, id))).collect();
    let id = |token: &str| {
        let unknown = || format!("a merge uses \"{}\", which is no token", token.escape_debug());
        ids.get(token).copied().ok_or_else(unknown)
    };
    let pair = |merge: &String| {
        let (a, b) =
            merge.split_once(' ').ok_or(format!("its merge \"{}\" is no pair", merge.escape_debug()))?;
        Ok([id(a)?, id(b)?])
    };
    merges.iter().map(pair).collect()
}
