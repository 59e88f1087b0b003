//! Every tokenizer of bytes as [`ByteLevelParts`], the form of Hugging Face, and back.

use rustc_hash::{FxHashMap, FxHashSet};

use super::added::AddedToken;
use super::byte_letters::spell;
use super::byte_level::{ByteLevel, ByteLevelParts};
use super::error::TokenizerError;
use super::gpt2;
use super::kind::TokenizerKind;
use super::special::SpecialToken;
use super::vocabulary::Tokenizer;

impl Tokenizer {
    /// The tokenizer of these parts: GPT-2's, one of bytes or of learned byte pairs if it has the same
    /// tokens with the same ids, otherwise a vocabulary from elsewhere.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if the parts contradict each other.
    pub fn byte_level(parts: ByteLevelParts) -> Result<Self, TokenizerError> {
        let vocabulary = ByteLevel::new(parts)?;
        let parts = vocabulary.parts();
        // Merge i forms token 256 + i, in GPT-2 and in vocabularies that are learned here.
        let mut merges = parts.merges.iter().zip(256..);
        let in_order = merges.all(|(&pair, id)| vocabulary.merged(pair) == Some(id));
        if in_order && parts.unknown.is_none() && !parts.prefix_space {
            if is_gpt2(parts) {
                return Ok(Self::gpt2());
            }
            if let Some(special) = learned_here(parts) {
                let learned = match parts.merges.is_empty() {
                    true => Self::byte(),
                    false => Self::from_merges(parts.merges.clone())?,
                };
                return learned.with_special_tokens(&special);
            }
        }
        Ok(Self::from_byte_level(vocabulary))
    }

    /// The parts of a tokenizer of bytes; `None` for one of characters.
    ///
    /// # Errors
    /// Why there are none: two tokens have the same bytes, which the parts cannot tell apart, or the tokens are
    /// words.
    pub fn byte_level_parts(&self) -> Result<Option<ByteLevelParts>, String> {
        let mut parts = match (self.own_parts(), self.kind()) {
            (Some(parts), _) => parts.clone(),
            (None, TokenizerKind::Char) => return Ok(None),
            (None, TokenizerKind::Word) => {
                return Err(
                    "its tokens are whole words, which are not written in the format of Hugging Face".into(),
                );
            }
            (None, kind) => {
                let is_text = |&id: &u32| self.special_token(id).is_none();
                let tokens: Vec<_> = (0..)
                    .take_while(is_text)
                    .map_while(|id| self.token(id))
                    .map(|t| t.into_owned())
                    .collect();
                let merges = match kind {
                    TokenizerKind::Gpt2 => merges_of_ranked(&tokens),
                    _ => self.merges().to_vec(),
                };
                let mut seen = FxHashSet::default();
                if let Some(twice) = tokens.iter().find(|token| !seen.insert(&token[..])) {
                    return Err(format!(
                        "two of its tokens are both \"{}\", which the format of Hugging Face cannot express",
                        spell(twice)
                    ));
                }
                let tokens = tokens.iter().map(|token| Some(spell(token))).collect();
                ByteLevelParts { tokens, merges, ..ByteLevelParts::default() }
            }
        };
        for token in SpecialToken::ALL {
            let Some(id) = self.special_id(token) else { continue };
            if !parts.added.iter().any(|added| added.id == id) {
                parts.added.push(AddedToken::special(id, token.spelling()));
            }
            match token {
                SpecialToken::Beginning => parts.beginning = Some(id),
                SpecialToken::EndOfText => parts.end_of_text = Some(id),
                SpecialToken::Padding => parts.padding = Some(id),
            }
        }
        parts.added.sort_by_key(|added| added.id);
        Ok(Some(parts))
    }
}

/// Whether these are GPT-2's tokens. That each merge forms the next token is known.
fn is_gpt2(parts: &ByteLevelParts) -> bool {
    let end = gpt2::END_OF_TEXT;
    let added = matches!(&parts.added[..], [added] if *added == AddedToken {
        normalized: added.normalized,
        ..AddedToken::special(end, SpecialToken::EndOfText.spelling())
    });
    let sizes = (parts.tokens.len() >= end as usize, parts.tokens.len() <= gpt2::VOCAB_SIZE);
    let merges = parts.merges.len() == end as usize - 256;
    let roles = (parts.end_of_text, parts.beginning, parts.padding) == (Some(end), None, None);
    let same =
        |(token, id): (&Option<String>, u32)| token.as_deref() == gpt2::bpe().token(id).map(spell).as_deref();
    added && sizes == (true, true) && merges && roles && parts.tokens.iter().zip(0..end).all(same)
}

/// The special tokens after a vocabulary that is numbered as those that are learned here: the bytes,
/// then the merges. `None` if it is numbered otherwise.
fn learned_here(parts: &ByteLevelParts) -> Option<Vec<SpecialToken>> {
    let n = 256 + parts.merges.len();
    let bytes = (0..=255).zip(&parts.tokens).all(|(byte, token)| token.as_deref() == Some(&spell(&[byte])));
    if !bytes || parts.tokens.len() < n || parts.tokens.len() > n + parts.added.len() {
        return None;
    }
    let mut special = Vec::new();
    for (added, id) in parts.added.iter().zip(n as u32..) {
        let token = SpecialToken::spelled(&added.text)?;
        let ours = AddedToken { normalized: added.normalized, ..AddedToken::special(id, token.spelling()) };
        if *added != ours || parts.id_of(token) != Some(id) {
            return None;
        }
        special.push(token);
    }
    let roles = [parts.beginning, parts.end_of_text, parts.padding];
    (roles.iter().flatten().count() == special.len()).then_some(special)
}

/// The merges of tokens that are given in the order of their merges, as GPT-2's are. They follow from
/// the ids: a token is the merge of the two parts that remain after all merges with lower ids.
fn merges_of_ranked(tokens: &[Vec<u8>]) -> Vec<[u32; 2]> {
    let ids: FxHashMap<&[u8], u32> = tokens.iter().map(|token| &token[..]).zip(0..).collect();
    let pair = |(id, token): (u32, &Vec<u8>)| {
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
        let (left, right) = token.split_at(*ends.first().filter(|_| ends.len() == 2)?);
        Some([*ids.get(left)?, *ids.get(right)?])
    };
    (0..).zip(tokens).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tokenizers_survive_the_way_through_their_parts() {
        let special = [SpecialToken::EndOfText, SpecialToken::Padding];
        for tokenizer in [
            Tokenizer::gpt2(),
            Tokenizer::byte(),
            Tokenizer::byte().with_special_tokens(&special).unwrap(),
            Tokenizer::bpe("the cat sat on the mat", 270).unwrap(),
            Tokenizer::bpe("the cat sat on the mat", 265).unwrap().with_special_tokens(&special).unwrap(),
        ] {
            let parts = tokenizer.byte_level_parts().unwrap().unwrap();
            assert_eq!(Tokenizer::byte_level(parts).unwrap(), tokenizer);
        }
        assert_eq!(Tokenizer::char("abc").byte_level_parts(), Ok(None));
    }

    #[test]
    fn first_merges_are_those_of_gpt2() {
        let parts = Tokenizer::gpt2().byte_level_parts().unwrap().unwrap();
        assert_eq!(parts.merges.len(), 50_000);
        let spelled =
            parts.merges.iter().map(|pair| pair.map(|id| parts.tokens[id as usize].clone().unwrap()));
        let first: Vec<[String; 2]> = spelled.take(4).collect();
        assert_eq!(first, [["Ġ", "t"], ["Ġ", "a"], ["h", "e"], ["i", "n"]].map(|m| m.map(String::from)));
    }

    /// Applies the merges like every reader of the format: the earliest pair first, from left to right.
    #[test]
    fn merges_give_the_tokens_of_gpt2() {
        let gpt2 = Tokenizer::gpt2();
        let parts = gpt2.byte_level_parts().unwrap().unwrap();
        let other = Tokenizer::from_byte_level(ByteLevel::new(parts).unwrap());
        assert_ne!(other, gpt2);
        for word in
            [" Shakespeare", "antidisestablishmentarianism", " übergrößenträger", "========", " 𝔘𝔫", "\n\n\n"]
        {
            assert_eq!(other.encode(word).unwrap(), gpt2.encode(word).unwrap(), "{word}");
        }
    }

    #[test]
    fn other_ids_make_another_tokenizer() {
        let learned = Tokenizer::bpe("the cat sat on the mat", 270).unwrap();
        let mut parts = learned.byte_level_parts().unwrap().unwrap();
        parts.tokens.swap(65, 66);
        let swapped = Tokenizer::byte_level(parts).unwrap();
        assert_ne!(swapped, learned);
        assert_eq!(swapped.encode("AB").unwrap(), [66, 65]);
        let json = serde_json::to_string(&swapped).unwrap();
        assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), swapped);
    }
}
