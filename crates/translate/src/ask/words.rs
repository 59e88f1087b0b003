//! Joins tokens to words.

use m2g_text::Tokenizer;

/// A text in words, which white space separates, and the word of each of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The words.
    pub words: Vec<String>,
    /// The index of the word of each token. A special token, such as the end, belongs to none.
    of_tokens: Vec<Option<usize>>,
}

impl Words {
    /// The words of a text. A token belongs to the word of its first letter; one of white space alone, to the
    /// word before it.
    pub fn of(ids: &[u32], tokenizer: &Tokenizer) -> Self {
        let (mut words, mut of_tokens): (Vec<Vec<u8>>, _) = (Vec::new(), Vec::new());
        let mut inside = false;
        for &id in ids {
            if tokenizer.is_special(id) {
                of_tokens.push(None);
                continue;
            }
            let mut first = None;
            for byte in tokenizer.decode_bytes(&[id]) {
                if byte.is_ascii_whitespace() {
                    inside = false;
                    continue;
                }
                if !inside {
                    words.push(Vec::new());
                    inside = true;
                }
                let last = words.len() - 1;
                words[last].push(byte);
                first.get_or_insert(last);
            }
            of_tokens.push(first.or(words.len().checked_sub(1)));
        }
        let words = words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
        Self { words, of_tokens }
    }

    /// The indices of the tokens of a word.
    pub fn tokens(&self, word: usize) -> impl Iterator<Item = usize> {
        (0..self.of_tokens.len()).filter(move |&token| self.of_tokens[token] == Some(word))
    }

    /// The word of a token, if it belongs to one.
    pub fn of_token(&self, token: usize) -> Option<usize> {
        self.of_tokens.get(token).copied().flatten()
    }

    /// The word with this spelling, whatever its case and the punctuation around it; the first of several.
    pub fn find(&self, word: &str) -> Option<usize> {
        let wanted = bare(word);
        self.words
            .iter()
            .position(|known| known == word)
            .or_else(|| self.words.iter().position(|known| !wanted.is_empty() && bare(known) == wanted))
    }

    /// The tokens at which a word begins, in order.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        let before = |token: usize| token.checked_sub(1).and_then(|token| self.of_tokens[token]);
        (0..self.of_tokens.len())
            .filter(move |&t| self.of_tokens[t].is_some() && self.of_tokens[t] != before(t))
    }
}

/// A word in lower case, without punctuation around it.
fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_text::tokenizer::SpecialToken::EndOfText;

    use super::*;

    #[test]
    fn tokens_are_joined_to_words() {
        let tokenizer =
            Tokenizer::bpe("sabía sabía sabía", 260).unwrap().with_special_tokens(&[EndOfText]).unwrap();
        let text = "La  sabía, bien";
        let mut ids = tokenizer.encode(text).unwrap();
        ids.push(tokenizer.end_of_text().unwrap());
        let words = Words::of(&ids, &tokenizer);
        assert_eq!(words.words, ["La", "sabía,", "bien"]);
        assert_eq!(words.of_token(ids.len() - 1), None);
        for (i, word) in words.words.iter().enumerate() {
            let of_word: Vec<u32> = words.tokens(i).map(|t| ids[t]).collect();
            assert!(tokenizer.decode(&of_word).trim() == word, "{of_word:?}");
        }
        assert_eq!(words.starts().map(|t| words.of_token(t).unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(
            ["sabía", "SABÍA", "sabía,", "bien", "x", ","].map(|w| words.find(w)),
            [Some(1), Some(1), Some(1), Some(2), None, None]
        );
        let empty = Words::of(&ids[ids.len() - 1..], &tokenizer);
        assert!(empty.words.is_empty() && empty.starts().count() == 0);
    }
}
