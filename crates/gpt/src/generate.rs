//! Generation: token after token, each chosen by what the model says of those before it.
//!
//! # The window
//! A model sees at most `block_size` tokens. Beyond that the window slides, by `slide`
//! tokens at a time: to predict token n, counted from 0, the model sees the tokens from
//!
//! ```text
//! start(n) = 0                                      while n <= block_size
//! start(n) = slide * ceil((n - block_size) / slide)   from then on
//! ```
//!
//! up to n - 1. With `slide` 1 these are always the last `block_size` tokens, as in
//! nanoGPT. But what a token is to the model, in all blocks but the first, depends on all
//! tokens before it in the window: when the window slides, everything that the cache
//! holds is wrong and is computed anew. So by default the window slides by half of
//! itself, which makes that rare and cheap. The window depends on n alone: with the cache
//! or without it, the model sees the same and says the same.

use m2g_core::Tokens;
use m2g_core::nn::KvCache;
use m2g_core::rng::{ChaCha8Rng, Streams, uniform};
use m2g_core::tape::Mark;
use m2g_core::threads::Spinner;
use m2g_core::trace::Trace;
use m2g_core::train::Model;
use m2g_core::{Error, Float, Tape, Var};

use crate::Gpt;
use m2g_text::{Sampler, Sampling};

/// How to generate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenerateOptions {
    /// How a token is chosen.
    pub sampling: Sampling,
    /// The seed of all choices.
    pub seed: u64,
    /// Whether keys and values of earlier tokens are kept instead of computed again, if
    /// the model [allows it](crate::GptConfig::can_cache).
    pub cache: bool,
    /// By how many tokens the window slides; half of `block_size` if nothing is said.
    pub slide: Option<usize>,
}

impl Default for GenerateOptions {
    /// Tokens as likely as the model says, with the cache.
    fn default() -> Self {
        Self { sampling: Sampling::default(), seed: 1, cache: true, slide: None }
    }
}

/// The first token that the model sees when it predicts token `n`: see the
/// [module](self).
pub fn window_start(n: usize, block_size: usize, slide: usize) -> usize {
    n.saturating_sub(block_size).div_ceil(slide) * slide
}

/// Goes on with a text, without end: an iterator over new tokens.
///
/// New token i of sample s depends on the model, the text, the options and (seed, s, i)
/// alone, whatever else is generated before or beside it.
#[derive(Debug)]
pub struct Generator<'a, T: Float> {
    gpt: &'a Gpt<T>,
    sampler: Sampler,
    rng: ChaCha8Rng,
    slide: usize,
    tape: Tape<T>,
    /// What is on the tape for all tokens: the parameters.
    mark: Mark,
    cache: Option<KvCache<T>>,
    /// The token at which the cache begins.
    cache_start: usize,
    tokens: Vec<u32>,
    /// The logits of the next token, if they are on the tape.
    next: Option<Var>,
    /// Keeps the other threads spinning between the ops.
    spinner: Spinner,
}

impl<'a, T: Float> Generator<'a, T> {
    /// Goes on with `prompt` as sample number `sample`.
    ///
    /// # Errors
    /// [`Error::Setting`] if an option makes no sense, the prompt is empty, or a token
    /// is not in the vocabulary.
    pub fn new(
        gpt: &'a Gpt<T>,
        options: &GenerateOptions,
        prompt: &[u32],
        sample: u64,
    ) -> Result<Self, Error> {
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        let (block_size, v) = (gpt.config().block_size, gpt.config().vocab_size);
        let slide = options.slide.unwrap_or(block_size.div_ceil(2));
        if slide == 0 || slide > block_size {
            return setting("slide", slide.to_string(), "it must be at least 1 and at most block_size");
        }
        if prompt.is_empty() {
            return setting("the prompt", "empty".into(), "a model needs a token to go on from");
        }
        if let Some(id) = prompt.iter().find(|&&id| id as usize >= v) {
            let value = format!("{id}, of a vocabulary of {v}");
            return setting(
                "a token of the prompt",
                value,
                "ids go from 0 to one less than there are tokens",
            );
        }
        let mut tape = Tape::new();
        tape.set_gradients(false);
        let mark = tape.put_params(gpt.params());
        Ok(Self {
            gpt,
            sampler: Sampler::new(options.sampling)?,
            rng: Streams::new(options.seed).stream("sample", sample),
            slide,
            tape,
            mark,
            cache: (options.cache && gpt.config().can_cache()).then(|| gpt.cache(1)),
            cache_start: 0,
            tokens: prompt.to_vec(),
            next: None,
            spinner: Spinner::default(),
        })
    }

    /// The prompt and all tokens since.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// What runs for each token, while it is switched on.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.tape.trace
    }

    /// The logits of the token that comes next, `(V)`.
    ///
    /// # Errors
    /// What the model returns.
    pub fn logits(&mut self) -> Result<&[T], Error> {
        let logits = self.forward()?;
        Ok(self.tape.value(logits).data())
    }

    /// Chooses the next token and appends it.
    ///
    /// # Errors
    /// What the model returns, and [`Sampler::choose`].
    pub fn next_token(&mut self) -> Result<u32, Error> {
        let logits = self.forward()?;
        let token = self.sampler.choose(self.tape.value(logits).data(), uniform(&mut self.rng))?;
        self.tokens.push(token);
        self.next = None;
        Ok(token)
    }

    /// Shows the model what it has not seen of the window, or all of it.
    fn forward(&mut self) -> Result<Var, Error> {
        if let Some(logits) = self.next {
            return Ok(logits);
        }
        self.spinner.spin(self.gpt.params().count() * T::BYTES);
        self.tape.rewind(self.mark);
        let start = window_start(self.tokens.len(), self.gpt.config().block_size, self.slide);
        let mut from = start;
        if let Some(cache) = &mut self.cache {
            if start != self.cache_start {
                cache.clear();
                self.cache_start = start;
            }
            from += cache.len();
        }
        let new = &self.tokens[from..];
        let new = Tokens::new([1, new.len()], new)?;
        let logits = self.gpt.forward_last(&mut self.tape, &new, self.cache.as_mut())?;
        self.next = Some(logits);
        Ok(logits)
    }
}

impl<T: Float> Iterator for Generator<'_, T> {
    type Item = Result<u32, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_token())
    }
}

#[cfg(test)]
mod tests {
    use super::window_start;

    #[test]
    fn the_window_by_hand() {
        let starts = |block, slide| (1..=9).map(|n| window_start(n, block, slide)).collect::<Vec<_>>();
        assert_eq!(starts(4, 1), [0, 0, 0, 0, 1, 2, 3, 4, 5]);
        assert_eq!(starts(4, 2), [0, 0, 0, 0, 2, 2, 4, 4, 6]);
        assert_eq!(starts(4, 4), [0, 0, 0, 0, 4, 4, 4, 4, 8]);
        assert_eq!(starts(4, 3), [0, 0, 0, 0, 3, 3, 3, 6, 6]);
        assert_eq!(starts(1, 1), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_window_is_never_empty_nor_too_long() {
        for block in 1..20 {
            for slide in 1..=block {
                for n in 1..100 {
                    let start = window_start(n, block, slide);
                    assert!(start < n && n - start <= block, "{n} {block} {slide}");
                    assert!(n <= block || n - start > block - slide, "no more is left out than needed");
                }
            }
        }
    }
}
