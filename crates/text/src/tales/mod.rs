//! Short tales in English and Spanish, which a grammar writes: a text that a small model learns in a minute.
//!
//! Each line is a tale. Its people, food, weather and lost things stay the same from its first sentence to
//! its last:
//!
//! ```text
//! Once there was a queen called Ruth. It was a windy day. Ruth was hungry and made a pizza. ..
//! ```
//!
//! Between the tales stand single Spanish sentences. In some of them *sabía* means "tasted", in others "knew",
//! and the people and food of the sentence tell: "La pizza salió del horno y sabía bien."
//!
//! | file | holds |
//! | --- | --- |
//! | `template` | sentences with slots: how a grammar writes and recognises |
//! | `nouns` | which foods are baked, and which things are lost |
//! | `english`, `spanish` | the words and sentences of each language |

mod english;
mod nouns;
mod spanish;
mod template;

use m2g_core::rng::{Streams, below};

use self::template::Language;

/// The name of the tales in both languages.
pub const NAME: &str = "tales";
/// The name of the Spanish tales alone.
pub const SPANISH: &str = "tales-es";

/// The size of the text in bytes, to the end of the last tale.
const BYTES: usize = 2_100_000;
/// The seed of the text.
const SEED: u64 = 1616;

/// Whether tales have this name.
pub fn is_name(name: &str) -> bool {
    [NAME, SPANISH].contains(&name)
}

/// The text with this name, which is always the same; `None` if it is the name of other data.
pub fn named(name: &str) -> Option<String> {
    is_name(name).then(|| text(name == NAME, BYTES))
}

/// At least `bytes` bytes of tales, in both languages or in Spanish.
fn text(bilingual: bool, bytes: usize) -> String {
    let [english, spanish, sentences] = [english::language(), spanish::language(), spanish::sentences()];
    let mut text = String::with_capacity(bytes + 1000);
    for tale in 0.. {
        if text.len() >= bytes {
            break;
        }
        let mut rng = Streams::new(SEED).stream(NAME, tale);
        let language = match (below(&mut rng, 5), bilingual) {
            (0 | 1, true) => &english,
            (0..=2, _) => &spanish,
            _ => &sentences,
        };
        let mut thread = language.thread();
        for beat in 0..language.beats() {
            let separator = if beat == 0 { "" } else { " " };
            text += separator;
            text += &language.write(beat, &mut thread, &mut rng);
        }
        text.push('\n');
    }
    text
}

/// The grammar of the tales.
#[derive(Debug)]
pub struct Grammar([Language; 3]);

impl Grammar {
    /// Whether the grammar can write this sentence, from its capital letter to its full stop.
    pub fn recognises(&self, sentence: &str) -> bool {
        self.0.iter().any(|language| language.recognises(sentence))
    }
}

impl Default for Grammar {
    /// The grammar of both languages.
    fn default() -> Self {
        Self([english::language(), spanish::language(), spanish::sentences()])
    }
}

/// The complete sentences of a text: what stands between the ends of lines and full stops.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let sentences = text.split_inclusive(['.', '\n']);
    sentences.filter(|sentence| sentence.ends_with('.')).map(str::trim).filter(|sentence| *sentence != ".")
}

/// The words of a text: runs of letters.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_text_is_always_the_same_and_has_two_megabytes() {
        let all = named(NAME).unwrap();
        assert!((BYTES..BYTES + 1000).contains(&all.len()), "{}", all.len());
        assert!(all == named(NAME).unwrap() && all.ends_with(".\n"));
        assert_eq!(text(true, 20_000)[..], all[..text(true, 20_000).len()]);
        let spanish = named(SPANISH).unwrap();
        assert!(spanish.len() >= BYTES && !spanish.contains(" the ") && all.contains(" the "));
        for text in [&all, &spanish] {
            assert!(text.contains("La pizza salió del horno y sabía bien."));
            // What was made tells as much as who made it.
            assert!(
                text.contains("que preparó la pizza sabía ")
                    && text.contains("que preparó la maestra sabía ")
            );
        }
        assert!(named("tales-de").is_none());
        let words: BTreeSet<&str> = words(&all).collect();
        assert!((300..500).contains(&words.len()), "{}", words.len());
    }

    #[test]
    fn the_grammar_recognises_every_sentence_that_it_writes() {
        let text = text(true, 200_000);
        let grammar = Grammar::default();
        let all: Vec<&str> = sentences(&text).collect();
        assert!(all.len() > 4_000);
        assert_eq!(all.concat().len() + all.len(), text.len(), "nothing is left out");
        for sentence in all {
            assert!(grammar.recognises(sentence), "{sentence}");
        }
    }

    #[test]
    fn the_grammar_recognises_nothing_else() {
        let grammar = Grammar::default();
        for right in [
            "La pizza salió del horno y estaba lista.",
            "Once there was a queen called Ruth.",
            "Emma had lost her letter.",
        ] {
            assert!(grammar.recognises(right), "{right}");
        }
        for wrong in [
            "La pizza salió del horno y estaba listo.",
            "El pizza salió del horno y estaba listo.",
            "La pizza salió del horno y sabía la verdad.",
            "La niña salió de la cocina y sabía a limón.",
            "la pizza salió del horno y sabía bien.",
            "La pizza salió del horno y sabía bien",
            "Once there was a king called Ruth.",
            "Emma had lost his letter.",
            "Emma and Emma drank tea.",
            "Emma drank.",
            "",
        ] {
            assert!(!grammar.recognises(wrong), "{wrong}");
        }
    }

    /// The hero of the first sentence comes back, and at most one other person comes.
    #[test]
    fn a_thread_runs_through_each_tale() {
        let text = text(true, 100_000);
        // Only names have capital letters within a sentence.
        let within = |sentence| words(sentence).skip(1).filter(|word| word.starts_with(char::is_uppercase));
        let names: BTreeSet<&str> = sentences(&text).flat_map(within).collect();
        assert_eq!(names.len(), 8 + 6, "{names:?}");
        for tale in text.lines().filter(|tale| sentences(tale).count() > 1) {
            assert_eq!(sentences(tale).count(), 9, "{tale}");
            let first = sentences(tale).next().unwrap();
            let hero = words(first).find(|word| names.contains(word)).unwrap();
            assert!(words(tale).filter(|word| *word == hero).count() >= 3, "{hero}: {tale}");
            let people: BTreeSet<&str> = words(tale).filter(|word| names.contains(word)).collect();
            assert!(people.len() <= 2, "{people:?}: {tale}");
        }
    }

    #[test]
    fn sentences_and_words_of_a_text() {
        let text = "Ana durmió bien. El pan.\nun resto\nThe end. and more";
        assert_eq!(sentences(text).collect::<Vec<_>>(), ["Ana durmió bien.", "El pan.", "The end."]);
        assert_eq!(words("Ana, 3 tés.").collect::<Vec<_>>(), ["Ana", "tés"]);
    }
}
