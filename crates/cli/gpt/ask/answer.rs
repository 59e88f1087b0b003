//! The answer, as text and as JSON.

use m2g_text::words::HeadWeights;
use serde_json::{Value, json};

use crate::ask::weights;
use crate::output::percent;
use crate::terminal::lines::{counted, wrap};
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;

/// What was found.
pub struct Answer {
    /// The words of the sentence.
    pub words: Vec<String>,
    /// The word that was asked about, as an index.
    pub word: usize,
    /// What it attends to.
    pub heads: Vec<HeadWeights>,
    /// What it consists of, through all layers.
    pub rollout: Vec<f64>,
    /// The words that may come next.
    pub against: Vec<String>,
    /// Whether each token is a whole word.
    pub whole_words: bool,
    /// The sentence, then its changes.
    pub tried: Vec<Tried>,
}

/// A sentence that was tried.
pub struct Tried {
    /// What was changed; `None` for the sentence itself.
    pub change: Option<String>,
    /// The sentence.
    pub sentence: String,
    /// The loss of each word that follows, in nats.
    pub losses: Vec<f64>,
    /// The probability of each word that may come next.
    pub next: Vec<f64>,
}

impl Tried {
    /// The loss of all words that follow; `None` if there are none.
    fn loss(&self) -> Option<f64> {
        (!self.losses.is_empty()).then(|| self.losses.iter().sum())
    }
}

impl Answer {
    /// How much more loss the words that follow have than in the sentence itself.
    fn effect(&self, tried: &Tried) -> Option<f64> {
        Some(tried.loss()? - self.tried[0].loss()?)
    }

    /// The answer for people.
    pub fn text(&self) -> String {
        let columns = columns();
        let (word, following) = (&self.words[self.word], &self.words[self.word + 1..]);
        let first = format!(
            "{word} attends to (mean of {}; rollout through all layers; then head by head; what is missing to \
             100 % goes to the start of the text):",
            counted(self.heads.len(), "head")
        );
        // The probability of the tokens of a word is shared by all words that begin with them.
        let so = if self.whole_words { "" } else { ", or of one that begins so," };
        let what = match following {
            [] if self.against.is_empty() => {
                format!(
                    "The model finds no whole word likely after {word}: give words to compare with --against."
                )
            }
            [] => format!(
                "What comes after {word}? The probability of each word{so}, for the changed sentence."
            ),
            following => format!(
                "What does \"{}\" depend on? Its loss in nats, how much a change of the sentence adds to it, and the \
                 probability of each word{so} after {word}.",
                following.join(" ")
            ),
        };
        let seen = &self.words[..=self.word];
        let mut parts = vec![
            wrap(&self.words.join(" "), columns, 2),
            String::new(),
            wrap(&first, columns, 2),
            weights::table(seen, &self.heads, Some(&self.rollout), columns),
            String::new(),
            wrap(&what, columns, 2),
        ];
        // Without words, nothing is measured.
        if !(following.is_empty() && self.against.is_empty()) {
            parts.push(self.test().render(columns));
        }
        parts.join("\n")
    }

    /// The causal test as a table.
    fn test(&self) -> Table {
        let mut table = Table::new().text("changed", Narrow::Keep);
        if self.tried[0].loss().is_some() {
            table = table.number("loss", Narrow::Keep).number("effect", Narrow::Keep);
        }
        for word in &self.against {
            table = table.number(word, Narrow::Keep);
        }
        for tried in &self.tried {
            let name = tried.change.clone().unwrap_or_else(|| "nothing".into());
            let effect = self.effect(tried).filter(|_| tried.change.is_some());
            let effect = effect.map_or(String::new(), |effect| format!("{effect:+.3}"));
            let loss = tried.loss().map(|loss| [format!("{loss:.3}"), effect]);
            let next = tried.next.iter().map(|p| percent(*p));
            table.row(std::iter::once(name).chain(loss.into_iter().flatten()).chain(next));
        }
        table
    }

    /// The answer for programs.
    pub fn json(&self) -> Value {
        let tried = |tried: &Tried| {
            let next = self.against.iter().zip(&tried.next).map(|(word, p)| (word.clone(), json!(p)));
            json!({
                "change": tried.change, "sentence": tried.sentence, "losses": tried.losses, "loss": tried.loss(),
                "effect": self.effect(tried), "next": Value::Object(next.collect()),
            })
        };
        json!({
            "event": "answer", "words": self.words,
            "word": {"index": self.word, "text": self.words[self.word]},
            "following": self.words[self.word + 1..],
            "attention": weights::json(&self.heads), "rollout": self.rollout,
            "compared": self.against, "tests": self.tried.iter().map(tried).collect::<Vec<_>>(),
        })
    }
}
