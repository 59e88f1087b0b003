//! A text in which half of all letters can be predicted: each line is random letters, a
//! bar, and the same letters again.
//!
//! ```text
//! hadbgcaefhbcgda|hadbgcaefhbcgda
//! ```
//!
//! A letter in the first half of a line costs any model `ln 8`. In the second half it costs
//! nothing to a model that looks back exactly 15 positions: from the token before a letter to
//! its original, 16 places before it. So the lowest mean loss is `15 ln 8 / 32 = 0.9747`, and a
//! model that only counts letters has about twice that.

use m2g_core::rng::{Streams, below};

use m2g_text::Source;

/// The name of the data.
pub(super) const NAME: &str = "copy-task";

/// Letters in each half of a line.
const LETTERS_PER_HALF: usize = 15;
/// The number of different letters.
const ALPHABET_SIZE: u32 = 8;
/// The number of lines, each of 32 characters. It is a multiple of 20, so that the last
/// tenth, the validation split, and each window of 64 characters in it start with a line.
const LINES: u64 = 8200;

/// The text, which is always the same.
pub(super) fn source() -> Source {
    let mut text = String::new();
    for line in 0..LINES {
        let mut rng = Streams::new(0).stream("copy task", line);
        let letters: String =
            (0..LETTERS_PER_HALF).map(|_| (b'a' + below(&mut rng, ALPHABET_SIZE) as u8) as char).collect();
        text.push_str(&format!("{letters}|{letters}\n"));
    }
    Source::text(NAME, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_second_half_of_each_line_is_the_first() {
        let mut text = String::new();
        source()
            .read(&mut |_| true, &mut |t| {
                text.push_str(t);
                Ok(())
            })
            .unwrap();
        assert_eq!(text.len(), 32 * LINES as usize);
        let validation = text.len() * 9 / 10;
        assert!(validation.is_multiple_of(64) && text[..validation].ends_with('\n'));
        for line in text.lines() {
            let (first, second) = line.split_once('|').unwrap();
            assert!(first == second && first.len() == LETTERS_PER_HALF);
        }
    }
}
