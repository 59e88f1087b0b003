//! A text in which half of all letters can be known: each line is random letters, a bar,
//! and the same letters again.
//!
//! ```text
//! hadbgcaefhbcgda|hadbgcaefhbcgda
//! ```
//!
//! The first half of a line costs `ln 8` a letter, whatever a model knows; the second half
//! nothing, if it can look back by exactly 16 places. So the lowest mean loss is
//! `15 ln 8 / 32 = 0.9747`, and one that only counts letters has about twice as much.

use m2g_core::rng::{Streams, below};

use super::source::Source;

/// The name by which it is asked for.
pub(crate) const NAME: &str = "copy-task";

/// Letters of each half.
const LETTERS: usize = 15;
/// How many different letters there are.
const ALPHABET: u32 = 8;
/// Lines in all, each of 32 characters: a multiple of 20, so that the last tenth, which is
/// there to validate, and each window of 64 characters in it begin with a line.
const LINES: u64 = 8200;

/// The same text every time.
pub(crate) fn source() -> Source {
    let mut text = String::new();
    for line in 0..LINES {
        let mut rng = Streams::new(0).stream("copy task", line);
        let letters: String =
            (0..LETTERS).map(|_| (b'a' + below(&mut rng, ALPHABET) as u8) as char).collect();
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
            assert!(first == second && first.len() == LETTERS);
        }
    }
}
