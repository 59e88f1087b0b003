//! The answer, as text and as JSON.

use m2g_translate::ask::{HeadWeights, Pair};
use serde_json::{Value, json};

use crate::output::percent;
use crate::terminal::lines::{flow, wrap};
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;

/// The width of the longest bar, in columns.
const BAR_COLUMNS: f64 = 30.0;
/// The words that are named for each head.
const WORDS_PER_HEAD: usize = 3;

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
        let word = &self.pair.source.words[self.word];
        let first = format!(
            "{word} attends to, in the encoder (mean of {} heads, then head by head; what is missing to 100 % goes to \
             the end of the sentence):",
            self.encoder.len()
        );
        let mut parts = vec![
            wrap(&self.sentence, columns, 2),
            wrap(&self.translation, columns, 2),
            String::new(),
            wrap(&first, columns, 2),
            self.weights(&self.encoder, columns),
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
            "\"{target}\" is its translation. Before it is said, the decoder attends to (mean of {} heads, then head \
             by head):",
            self.cross.len()
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
            self.weights(&self.cross, columns),
            String::new(),
            wrap(&third, columns, 2),
            self.test(columns),
        ]);
        parts.join("\n")
    }

    /// The mean weight of each word, and the words that each head attends to most.
    fn weights(&self, heads: &[HeadWeights], columns: usize) -> String {
        let mean = HeadWeights::mean(heads);
        let words = &self.pair.source.words;
        let mut table =
            Table::new().text("word", Narrow::Keep).number("weight", Narrow::Keep).text("", Narrow::Drop(1));
        for (word, weight) in words.iter().zip(&mean) {
            let bar = "#".repeat((weight.clamp(0.0, 1.0) * BAR_COLUMNS).round() as usize);
            table.row([word.clone(), percent(*weight), bar]);
        }
        let mut lines = vec![table.render(columns)];
        for HeadWeights { layer, head, weights } in heads {
            let mut order: Vec<usize> = (0..weights.len()).collect();
            order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
            let most = order.into_iter().take(WORDS_PER_HEAD);
            let most = most.map(|i| format!("{} {:.0} %", words[i], 100.0 * weights[i]));
            let fields: Vec<String> =
                std::iter::once(format!("layer {layer} head {head}:")).chain(most).collect();
            lines.push(flow(&fields, "  ", columns, 4));
        }
        lines.join("\n")
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
        let weights = |heads: &[HeadWeights]| {
            let head = |h: &HeadWeights| json!({"layer": h.layer, "head": h.head, "weights": h.weights});
            json!({"mean": HeadWeights::mean(heads), "heads": heads.iter().map(head).collect::<Vec<_>>()})
        };
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
            "encoder_attention": weights(&self.encoder), "cross_attention": weights(&self.cross),
            "compared": self.words, "tests": self.tried.iter().map(tried).collect::<Vec<_>>(),
        })
    }
}
