//! A new tokenizer from a text in pieces, so that memory need not hold the whole.

use super::error::TokenizerError;
use super::kind::TokenizerKind;
use super::pretokenize::last_cut;
use super::train::WordCounts;
use super::vocabulary::Tokenizer;

/// Bytes of the text whose words are counted at a time.
const BYTES_AT_A_TIME: usize = 1 << 16;

impl Tokenizer {
    /// The tokenizer of this kind for the text that these pieces are, one right after the other.
    ///
    /// # Errors
    /// Those of [`Tokenizer::word`] and [`Tokenizer::bpe`].
    pub fn of_pieces<'a>(
        kind: TokenizerKind,
        pieces: impl Iterator<Item = &'a str>,
    ) -> Result<Self, TokenizerError> {
        match kind {
            TokenizerKind::Char => Ok(Self::from_characters(pieces.flat_map(str::chars).collect())),
            TokenizerKind::Word => Self::from_words(counted(pieces)),
            TokenizerKind::Byte => Ok(Self::byte()),
            TokenizerKind::Gpt2 => Ok(Self::gpt2()),
            TokenizerKind::Bpe(tokens) => Self::from_word_counts(counted(pieces), tokens),
        }
    }
}

/// The words of the text. A word may begin in one piece and end in another.
fn counted<'a>(pieces: impl Iterator<Item = &'a str>) -> WordCounts {
    let (mut counts, mut text) = (WordCounts::default(), String::new());
    // There is no cut before this offset of the text.
    let mut searched = 0;
    for piece in pieces {
        text.push_str(piece);
        if text.len() - searched < BYTES_AT_A_TIME {
            continue;
        }
        match last_cut(&text, searched) {
            Some(end) => {
                counts.add(&text[..end]);
                text.drain(..end);
                searched = 0;
            }
            // The next piece may allow a cut right after the last character.
            None => searched = text.char_indices().next_back().map_or(0, |(at, _)| at),
        }
    }
    counts.add(&text);
    counts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pieces_give_the_tokenizer_of_the_whole() {
        let parts = ["the cat", "  sat", "\n", "\n", "", " on d", "e's", " mat\n", "é \u{a0}", "12", "3."];
        let (long, spaces) = ("endless".repeat(BYTES_AT_A_TIME / 3), " \n".repeat(BYTES_AT_A_TIME));
        let mut pieces: Vec<&str> = parts.into_iter().cycle().take(5 * BYTES_AT_A_TIME / 4).collect();
        pieces.extend([&long[..], "\n", &spaces[..], &spaces[..], "mat", "\n"]);
        pieces.extend(parts);
        let text = pieces.concat();
        for (kind, whole) in [
            (TokenizerKind::Char, Tokenizer::char(&text)),
            (TokenizerKind::Word, Tokenizer::word(&text).unwrap()),
            (TokenizerKind::Byte, Tokenizer::byte()),
            (TokenizerKind::Bpe(300), Tokenizer::bpe(&text, 300).unwrap()),
        ] {
            assert!(Tokenizer::of_pieces(kind, pieces.iter().copied()).unwrap() == whole, "{kind}");
        }
        assert!(Tokenizer::of_pieces(TokenizerKind::Bpe(9), ["a"].into_iter()).is_err());
    }
}
