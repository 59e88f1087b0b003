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
    fn loss(&self) -> f64 {
        self.losses.iter().sum()
    }
}

impl Answer {
    /// How much more loss the words that follow have than in the sentence itself.
    fn effect(&self, tried: &Tried) -> f64 {
        tried.loss() - self.tried[0].loss()
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
        [
            wrap(&self.words.join(" "), columns, 2),
            String::new(),
            wrap(&first, columns, 2),
            weights::table(seen, &self.heads, Some(&self.rollout), columns),
            String::new(),
            wrap(&what, columns, 2),
            self.test(!following.is_empty()).render(columns),
        ]
        .join("\n")
    }

    /// The causal test as a table.
    fn test(&self, with_loss: bool) -> Table {
        let mut table = Table::new().text("changed", Narrow::Keep);
        if with_loss {
            table = table.number("loss", Narrow::Keep).number("effect", Narrow::Keep);
        }
        for word in &self.against {
            table = table.number(word, Narrow::Keep);
        }
        for tried in &self.tried {
            let name = tried.change.clone().unwrap_or_else(|| "nothing".into());
            let effect =
                tried.change.as_ref().map_or(String::new(), |_| format!("{:+.3}", self.effect(tried)));
            let loss = if with_loss { vec![format!("{:.3}", tried.loss()), effect] } else { Vec::new() };
            let next = tried.next.iter().map(|p| percent(*p));
            table.row(std::iter::once(name).chain(loss).chain(next));
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
