//! The classic toys: copy, reverse and sort letters, and write dates in ISO form. A translator that does not
//! learn them is broken.

use std::collections::BTreeSet;

use m2g_core::rng::{ChaCha8Rng, Streams, below};

use super::text::{TextPair, TextSplits};

/// The names of the toys.
pub const NAMES: [&str; 4] = ["copy", "reverse", "sort", "dates"];

/// Pairs for training, for validation, and held out.
const SPLITS: [usize; 3] = [20_000, 500, 1_000];

/// The letters of the first three toys.
const LETTERS: &[u8] = b"abcdefghijklmnop";
/// The number of letters of a word.
const LENGTHS: std::ops::RangeInclusive<u32> = 4..=12;

/// All pairs of a toy, without repetition; `None` if there is no toy of this name. The same in every run.
pub(crate) fn splits(name: &str) -> Option<TextSplits> {
    let task: fn(&mut ChaCha8Rng) -> TextPair = match name {
        "copy" => |rng| letters(rng, |_| {}),
        "reverse" => |rng| letters(rng, |word| word.reverse()),
        "sort" => |rng| letters(rng, |word| word.sort_unstable()),
        "dates" => date,
        _ => return None,
    };
    let mut rng = Streams::new(1).stream(name, 0);
    let mut seen = BTreeSet::new();
    let mut split = |size: usize| -> Vec<TextPair> {
        let pairs = std::iter::repeat_with(|| task(&mut rng)).filter(|pair| seen.insert(pair.source.clone()));
        pairs.take(size).collect()
    };
    let [train, val, test] = SPLITS.map(&mut split);
    let tests = vec![("held-out".into(), test)];
    Some(TextSplits { name: name.into(), train, val, tests, reports: Vec::new() })
}

/// Random letters, and what `change` makes of them.
fn letters(rng: &mut ChaCha8Rng, change: fn(&mut Vec<char>)) -> TextPair {
    let length = LENGTHS.start() + below(rng, LENGTHS.end() - LENGTHS.start() + 1);
    let letter = |_| char::from(LETTERS[below(rng, LETTERS.len() as u32) as usize]);
    let mut word: Vec<char> = (0..length).map(letter).collect();
    let source = word.iter().collect();
    change(&mut word);
    TextPair { source, target: word.into_iter().collect() }
}

/// The months in Spanish, and their numbers of days in every year.
const MONTHS: [(&str, u32); 12] = [
    ("enero", 31),
    ("febrero", 28),
    ("marzo", 31),
    ("abril", 30),
    ("mayo", 31),
    ("junio", 30),
    ("julio", 31),
    ("agosto", 31),
    ("septiembre", 30),
    ("octubre", 31),
    ("noviembre", 30),
    ("diciembre", 31),
];

/// A day from 1900 to 2099: "3 de mayo de 2021", and 2021-05-03.
fn date(rng: &mut ChaCha8Rng) -> TextPair {
    let (month, year) = (below(rng, 12), 1900 + below(rng, 200));
    let (name, days) = MONTHS[month as usize];
    let day = 1 + below(rng, days);
    TextPair {
        source: format!("{day} de {name} de {year}"),
        target: format!("{year}-{:02}-{day:02}", month + 1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_toy_does_what_it_says_and_repeats_nothing() {
        for name in NAMES {
            let TextSplits { train, val, tests, .. } = splits(name).unwrap();
            let all: Vec<&TextPair> = train.iter().chain(&val).chain(&tests[0].1).collect();
            let sources: BTreeSet<&str> = all.iter().map(|pair| pair.source.as_str()).collect();
            assert_eq!((all.len(), sources.len()), (21_500, 21_500), "{name}");
            for TextPair { source, target } in all {
                let mut letters: Vec<char> = source.chars().collect();
                match name {
                    "copy" => assert_eq!(source, target),
                    "dates" => {
                        let [day, _, month, _, year] = source.split(' ').collect::<Vec<_>>()[..] else {
                            panic!()
                        };
                        let number = 1 + MONTHS.iter().position(|(name, _)| *name == month).unwrap();
                        assert_eq!(*target, format!("{year}-{number:02}-{day:0>2}"));
                    }
                    _ => {
                        if name == "sort" {
                            letters.sort_unstable()
                        } else {
                            letters.reverse()
                        }
                        assert_eq!(*target, letters.into_iter().collect::<String>());
                    }
                }
            }
        }
        assert_eq!(splits("invert"), None);
    }
}
