//! `m2g translate ask`.
//!
//! | file | holds |
//! | --- | --- |
//! | `answer.rs` | the answer, as text and as JSON |

mod answer;

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::Error;
use m2g_core::threads::with_threads;
use m2g_text::Tokenizer;
use m2g_text::lexicon::of_another_kind;
use m2g_text::words::Words;
use m2g_translate::Transformer;
use m2g_translate::ask::{Attention, Pair, alternative, choose, newcomer};
use m2g_translate::data::{GRAMMAR, Specials};
use m2g_translate::decode::{Translation, Translator};
use m2g_translate::training::Description;

pub use self::answer::Answer;
use self::answer::Tried;
use super::decoding_flags::DecodingFlags;
use crate::ask::change::Change;
use crate::ask::{bare, equal_to, word_of};
use crate::flags::{Checkpoint, run_path};
use crate::models::run::load;
use crate::output;

/// The most words that are left out one by one.
const MAX_LEFT_OUT: usize = 24;

/// Ask what a word of a sentence attends to, and what decides how it is translated.
///
/// Shows the attention of the word in the encoder, and that of its translation to the source, by words: a
/// word in several tokens attends with their mean, and is attended to with their sum. Attention tells
/// where a layer looks, not what decides. So a causal test changes the sentence, and shows how the
/// probabilities of the translated word and of another one change: if the source and the words before
/// change, if only the source does, and if only the words before do.
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
    /// Replace a word by another, wherever it stands: pizza=María; or at one place: pizza#2=María. May be repeated
    /// [default: words of the grammar by words of another kind].
    #[arg(long, value_name = "WORD=OTHER", value_parser = Change::replace)]
    replace: Vec<Change>,
    /// Leave out a word, wherever it stands; pizza#2 only at its second place. May be repeated [default: the words
    /// that the default replaces, or each in turn].
    #[arg(long, value_name = "WORD")]
    blank: Vec<String>,
    /// The words of the translation to compare: tasted,knew [default: the translation of the word, and the
    /// likeliest of the words that a change brings into the translation].
    #[arg(long, value_name = "WORD,..", value_delimiter = ',', help_heading = "Choice")]
    against: Vec<String>,
    #[command(flatten)]
    decoding: DecodingFlags,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Print one JSON object to stdout, with all weights.
    #[arg(long)]
    json: bool,
}

impl Ask {
    /// Asks about a word as the command does without further flags.
    #[cfg(feature = "page")]
    pub fn about(run: String, sentence: String, word: String) -> Self {
        let (replace, blank, against) = Default::default();
        let decoding = DecodingFlags::default();
        Self {
            run,
            sentence,
            word,
            replace,
            blank,
            against,
            decoding,
            checkpoint: Checkpoint::default(),
            json: true,
        }
    }

    /// Answers.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let answer = with_threads(0, || self.answer())??;
        match self.json {
            true => output::line(answer.json())?,
            false => output::line(answer.text())?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The answer.
    pub fn answer(&self) -> anyhow::Result<Answer> {
        let (model, description) = load::<Transformer<f32>>(&run_path(&self.run), self.checkpoint.file())?;
        let Description { config, tokenizer, .. } = &description;
        let translator = Translator::new(&model, tokenizer, self.decoding.options(1)?)?;
        let asked = Asked { model: &model, tokenizer, special: translator.specials(), translator };
        let (asked_source, best) = asked.translate(&self.sentence)?;
        let pair = asked.pair(&asked_source, &best);
        let word = word_of(&self.word, &pair.source)?;
        let attention = Attention::of(&model.unfused()?, &pair, asked.special)?;

        let mut changes = self.replace.clone();
        changes.extend(self.blank.iter().map(|word| Change::Blank(word.trim().into())));
        if changes.is_empty() {
            changes = default_changes(&pair.source, word, config.data == GRAMMAR);
        }
        let changed = changes.iter().map(|change| change.apply(&self.sentence));
        let changed: Vec<String> = changed.collect::<anyhow::Result<_>>()?;
        let translated = changed.iter().map(|sentence| asked.translate(sentence));
        let translated: Vec<(Vec<u32>, Translation)> = translated.collect::<anyhow::Result<_>>()?;

        let against: Vec<String> = self.against.iter().map(|word| word.trim().to_string()).collect();
        if against.iter().any(String::is_empty) {
            bail!("--against has an empty word: give words with commas between them, such as tasted,knew");
        }
        // Where the words compete in the translation, and which words they are.
        let (target, words): (_, Vec<String>) = match &against[..] {
            [_, _, ..] => {
                let place = choose(asked.context(), &asked_source, &best.tokens, &against, None)?.place;
                (pair.target.of_token(place), against)
            }
            given => {
                let target = attention.translation_of(&pair, word);
                let own = target.map(|target| bare(&pair.target.words[target]).to_string());
                let place = target.and_then(|target| pair.target.tokens(target).next()).unwrap_or(0);
                let other = match (given, &own) {
                    ([other], _) => Some(other.clone()),
                    (_, None) => None,
                    (_, Some(own)) => {
                        let before = &best.tokens[..place];
                        let texts: Vec<String> = translated.iter().map(|(_, t)| t.text.clone()).collect();
                        let known = &pair.target.words;
                        let other = match newcomer(asked.context(), &asked_source, before, known, &texts)? {
                            None => alternative(asked.context(), &asked_source, before, own)?,
                            some => some,
                        };
                        other.filter(|other| other != own)
                    }
                };
                (target, own.into_iter().chain(other).collect())
            }
        };
        if let Some((_, word)) = words.iter().enumerate().find(|(i, word)| words[..*i].contains(word)) {
            bail!("--against compares {word} with itself: give another word");
        }
        let place = target.and_then(|target| pair.target.tokens(target).next()).unwrap_or(0);
        let before = &best.tokens[..place];
        let mut tried = Vec::new();
        let names = std::iter::once(None).chain(changes.iter().map(|change| Some(change.name())));
        let sentences = std::iter::once(&self.sentence).chain(&changed);
        let all = std::iter::once((&asked_source, &best)).chain(translated.iter().map(|(s, t)| (s, t)));
        for ((change, sentence), (source, translation)) in names.zip(sentences).zip(all) {
            let fixed = change.is_none().then_some(place);
            let both = choose(asked.context(), source, &translation.tokens, &words, fixed)?;
            let own = &translation.tokens[..both.place];
            let at_end = |source, before: &[u32]| {
                Ok::<_, Error>(
                    choose(asked.context(), source, before, &words, Some(before.len()))?.probabilities,
                )
            };
            tried.push(Tried {
                change,
                source: sentence.clone(),
                translation: translation.text.clone(),
                both: both.probabilities,
                only_source: at_end(source, before)?,
                only_words: at_end(&asked_source, own)?,
            });
        }
        Ok(Answer {
            sentence: self.sentence.clone(),
            translation: best.text.clone(),
            before: tokenizer.decode(before).trim().to_string(),
            word,
            target,
            encoder: attention.of_source_word(&pair, word),
            cross: target.map_or(Vec::new(), |target| attention.of_target_word(&pair, target)),
            pair,
            words,
            tried,
        })
    }
}

/// A model that is asked.
struct Asked<'a> {
    model: &'a Transformer<f32>,
    tokenizer: &'a Tokenizer,
    special: Specials,
    translator: Translator<'a>,
}

impl<'a> Asked<'a> {
    fn context(&self) -> (&'a Transformer<f32>, &'a Tokenizer, Specials) {
        (self.model, self.tokenizer, self.special)
    }

    /// The tokens of a sentence, and its best translation.
    fn translate(&self, sentence: &str) -> anyhow::Result<(Vec<u32>, Translation)> {
        let source = self.translator.encode(sentence)?;
        let found = self.translator.translate(std::slice::from_ref(&source))?.concat();
        let best = found.into_iter().next();
        let best = best.ok_or_else(|| Error::Other("the sentence has no translation".into()))?;
        Ok((source, best))
    }

    fn pair(&self, source: &[u32], translation: &Translation) -> Pair {
        Pair::new(source, &translation.with_end(self.special), self.tokenizer)
    }
}

/// The changes to try if none is given. Of the grammar's words, each that has a counterpart of another kind is
/// replaced by it, and left out. Without such words, every word but the one in question is left out in turn,
/// wherever it stands.
fn default_changes(words: &Words, word: usize, knows_the_grammar: bool) -> Vec<Change> {
    let same = equal_to(word, words);
    let others: Vec<&str> = (words.words.iter().enumerate())
        .filter(|(i, _)| !same.contains(i))
        .map(|(_, word)| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let swap = |word: &&str| Some((word.to_string(), of_another_kind(word)?.to_string()));
    let swaps: Vec<(String, String)> =
        if knows_the_grammar { others.iter().filter_map(swap).collect() } else { Vec::new() };
    let mut changes: Vec<Change> = match &swaps[..] {
        [] => others.iter().take(MAX_LEFT_OUT).map(|word| Change::Blank(word.to_string())).collect(),
        swaps => swaps
            .iter()
            .flat_map(|(word, other)| {
                [Change::Replace([word.clone(), other.clone()]), Change::Blank(word.clone())]
            })
            .collect(),
    };
    let mut seen = Vec::new();
    changes.retain(|change| {
        !seen.contains(change) && {
            seen.push(change.clone());
            true
        }
    });
    changes
}
