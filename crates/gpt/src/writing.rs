//! How well a model writes the tales: which of its words are words, and which of its sentences are sentences.

use std::collections::BTreeSet;

use m2g_core::Error;
use m2g_text::Tokenizer;
use m2g_text::tales::{self, Grammar};

use crate::{GenerateOptions, Generator, Gpt};

/// The most tokens that are generated for a sentence, before the model counts as writing none.
const MAX_TOKENS_PER_SENTENCE: usize = 300;

/// What a model wrote, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The words.
    pub words: usize,
    /// Those that are words of the tales.
    pub known_words: usize,
    /// The complete sentences.
    pub sentences: usize,
    /// Those that the grammar of the tales can write.
    pub grammatical: usize,
    /// Some of the others, for people.
    pub faulty: Vec<String>,
}

impl Writing {
    /// Counts the words and sentences of a text. What stands after its last full stop is left out.
    pub fn of(text: &str, most_sentences: usize) -> Self {
        let corpus = tales::named(tales::NAME).unwrap_or_default();
        let vocabulary: BTreeSet<&str> = tales::words(&corpus).collect();
        let grammar = Grammar::default();
        let sentences: Vec<&str> = tales::sentences(text).take(most_sentences).collect();
        let words = || sentences.iter().flat_map(|sentence| tales::words(sentence));
        let faulty: Vec<&&str> = sentences.iter().filter(|sentence| !grammar.recognises(sentence)).collect();
        Self {
            words: words().count(),
            known_words: words().filter(|word| vocabulary.contains(word)).count(),
            sentences: sentences.len(),
            grammatical: sentences.len() - faulty.len(),
            faulty: faulty.into_iter().take(10).map(|sentence| sentence.to_string()).collect(),
        }
    }

    /// Lets a model write `sentences` sentences from the start of a text, and counts.
    ///
    /// # Errors
    /// Those of [`Generator::next_token`].
    pub fn by(
        gpt: &Gpt<f32>,
        tokenizer: &Tokenizer,
        options: &GenerateOptions,
        sentences: usize,
    ) -> Result<Self, Error> {
        let mut generator =
            Generator::new(gpt, options, &tokenizer.start_of_text(), 0)?.only_tokens_of(Some(tokenizer));
        let mut ids = Vec::new();
        while ids.len() < sentences * MAX_TOKENS_PER_SENTENCE {
            ids.push(generator.next_token()?);
            let may_be_enough = ids.len().is_multiple_of(256);
            if may_be_enough && tales::sentences(&tokenizer.decode(&ids)).count() >= sentences {
                break;
            }
        }
        Ok(Self::of(&tokenizer.decode(&ids), sentences))
    }

    /// The share of words that are words of the tales; 0 without words.
    pub fn share_of_words(&self) -> f64 {
        self.known_words as f64 / self.words.max(1) as f64
    }

    /// The share of sentences that the grammar can write; 0 without sentences.
    pub fn share_of_sentences(&self) -> f64 {
        self.grammatical as f64 / self.sentences.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_sentences_are_counted() {
        let text =
            "Once there was a queen called Ruth. La pizza salió del horno y estaba listo.\nXyz. La pizza";
        let found = Writing::of(text, 200);
        assert_eq!((found.words, found.known_words), (7 + 8 + 1, 15));
        assert_eq!((found.sentences, found.grammatical), (3, 1));
        assert_eq!(found.faulty, ["La pizza salió del horno y estaba listo.", "Xyz."]);
        assert_eq!(Writing::of("", 200).share_of_sentences(), 0.0);
    }
}
