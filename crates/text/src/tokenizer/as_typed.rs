//! What a person types: the name of a tokenizer, and text that spells special tokens.

use super::error::TokenizerError;
use super::kind::TokenizerKind;
use super::vocabulary::Tokenizer;

impl Tokenizer {
    /// The name under which a person asks for this tokenizer, such as `char` or `bpe:300`. Byte pairs
    /// count their end-of-text token.
    pub fn name(&self) -> String {
        match self.kind() {
            TokenizerKind::Bpe(tokens) => {
                // In a vocabulary from elsewhere it is one of the tokens already.
                let more = self.end_of_text().is_some_and(|id| id as usize >= tokens);
                TokenizerKind::Bpe(tokens + usize::from(more)).to_string()
            }
            kind => kind.to_string(),
        }
    }

    /// The tokens of a text in which the spelling of a special token is that token, unlike in
    /// [`Tokenizer::encode`].
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let known = self.special_texts();
        let (mut ids, mut rest) = (Vec::new(), text);
        loop {
            let places =
                known.iter().filter_map(|(spelling, id)| Some((rest.find(spelling)?, spelling, *id)));
            let Some((at, spelling, id)) = places.min() else { break };
            ids.extend(self.encode(&rest[..at])?);
            ids.push(id);
            rest = &rest[at + spelling.len()..];
        }
        ids.extend(self.encode(rest)?);
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tokenizer::SpecialToken;

    #[test]
    fn a_spelled_special_token_can_be_read_as_one() {
        let gpt2 = Tokenizer::gpt2();
        let text = "Hello<|endoftext|><|endoftext|> world<|endof";
        let ids = gpt2.encode_with_special(text).unwrap();
        assert_eq!(ids[..4], [15496, 50256, 50256, 995]);
        assert_eq!(gpt2.decode(&ids), text);
        assert!(!gpt2.encode(text).unwrap().contains(&50256));
        // A tokenizer without the token reads text.
        assert_eq!(Tokenizer::byte().encode_with_special(text).unwrap().len(), text.len());
    }

    #[test]
    fn byte_pairs_are_named_by_all_tokens_that_were_asked_for() {
        let bpe = Tokenizer::bpe("abab", 257).unwrap();
        assert_eq!(bpe.name(), "bpe:257");
        assert_eq!(bpe.with_special_tokens(&[SpecialToken::EndOfText]).unwrap().name(), "bpe:258");
        let char = Tokenizer::char("ab").with_special_tokens(&[SpecialToken::EndOfText]).unwrap();
        assert_eq!(char.name(), "char");
    }
}
