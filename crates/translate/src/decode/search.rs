//! Runs the model for the beams of several sentences at once.

use std::sync::Arc;

use m2g_core::nn::KvCache;
use m2g_core::tape::Mark;
use m2g_core::train::Model;
use m2g_core::{Error, Mask, Tape, Tokens};

use super::beam::{Beam, Extension, Hypothesis};
use super::options::Options;
use super::tree::Tree;
use crate::Transformer;
use crate::data::Specials;
use crate::model::Encoded;

/// Translates sources side by side: tokens, each with its end token. Returns the best translations of each,
/// best first, and the tree of its search if it is `recorded`. `text` decodes tokens: translations with the same text
/// count as one.
///
/// In each step the model reads one token of every open translation, a row each: those of one sentence, then
/// those of another, and so on. All open translations of a step have the same number of tokens, and
/// every sentence has the same number of open translations. A sentence whose search is over leaves the batch. Each
/// translation and its probability are the same to the last bit, whatever the batch, if the model has a padding mask.
///
/// # Errors
/// [`Error::Setting`] if a source is longer than `max_length`; [`Error::Stopped`] once `stop` has answered `true`.
pub(super) fn search(
    model: &Transformer<f32>,
    sources: &[&[u32]],
    special: Specials,
    (options, recorded): (&Options, bool),
    stop: Option<fn() -> bool>,
    text: &mut dyn FnMut(&[u32]) -> Vec<u8>,
) -> Result<Vec<(Vec<Hypothesis>, Tree)>, Error> {
    let mut tape = Tape::without_gradients();
    if let Some(stop) = stop {
        tape.set_stop(stop);
    }
    let mut done = vec![(Vec::new(), Tree::default()); sources.len()];
    if sources.is_empty() {
        return Ok(done);
    }
    let max_length = model.config().max_length;
    // Both with their end token.
    let limit = |source: &&[u32]| source.len().saturating_add(options.extra_length).clamp(1, max_length);
    let mut active: Vec<(usize, Beam)> = (sources.iter().enumerate())
        .map(|(i, source)| {
            let beam = Beam::new(*options, limit(source), special.end);
            (i, if recorded { beam.recorded() } else { beam })
        })
        .collect();
    let mut rows = Rows::new(model, tape, sources, special, options.cache)?;
    while !active.is_empty() {
        let open = active[0].1.open();
        let extensions = rows.extensions(&active, special, 2 * options.beam)?;
        let mut parents = Vec::new();
        for (place, ((_, beam), extensions)) in active.iter_mut().zip(&extensions).enumerate() {
            parents
                .push(beam.step(extensions, text).into_iter().map(|i| place * open + i).collect::<Vec<_>>());
        }
        let mut places: Vec<usize> = (0..active.len()).collect();
        let mut place = 0;
        while place < active.len() {
            if !active[place].1.is_done() {
                place += 1;
                continue;
            }
            // The last sentence takes this place, so that all others keep theirs.
            let (i, mut beam) = active.swap_remove(place);
            places.swap_remove(place);
            let tree = beam.take_tree();
            done[i] = (beam.best(text), tree);
        }
        rows.keep(&places, &parents);
    }
    Ok(done)
}

/// The state of the model for all open translations.
struct Rows<'a> {
    model: &'a Transformer<f32>,
    tape: Tape<f32>,
    /// The end of the parameters on the tape.
    mark: Mark,
    /// The keys and values of each decoder layer for the sources of the active sentences.
    keys_values: KvCache<f32>,
    source_lengths: Arc<[usize]>,
    /// The keys and values of the tokens of each open translation; without it, they are computed again.
    cache: Option<KvCache<f32>>,
}

impl<'a> Rows<'a> {
    /// Encodes the sources.
    fn new(
        model: &'a Transformer<f32>,
        mut tape: Tape<f32>,
        sources: &[&[u32]],
        special: Specials,
        cache: bool,
    ) -> Result<Self, Error> {
        tape.set_fixed_row_bits(true);
        let mark = tape.record_params(model.params());
        let source_lengths: Arc<[usize]> = sources.iter().map(|source| source.len()).collect();
        let s = source_lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(sources.len() * s);
        for source in sources {
            ids.extend_from_slice(source);
            ids.resize(ids.len().next_multiple_of(s), special.padding);
        }
        let tokens = Tokens::new([sources.len(), s], ids)?;
        let memory = model.encode(&mut tape, &tokens, &source_lengths)?; // (B, S) -> (B, S, C)
        let keys_values = model.keys_values(&mut tape, memory)?;
        let cache = cache.then(|| model.cache(sources.len(), 0));
        Ok(Self { model, tape, mark, keys_values, source_lengths, cache })
    }

    /// The `n` most likely next tokens of every open translation of each sentence.
    fn extensions(
        &mut self,
        active: &[(usize, Beam)],
        special: Specials,
        n: usize,
    ) -> Result<Vec<Vec<Extension>>, Error> {
        let Self { model, tape, .. } = self;
        tape.rewind(self.mark);
        let open = active[0].1.open();
        let rows = active.iter().flat_map(|(_, beam)| (0..open).map(|i| beam.tokens(i)));
        let ids: Vec<u32> = match &self.cache {
            // The newest token of each.
            Some(_) => rows.map(|tokens| tokens.last().copied().unwrap_or(special.beginning)).collect(),
            None => rows.flat_map(|tokens| [&[special.beginning], tokens].concat()).collect(),
        };
        if let Some(cache) = &mut self.cache {
            cache.reserve(1);
        }
        let tokens = Tokens::new([active.len() * open, ids.len() / (active.len() * open)], ids)?;
        let source = (Encoded::KeysValues(&self.keys_values), &self.source_lengths);
        let x = model.decode(tape, &tokens, &Mask::Causal, source, self.cache.as_mut())?; // (R, T, C)
        let x = tape.last_token(x)?; // (R, T, C) -> (R, 1, C)
        let logits = model.logits(tape, x)?; // (R, 1, V)
        let log_sums = tape.log_sum_exp(logits)?; // (R)
        let v = model.config().vocab_size;
        let forbidden: Vec<u32> =
            [special.beginning, special.padding].into_iter().chain(special.line_break).collect();
        let k = (n + forbidden.len()).min(v);
        let likely = tape.top_k(logits, k)?; // (R, 2 k)
        let rows = tape.value(likely).data().chunks_exact(2 * k).zip(tape.value(log_sums).data());
        let rows: Vec<Vec<(u32, f64)>> = rows
            .map(|(likely, &log_sum)| {
                let (logits, tokens) = likely.split_at(k);
                let likely = tokens.iter().map(|&token| token as u32).zip(logits);
                let allowed =
                    likely.filter(|(token, logit)| !forbidden.contains(token) && **logit > f32::NEG_INFINITY);
                let log_probability = |&logit: &f32| f64::from(logit) - f64::from(log_sum);
                allowed.take(n).map(|(token, logit)| (token, log_probability(logit))).collect()
            })
            .collect();
        if rows.iter().any(|row: &Vec<_>| row.is_empty() || !row[0].1.is_finite()) {
            return Err(Error::NotFiniteResult("logits"));
        }
        let extension = |(open, row): (usize, &Vec<(u32, f64)>)| -> Vec<Extension> {
            row.iter().map(|&(token, log_probability)| Extension { open, token, log_probability }).collect()
        };
        Ok(rows.chunks(open).map(|rows| rows.iter().enumerate().flat_map(extension).collect()).collect())
    }

    /// Goes on with the sentences that were at these `places`, in this order: `parents` holds, for each place, the
    /// rows that its open translations extend.
    fn keep(&mut self, places: &[usize], parents: &[Vec<usize>]) {
        // The tape shares the caches: it gives them up first, so that they stay in place.
        self.tape.rewind(self.mark);
        if let Some(cache) = &mut self.cache {
            let rows: Vec<usize> = places.iter().flat_map(|&place| parents[place].iter().copied()).collect();
            cache.select(&rows);
        }
        if places.len() < parents.len() {
            self.source_lengths = places.iter().map(|&place| self.source_lengths[place]).collect();
            self.keys_values.select(places);
        }
    }
}
