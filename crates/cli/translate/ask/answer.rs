//! The answer, as text and as JSON.

use m2g_text::words::HeadWeights;
use m2g_translate::ask::Pair;
use serde_json::{Value, json};

use crate::ask::{equal_to, weights};
use crate::output::percent;
use crate::terminal::lines::{counted, wrap};
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;

/// What was found.
pub struct Answer {
    /// The sentence.
    pub sentence: String,
    /// Its translation.
    pub translation: String,
    /// Its translation before the word in question.
    pub before: String,
    /// Both in words.
    pub pair: Pair,
    /// The word that was asked about, as an index of the source.
    pub word: usize,
    /// The word that translates it, as an index of the translation, if the translation has words.
    pub target: Option<usize>,
    /// What the word attends to in the encoder.
    pub encoder: Vec<HeadWeights>,
    /// What the prediction of its translation attends to.
    pub cross: Vec<HeadWeights>,
    /// The words that compete.
    pub words: Vec<String>,
    /// The sentence, then its changes.
    pub tried: Vec<Tried>,
}

/// A sentence that was tried.
pub struct Tried {
    /// What was changed; `None` for the sentence itself.
    pub change: Option<String>,
    /// The sentence.
    pub source: String,
    /// Its translation.
    pub translation: String,
    /// The probability of each word: of the changed sentence, after its own translation up to here.
    pub both: Vec<f64>,
    /// Of the changed sentence, after the translation of the sentence itself up to here.
    pub only_source: Vec<f64>,
    /// Of the sentence itself, after the translation of the changed one up to here.
    pub only_words: Vec<f64>,
}

impl Answer {
    /// The answer for people.
    pub fn text(&self) -> String {
        let columns = columns();
        let word = self.name_of_word();
        let first = format!(
            "{word} attends to, in the encoder (mean of {}, then head by head; what is missing to 100 % goes to \
             the end of the sentence):",
            counted(self.encoder.len(), "head")
        );
        let mut parts = vec![
            wrap(&self.sentence, columns, 2),
            wrap(&self.translation, columns, 2),
            String::new(),
            wrap(&first, columns, 2),
            weights::table(&self.pair.source.words, &self.encoder, None, columns),
            String::new(),
        ];
        let Some(target) = self.target.map(|target| &self.pair.target.words[target]) else {
            parts.push(wrap(
                "The model translates the sentence by nothing: train it for longer.",
                columns,
                2,
            ));
            return parts.join("\n");
        };
        let second = format!(
            "\"{target}\" is its translation. Before it is said, the decoder attends to (mean of {}, then head \
             by head):",
            counted(self.cross.len(), "head")
        );
        let third = format!(
            "What decides between {}? Their probabilities where \"{target}\" was said. \"Both\": for the changed \
             sentence, after the model's own translation of it up to there. \"Source\": after \"{}\" instead, so \
             that only the source has changed. \"Words\": for the unchanged sentence, so that only the words \
             before have changed.",
            self.words.join(" and "),
            self.before
        );
        parts.extend([
            wrap(&second, columns, 2),
            weights::table(&self.pair.source.words, &self.cross, None, columns),
            String::new(),
            wrap(&third, columns, 2),
            self.test(columns),
        ]);
        parts.join("\n")
    }

    /// The word that was asked about, with its number if the sentence has it more than once.
    fn name_of_word(&self) -> String {
        let words = &self.pair.source;
        let same = equal_to(self.word, words);
        let number = same.iter().position(|i| *i == self.word).map_or(1, |i| i + 1);
        let numbered =
            if same.len() > 1 { format!(" (number {number} of {})", same.len()) } else { String::new() };
        format!("{}{numbered}", words.words[self.word])
    }

    /// The causal test as a table.
    fn test(&self, columns: usize) -> String {
        let mut table = Table::new().text("changed", Narrow::Keep);
        for group in ["both", "source", "words"] {
            table = table.group(group);
            for word in &self.words {
                table = table.number(word, Narrow::Keep);
            }
        }
        for tried in &self.tried {
            let name = tried.change.clone().unwrap_or_else(|| "nothing".into());
            let all = [&tried.both, &tried.only_source, &tried.only_words];
            let probabilities = all.into_iter().flatten().map(|p| percent(*p));
            table.row(std::iter::once(name).chain(probabilities));
            table.below(vec![tried.translation.clone()], " ");
        }
        table.render(columns)
    }

    /// The answer for programs.
    pub fn json(&self) -> Value {
        let (source, target) = (&self.pair.source.words, &self.pair.target.words);
        let probabilities = |values: &[f64]| {
            let pairs = self.words.iter().zip(values).map(|(word, p)| (word.clone(), json!(p)));
            Value::Object(pairs.collect())
        };
        let tried = |tried: &Tried| {
            json!({
                "change": tried.change, "source": tried.source, "translation": tried.translation,
                "both": probabilities(&tried.both),
                "only_source": probabilities(&tried.only_source),
                "only_words": probabilities(&tried.only_words),
            })
        };
        json!({
            "event": "answer", "source": self.sentence, "translation": self.translation,
            "source_words": source, "target_words": target,
            "word": {"index": self.word, "text": source[self.word]},
            "translated_by": self.target.map(|i| json!({"index": i, "text": target[i], "after": self.before})),
            "encoder_attention": weights::json(&self.encoder), "cross_attention": weights::json(&self.cross),
            "compared": self.words, "tests": self.tried.iter().map(tried).collect::<Vec<_>>(),
        })
    }
}
