//! Text in, text out.

use m2g_core::{Error, memory, threads};
use m2g_text::Tokenizer;

use super::beam::Hypothesis;
use super::options::Options;
use super::search::search;
use super::tree::Tree;
use crate::Transformer;
use crate::data::{Specials, specials};
use crate::footprint::decoding_elements;

/// A translation as text.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// Its tokens, without beginning and end.
    pub tokens: Vec<u32>,
    /// The logarithm of its probability.
    pub log_probability: f64,
    /// `log_probability` divided by the length penalty.
    pub score: f64,
    /// Whether it has ended. Otherwise it was cut at the greatest length.
    pub is_complete: bool,
}

impl Translation {
    /// Its tokens, with the end token unless it was cut.
    pub fn with_end(&self, special: Specials) -> Vec<u32> {
        let mut tokens = self.tokens.clone();
        if self.is_complete {
            tokens.push(special.end);
        }
        tokens
    }
}

/// A model that translates text.
#[derive(Debug, Clone)]
pub struct Translator<'a> {
    /// With packed weights.
    model: Transformer<f32>,
    tokenizer: &'a Tokenizer,
    special: Specials,
    options: Options,
    /// Asked before each op whether to stop.
    stop: Option<fn() -> bool>,
}

impl<'a> Translator<'a> {
    /// A translator with these options.
    ///
    /// # Errors
    /// [`Error::Setting`] if an option is invalid, or the tokenizer lacks a special token.
    pub fn new(model: &Transformer<f32>, tokenizer: &'a Tokenizer, options: Options) -> Result<Self, Error> {
        options.validate()?;
        let special = specials(tokenizer)?;
        let mut model = model.clone();
        model.pack();
        Ok(Self { model, tokenizer, special, options, stop: None })
    }

    /// From now on, a translation ends within one op once `stop` has answered `true`.
    pub fn stop_when(mut self, stop: Option<fn() -> bool>) -> Self {
        self.stop = stop;
        self
    }

    /// The tokens of a sentence, then the end token. White space alone gives only the end token.
    ///
    /// # Errors
    /// [`Error::Setting`] if it has more than `max_length` tokens; [`Error::Other`] if a character has no token.
    pub fn encode(&self, sentence: &str) -> Result<Vec<u32>, Error> {
        // As in training, which drops such pairs.
        let text = if sentence.trim().is_empty() { "" } else { sentence };
        let mut ids = self.tokenizer.encode(text).map_err(|error| Error::Other(Box::new(error)))?;
        ids.push(self.special.end);
        match ids.len() <= self.model.config().max_length {
            true => Ok(ids),
            false => Err(Error::Setting {
                name: "a sentence",
                value: format!("{} tokens long", ids.len()),
                rule: "it has more tokens than the model can read (max_length): split it",
            }),
        }
    }

    /// The best translations of each source, best first; `sources` come from [`Translator::encode`]. Sources
    /// of similar length are decoded side by side; the translations come back in the order of the sources. A
    /// source without tokens, except perhaps its end, has an empty translation.
    ///
    /// # Errors
    /// [`Error::Setting`] if a source is longer than `max_length`; [`Error::Memory`] if there is too little memory for
    /// one sentence; [`Error::Stopped`] after [`Translator::stop_when`].
    pub fn translate(&self, sources: &[Vec<u32>]) -> Result<Vec<Vec<Translation>>, Error> {
        let mut order: Vec<usize> = (0..sources.len()).filter(|&i| sources[i].len() > 1).collect();
        order.sort_by_key(|&i| sources[i].len());
        let empty = Translation {
            text: String::new(),
            tokens: Vec::new(),
            log_probability: 0.0,
            score: 0.0,
            is_complete: true,
        };
        let mut all = vec![vec![empty]; sources.len()];
        let Some(longest) = order.last().map(|&i| sources[i].len()) else {
            return Ok(all);
        };
        let elements = decoding_elements(self.model.config(), &self.options, longest);
        let advice = "shorten it, or use a smaller beam";
        memory::check(elements, "translating the longest of these sentences", advice)?;
        // A batch is as large as the memory allows.
        let batch = memory::at_once(elements, self.options.batch.min(order.len()));
        // The longest first: the threads then end at about the same time. Whole batches run side by side, because a step
        // of one has little work to share.
        let batches: Vec<&[usize]> = order.rchunks(batch).collect();
        let at_once = memory::at_once(elements.saturating_mul(batch as u64), threads::current());
        let found = threads::in_turns(batches.len(), at_once, |i| {
            let batch: Vec<&[u32]> = batches[i].iter().map(|&i| &sources[i][..]).collect();
            let mut text = |tokens: &[u32]| self.tokenizer.decode_bytes(tokens);
            search(&self.model, &batch, self.special, (&self.options, false), self.stop, &mut text)
        })?;
        for (indices, found) in batches.into_iter().zip(found) {
            for (&i, (hypotheses, _)) in indices.iter().zip(found) {
                all[i] = hypotheses.into_iter().map(|found| self.translation(found)).collect();
            }
        }
        Ok(all)
    }

    /// The best translations of one source, which comes from [`Translator::encode`], and the tree of the search.
    ///
    /// # Errors
    /// [`Error::Setting`] if the source is longer than `max_length`; [`Error::Stopped`] after
    /// [`Translator::stop_when`].
    pub fn tree(&self, source: &[u32]) -> Result<(Vec<Translation>, Tree), Error> {
        let mut text = |tokens: &[u32]| self.tokenizer.decode_bytes(tokens);
        let options = (&self.options, true);
        let found = search(&self.model, &[source], self.special, options, self.stop, &mut text)?;
        let (found, tree) = found.into_iter().next().unwrap_or_default();
        Ok((found.into_iter().map(|found| self.translation(found)).collect(), tree))
    }

    fn translation(&self, found: Hypothesis) -> Translation {
        Translation {
            text: self.tokenizer.decode(&found.tokens),
            tokens: found.tokens,
            log_probability: found.log_probability,
            score: found.score,
            is_complete: found.is_complete,
        }
    }

    /// The special tokens.
    pub fn specials(&self) -> Specials {
        self.special
    }
}
