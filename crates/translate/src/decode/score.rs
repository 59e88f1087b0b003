//! The log-probability of each token of a given translation.

use m2g_core::{Error, Tape};

use crate::Transformer;
use crate::data::{Batches, EVALUATION_TOKENS, Pairs, Specials, batch};

/// The logarithm of the probability of each token of each target, its end token last, given the source and
/// the tokens before it. In the order of the pairs.
///
/// # Errors
/// [`Error::Setting`] if a sentence is longer than `max_length`; [`Error::NotFiniteResult`].
pub fn score(model: &Transformer<f32>, pairs: &Pairs, special: Specials) -> Result<Vec<Vec<f64>>, Error> {
    let mut tape = Tape::without_gradients();
    let mut scores = vec![Vec::new(); pairs.len()];
    for indices in Batches::new(pairs, EVALUATION_TOKENS, 0).in_order() {
        let batch = batch(pairs, &indices, special, true)?;
        let logits = model.forward(&mut tape, &batch)?; // (B, T, V)
        let log_sums = tape.log_sum_exp(logits)?; // (B T)
        let (t, v) = (batch.target.shape[1], model.config().vocab_size);
        let (logits, log_sums) = (tape.value(logits).data(), tape.value(log_sums).data());
        for (row, &i) in indices.iter().enumerate() {
            let token = |(j, &id): (usize, &u32)| {
                let place = row * t + j;
                f64::from(logits[place * v + id as usize]) - f64::from(log_sums[place])
            };
            scores[i] = pairs.target.get(i).iter().enumerate().map(token).collect();
            if scores[i].iter().any(|score| !score.is_finite()) {
                return Err(Error::NotFiniteResult("log-probabilities"));
            }
        }
        tape.reset();
    }
    Ok(scores)
}
