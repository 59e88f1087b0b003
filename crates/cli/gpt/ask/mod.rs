//! `m2g gpt ask`.
//!
//! | file | holds |
//! | --- | --- |
//! | `answer.rs` | the answer, as text and as JSON |

mod answer;

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::Mask;
use m2g_core::threads::with_threads;
use m2g_gpt::Gpt;
use m2g_gpt::ask::{Attention, Predictions, Sentence};
use m2g_text::lexicon::of_another_kind;
use m2g_text::{Tokenizer, TokenizerKind};

use self::answer::{Answer, Tried};
use crate::ask::change::{Change, numbered};
use crate::ask::{bare, word_of};
use crate::flags::{Checkpoint, run_path};
use crate::models::run::load;
use crate::output;

/// The most earlier words that are changed one by one: the last ones.
const MAX_CHANGED: usize = 16;
/// Words to compare besides the one that follows.
const OTHER_WORDS: usize = 2;

/// Ask which earlier words a word attends to, and what the words after it depend on.
///
/// Shows the attention of the word to itself and to the words before it: in the mean of all heads, by rollout
/// (through all layers, with the residual connections), and head by head. A word in several tokens attends with
/// their mean, and is attended to with their sum. Attention tells where a layer looks, not what decides. So a
/// causal test replaces each earlier word, or leaves it out, and shows how the loss of the words that follow
/// changes, in nats, and how likely the next word and its rivals become (with tokens that are shorter than words:
/// all words that begin so).
#[derive(Args)]
pub struct Ask {
    /// The run: a name under runs/, or a path.
    #[arg(value_name = "RUN")]
    run: String,
    /// The sentence.
    #[arg(value_name = "SENTENCE", allow_hyphen_values = true)]
    sentence: String,
    /// The word of the sentence to ask about; of several equal ones the first, and sabía#2 for the second.
    #[arg(long, value_name = "WORD")]
    word: String,
    /// Replace a word by another, wherever it stands: pizza=niña; or at one place: pizza#2=niña. May be repeated
    /// [default: each earlier word, by one of another kind or else by a likely other one].
    #[arg(long, value_name = "WORD=OTHER", value_parser = Change::replace)]
    replace: Vec<Change>,
    /// Leave out a word, wherever it stands; pizza#2 only at its second place. May be repeated [default: each earlier
    /// word].
    #[arg(long, value_name = "WORD")]
    blank: Vec<String>,
    /// The words that may come next, to compare: bien,la [default: the one that does, and likely others].
    #[arg(long, value_name = "WORD,..", value_delimiter = ',', help_heading = "Choice")]
    against: Vec<String>,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Print one JSON object to stdout, with all weights.
    #[arg(long)]
    json: bool,
}

impl Ask {
    /// Answers.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let answer = with_threads(0, || self.answer())??;
        match self.json {
            true => output::line(answer.json())?,
            false => output::line(answer.text())?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn answer(&self) -> anyhow::Result<Answer> {
        let (gpt, description) = load::<Gpt<f32>>(&run_path(&self.run), self.checkpoint.file())?;
        let Some(tokenizer) = &description.tokenizer else {
            bail!("{} has no tokenizer: it knows token ids and no words", self.run);
        };
        let mask = &gpt.config().mask;
        if !matches!(mask, Mask::Causal | Mask::Window(_)) {
            bail!(
                "{} was trained with the mask {mask}: only with causal or window:N does a word have earlier words \
                   alone to attend to",
                self.run
            );
        }
        // White space between words is one space.
        let text = self.sentence.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            bail!("the sentence is empty: give at least one word");
        }
        let asked = Asked { predictions: Predictions::of(&gpt, tokenizer), tokenizer };
        let sentence = asked.read(&gpt, &text)?;
        let word = word_of(&self.word, &sentence.words)?;
        let following = sentence.words.words[word + 1..].to_vec();
        let attention = Attention::of(&gpt, &sentence)?;

        let mut changes: Vec<(String, String)> = Vec::new();
        let given = self.replace.iter().cloned();
        let given = given.chain(self.blank.iter().map(|word| Change::Blank(word.trim().into())));
        for change in given {
            let changed = change.apply(&text)?;
            if changed.split_whitespace().eq(following.iter()) {
                let before =
                    following.first().map_or(String::new(), |next| format!(" before {}", bare(next)));
                bail!("\"{}\" leaves no word{before}: give another change", change.name());
            }
            if !keeps_the_end(&changed, &following) {
                bail!(
                    "\"{}\" changes a word after {}: give an earlier one, or {1} itself",
                    change.name(),
                    self.word
                );
            }
            changes.push((change.name(), changed));
        }
        if changes.is_empty() {
            changes = asked.default_changes(&gpt, &sentence, word)?;
        }
        let mut tried = vec![(None, sentence.clone())];
        for (name, changed) in changes {
            tried.push((Some(name), asked.read(&gpt, &changed)?));
        }
        let against = self.against(&asked, &tried, &following)?;
        for (_, changed) in &tried {
            asked.check_length(&gpt, changed, changed.before_last(following.len()), &against)?;
        }
        let tried = tried.into_iter().map(|(change, changed)| {
            let place = changed.before_last(following.len());
            anyhow::Ok(Tried {
                change,
                sentence: changed.words.words.join(" "),
                losses: asked.predictions.losses(&changed, following.len())?,
                next: asked.predictions.probabilities(&changed, place, &against)?,
            })
        });
        Ok(Answer {
            words: sentence.words.words.clone(),
            word,
            heads: attention.of_word(&sentence, word),
            rollout: attention.rollout(&sentence, word),
            against: against.clone(),
            whole_words: tokenizer.kind() == TokenizerKind::Word,
            tried: tried.collect::<anyhow::Result<_>>()?,
        })
    }

    /// The words that may come next: those given, or the one that does and the likeliest others, in the sentence
    /// and in its changes.
    fn against(
        &self,
        asked: &Asked<'_>,
        tried: &[(Option<String>, Sentence)],
        following: &[String],
    ) -> anyhow::Result<Vec<String>> {
        let given: Vec<String> = self.against.iter().map(|word| word.trim().to_string()).collect();
        if given.iter().any(String::is_empty) {
            bail!("--against has an empty word: give words with commas between them, such as bien,la");
        }
        if !given.is_empty() {
            return Ok(given);
        }
        let mut words: Vec<String> =
            following.first().map(|word| bare(word).to_string()).into_iter().collect();
        let most = words.len() + OTHER_WORDS;
        for (_, sentence) in tried {
            let place = sentence.before_last(following.len());
            let likely = asked.predictions.likely_word(sentence, place, "")?;
            words.extend(likely.filter(|word| !words.contains(word)));
            if words.len() == most {
                break;
            }
        }
        Ok(words)
    }
}

/// Whether a sentence ends with these words, after at least one other.
fn keeps_the_end(sentence: &str, following: &[String]) -> bool {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    words.len() > following.len() && words[words.len() - following.len()..].iter().eq(following)
}

/// A model that is asked.
struct Asked<'a> {
    predictions: Predictions<'a>,
    tokenizer: &'a Tokenizer,
}

impl Asked<'_> {
    /// A sentence as the model reads it.
    fn read(&self, gpt: &Gpt<f32>, text: &str) -> anyhow::Result<Sentence> {
        let sentence = Sentence::new(text, self.tokenizer)?;
        let (tokens, most) = (sentence.before_last(0), gpt.config().block_size);
        if tokens > most {
            bail!(
                "\"{text}\" has {tokens} tokens with the one at its start, but the model reads {most}: give a shorter \
                   sentence"
            );
        }
        Ok(sentence)
    }

    /// Checks that the model can read each of these words after the first `place` tokens of a sentence.
    fn check_length(
        &self,
        gpt: &Gpt<f32>,
        sentence: &Sentence,
        place: usize,
        words: &[String],
    ) -> anyhow::Result<()> {
        let most = gpt.config().block_size;
        for word in words {
            let tokens = self.predictions.tokens_of(sentence, place, word)?;
            // Nothing is predicted from the last one.
            if place + tokens - 1 > most {
                bail!(
                    "--against has {word}, which would be tokens {} to {} of the sentence, but the model reads \
                     {most}: give a shorter word or a shorter sentence",
                    place + 1,
                    place + tokens
                );
            }
        }
        Ok(())
    }

    /// Each of the last earlier words is replaced, and left out: what it is called, and the changed sentence.
    /// Those that the model can read.
    fn default_changes(
        &self,
        gpt: &Gpt<f32>,
        sentence: &Sentence,
        word: usize,
    ) -> anyhow::Result<Vec<(String, String)>> {
        let words = &sentence.words.words;
        let whole = words.join(" ");
        let mut changes = Vec::new();
        for i in word.saturating_sub(MAX_CHANGED)..word {
            let old = bare(&words[i]);
            let known =
                of_another_kind(old).filter(|other| self.tokenizer.encode(&format!(" {other}")).is_ok());
            let place = sentence.before_last(words.len() - i);
            let other = match known {
                Some(other) => Some(other.to_string()),
                None => self.predictions.likely_word(sentence, place, old)?,
            };
            let with = |new: &str| {
                let mut changed = words.clone();
                changed[i] = words[i].replacen(old, new, 1);
                changed.retain(|word| !word.is_empty());
                changed.join(" ")
            };
            // Of several equal words, the one that is meant: pizza#2, as --replace takes it.
            let start: usize = words[..i].iter().map(|word| word.len() + 1).sum();
            let named = numbered(old, start + words[i].find(old).unwrap_or(0), &whole);
            if let Some(other) = other.filter(|other| other != old) {
                changes.push((Change::Replace([named.clone(), other.clone()]).name(), with(&other)));
            }
            let blanked = with("");
            // Without the only word, there is no sentence; and its beginning may be a word that is not known.
            if !blanked.is_empty() && self.tokenizer.encode(&blanked).is_ok() {
                changes.push((Change::Blank(named).name(), blanked));
            }
        }
        changes.retain(|(_, changed)| self.read(gpt, changed).is_ok());
        Ok(changes)
    }
}
