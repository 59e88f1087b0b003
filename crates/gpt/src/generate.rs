//! Generation: one token at a time, each chosen by the model's prediction from those before it.
//!
//! # The window
//! A model sees at most `block_size` tokens. Beyond that the window slides, by `slide` tokens at a
//! time: to predict token n, counted from 0, the model sees the tokens from
//!
//! ```text
//! start(n) = 0                                      while n <= block_size
//! start(n) = slide * ceil((n - block_size) / slide)   from then on
//! ```
//!
//! up to n - 1. Of a prompt that is longer than `block_size`, the model sees the last `block_size` tokens,
//! as in nanoGPT: the tokens before them do not count, and n is counted from the first of them.
//!
//! With `slide` 1 these are always the last `block_size` tokens, as in nanoGPT. But in
//! all blocks except the first, the keys and values of a token depend on all tokens before it in the
//! window: when the window slides, the whole cache is stale and is computed again. So by default the
//! window slides by half its length, which makes that rare and cheap. The window depends on n and the
//! length of the prompt alone: with or without the cache, the model sees the same tokens and gives the
//! same logits, up to rounding.

use m2g_core::nn::KvCache;
use m2g_core::rng::{ChaCha8Rng, Streams, uniform};
use m2g_core::tape::Mark;
use m2g_core::threads::Spinner;
use m2g_core::trace::Trace;
use m2g_core::train::Model;
use m2g_core::{Error, Float, Tape, Tokens, Var, WeightFormat, memory};

use crate::{Gpt, GptConfig};
use m2g_text::{Sampler, Sampling, Tokenizer};

/// The forward passes of generation.
impl<T: Float> Gpt<T> {
    /// An empty cache for `b` sequences.
    pub fn cache(&self, b: usize) -> KvCache<T> {
        let GptConfig { n_layer, n_head, n_embd, block_size, .. } = *self.config();
        KvCache::new(n_layer, [b, n_head, block_size, n_embd / n_head])
    }

    /// The logits of the next token for every token, `(B, T) -> (B, T, V)`. `tokens`
    /// continue the cached ones and are cached too. Generation needs those of the last token alone:
    /// [`Gpt::forward_last`]; this is for tests that compare every position.
    ///
    /// # Errors
    /// As [`Gpt::forward`], for all tokens together; [`Error::Setting`] if the model
    /// [cannot have a cache](GptConfig::can_cache).
    pub fn forward_cached(
        &self,
        tape: &mut Tape<T>,
        tokens: &Tokens,
        cache: &mut KvCache<T>,
    ) -> Result<Var, Error> {
        let x = self.hidden_states(tape, tokens, Some(cache))?; // (B, T) -> (B, T, C)
        self.head(tape, x)
    }

    /// The logits of the token after the last one, `(B, T) -> (B, 1, V)`. With a `cache`,
    /// `tokens` continue the cached ones and are cached too.
    ///
    /// # Errors
    /// As [`Gpt::forward_cached`].
    pub fn forward_last(
        &self,
        tape: &mut Tape<T>,
        tokens: &Tokens,
        cache: Option<&mut KvCache<T>>,
    ) -> Result<Var, Error> {
        let x = self.hidden_states(tape, tokens, cache)?; // (B, T) -> (B, T, C)
        let x = tape.last_token(x)?; // (B, T, C) -> (B, 1, C)
        self.head(tape, x)
    }

    /// Packs a copy of the weights of all linear layers in `format`, in the order in which generation
    /// reads them for a single token. This also rounds the weights themselves to `format`, including
    /// a tied token embedding.
    pub fn pack(&mut self, format: WeightFormat) {
        let weights: Vec<_> = self.linears().map(|linear| linear.weight).collect();
        weights.into_iter().for_each(|weight| self.params_mut().pack(weight, format));
    }
}

/// The options of generation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenerateOptions {
    /// How a token is chosen.
    pub sampling: Sampling,
    /// The seed of all choices.
    pub seed: u64,
    /// Whether to keep the keys and values of earlier tokens instead of computing them again, if
    /// the model [allows it](crate::GptConfig::can_cache).
    pub cache: bool,
    /// The number of tokens by which the window slides; `None` means half of `block_size`.
    pub slide: Option<usize>,
}

impl Default for GenerateOptions {
    /// Samples from the model's distribution, with the cache.
    fn default() -> Self {
        Self { sampling: Sampling::default(), seed: 1, cache: true, slide: None }
    }
}

/// The index of the first token that the model sees when it predicts token `n`, unless the prompt is
/// longer than `block_size`: see the [module](self).
pub fn window_start(n: usize, block_size: usize, slide: usize) -> usize {
    n.saturating_sub(block_size).div_ceil(slide) * slide
}

/// Continues a text: an endless iterator over new tokens.
///
/// New token i of sample s depends only on the model, the text, the options and (seed, s, i), not on
/// other samples.
#[derive(Debug)]
pub struct Generator<'a> {
    gpt: &'a Gpt<f32>,
    sampler: Sampler,
    rng: ChaCha8Rng,
    slide: usize,
    tape: Tape<f32>,
    /// The end of the parameters on the tape: rewinding to it keeps them for the next token.
    mark: Mark,
    cache: Option<KvCache<f32>>,
    /// The number of tokens of the prompt that the model never sees, because it is too long.
    dropped: usize,
    /// The index of the first token in the cache.
    cache_start: usize,
    tokens: Vec<u32>,
    /// The ids that are never chosen.
    forbidden: Vec<u32>,
    /// Scratch space for the logits of the others.
    allowed: Vec<f32>,
    /// The logits of the next token, if they are on the tape.
    next: Option<Var>,
    /// Keeps the other threads spinning between the ops.
    spinner: Spinner,
}

impl<'a> Generator<'a> {
    /// Continues `prompt`, as sample number `sample`.
    ///
    /// # Errors
    /// [`Error::Setting`] if an option is invalid, the prompt is empty, or one of its tokens is not
    /// in the vocabulary; [`Error::Memory`] if there is not enough for the cache.
    pub fn new(
        gpt: &'a Gpt<f32>,
        options: &GenerateOptions,
        prompt: &[u32],
        sample: u64,
    ) -> Result<Self, Error> {
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        let (block_size, v) = (gpt.config().block_size, gpt.config().vocab_size);
        let slide = options.slide.unwrap_or(block_size.div_ceil(2));
        if slide == 0 || slide > block_size {
            let value = format!("{slide} with block_size {block_size}");
            return setting("slide", value, "it must be at least 1 and at most block_size");
        }
        if prompt.is_empty() {
            return setting("the prompt", "empty".into(), "the model needs at least one token to continue");
        }
        if let Some(id) = prompt.iter().find(|&&id| id as usize >= v) {
            let value = format!("{id}, of a vocabulary of {v}");
            return setting("a token of the prompt", value, "it must be below the size of the vocabulary");
        }
        let cached = options.cache && gpt.config().can_cache();
        if cached {
            let GptConfig { n_layer, n_embd, .. } = *gpt.config();
            let (what, advice) =
                ("the cache of keys and values", "generate without a cache, which is slower");
            memory::check(memory::elements(&[2, n_layer, block_size, n_embd]), what, advice)?;
        }
        let mut tape = Tape::without_gradients();
        let mark = tape.record_params(gpt.params());
        Ok(Self {
            gpt,
            sampler: Sampler::new(options.sampling)?,
            rng: Streams::new(options.seed).stream("sample", sample),
            slide,
            tape,
            mark,
            cache: cached.then(|| gpt.cache(1)),
            dropped: prompt.len().saturating_sub(block_size),
            cache_start: 0,
            tokens: prompt.to_vec(),
            forbidden: Vec::new(),
            allowed: Vec::new(),
            next: None,
            spinner: Spinner::default(),
        })
    }

    /// The number of tokens at the start of the prompt that the model never sees, because the prompt is
    /// longer than its window.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Chooses only tokens that the tokenizer has. A model may have more: its vocabulary is often
    /// filled up to a round number.
    #[must_use]
    pub fn only_tokens_of(mut self, tokenizer: Option<&Tokenizer>) -> Self {
        let ids = 0..self.gpt.config().vocab_size as u32;
        self.forbidden = match tokenizer {
            Some(tokenizer) => ids.filter(|&id| tokenizer.token(id).is_none()).collect(),
            None => Vec::new(),
        };
        self
    }

    /// From now on, the model stops within one op once `stop` has answered `true`: the next token is then an
    /// [`Error::Stopped`].
    pub fn stop_when(&mut self, stop: fn() -> bool) {
        self.tape.set_stop(stop);
    }

    /// The prompt and all tokens generated since.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The trace of the ops, which can be switched on.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.tape.trace
    }

    /// The logits of the next token, `(V)`.
    ///
    /// # Errors
    /// The errors of [`Gpt::forward_last`].
    pub fn logits(&mut self) -> Result<&[f32], Error> {
        let logits = self.forward()?;
        Ok(self.tape.value(logits).data())
    }

    /// Chooses the next token and appends it.
    ///
    /// # Errors
    /// The errors of [`Gpt::forward_last`] and [`Sampler::choose`].
    pub fn next_token(&mut self) -> Result<u32, Error> {
        let logits = self.forward()?;
        let mut logits = self.tape.value(logits).data();
        if !self.forbidden.is_empty() {
            self.allowed.clear();
            self.allowed.extend_from_slice(logits);
            self.forbidden.iter().for_each(|&id| self.allowed[id as usize] = f32::NEG_INFINITY);
            logits = &self.allowed;
        }
        let token = self.sampler.choose(logits, uniform(&mut self.rng))?;
        self.tokens.push(token);
        self.next = None;
        Ok(token)
    }

    /// Runs the model on the tokens of the window that are not in the cache.
    fn forward(&mut self) -> Result<Var, Error> {
        if let Some(logits) = self.next {
            return Ok(logits);
        }
        self.spinner.spin(self.gpt.params().count() * size_of::<f32>());
        self.tape.rewind(self.mark);
        let seen = self.tokens.len() - self.dropped;
        let start = self.dropped + window_start(seen, self.gpt.config().block_size, self.slide);
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
        let logits = self.gpt.forward_last(&mut self.tape, &new, self.cache.as_mut());
        if let (Err(_), Some(cache)) = (&logits, &mut self.cache) {
            // The first layers may hold these tokens, the others not.
            cache.clear();
        }
        let logits = logits?;
        self.next = Some(logits);
        Ok(logits)
    }
}

impl Iterator for Generator<'_> {
    type Item = Result<u32, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_token())
    }
}

#[cfg(test)]
mod tests {
    use super::window_start;

    #[test]
    fn window_starts_by_hand() {
        let starts = |block, slide| (1..=9).map(|n| window_start(n, block, slide)).collect::<Vec<_>>();
        assert_eq!(starts(4, 1), [0, 0, 0, 0, 1, 2, 3, 4, 5]);
        assert_eq!(starts(4, 2), [0, 0, 0, 0, 2, 2, 4, 4, 6]);
        assert_eq!(starts(4, 4), [0, 0, 0, 0, 4, 4, 4, 4, 8]);
        assert_eq!(starts(4, 3), [0, 0, 0, 0, 3, 3, 3, 6, 6]);
        assert_eq!(starts(1, 1), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn window_is_neither_empty_nor_too_long() {
        for block in 1..20 {
            for slide in 1..=block {
                for n in 1..100 {
                    let start = window_start(n, block, slide);
                    assert!(start < n && n - start <= block, "{n} {block} {slide}");
                    assert!(n <= block || n - start > block - slide, "the window drops no more than needed");
                }
            }
        }
    }
}
