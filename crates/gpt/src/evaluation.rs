//! The loss of a GPT on text that it was not trained on.

use m2g_core::ranks::Ranks;
use m2g_core::train::Model;
use m2g_core::{Error, Tape, Tokens};
use m2g_text::TokenData;

use crate::data::{Batches, Windows};
use crate::{Gpt, GptConfig, TokenBatch};

/// The mean loss in nats per token over all windows, `batch_size` at a time: every token but the first, which has no
/// context. Several processes share the batches.
///
/// # Errors
/// If a token is not in the model's vocabulary; the errors of [`Windows::batch`].
pub fn full_pass_loss<M: Model<f32, Batch = TokenBatch>>(
    model: &M,
    tape: &mut Tape<f32>,
    windows: Windows<'_>,
    batch_size: usize,
    ranks: &mut Ranks,
) -> Result<f64, Error> {
    let losses = ranks.map(windows.batch_count(batch_size), |i| {
        let batch = windows.batch(batch_size, i)?;
        Ok([batch_loss(model, tape, &batch)? * batch.y.ids.len() as f64])
    })?;
    Ok(losses.iter().fold(0.0, |sum, [loss]| sum + loss) / windows.targets() as f64)
}

/// nanoGPT's `estimate_loss`: the mean over `n` random batches. Their stream is not that of the training batches, so
/// that evaluations do not change these. Several processes share the batches.
pub(crate) fn estimate_loss<M: Model<f32, Batch = TokenBatch>>(
    model: &M,
    tape: &mut Tape<f32>,
    (batches, stream, step): (&Batches<'_>, &str, u64),
    n: u64,
    ranks: &mut Ranks,
) -> Result<f64, Error> {
    let losses =
        ranks.map(n as usize, |i| Ok([batch_loss(model, tape, &batches.get(stream, step, i as u64)?)?]))?;
    Ok(losses.iter().fold(0.0, |sum, [loss]| sum + loss) / n as f64)
}

/// The mean loss when the model sees only the tokens before each target, as in generation.
/// The model reads every prefix of up to `windows` windows, spread evenly over `data`,
/// separately. With a causal mask this equals the loss of these windows; a model that could
/// look ahead during training does worse.
///
/// # Errors
/// If the data has fewer than two tokens, or tokens that are not in the model's vocabulary.
pub fn generation_loss(
    gpt: &Gpt<f32>,
    tape: &mut Tape<f32>,
    data: &TokenData,
    windows: usize,
) -> Result<f64, Error> {
    let TokenBatch { x, y } = Windows::new(data, gpt.config().block_size)?.evenly_spaced(windows)?;
    let [b, t] = x.shape;
    let mut sum = 0.0;
    for length in 1..=t {
        let prefixes: Vec<u32> = x.ids.chunks(t).flat_map(|row| &row[..length]).copied().collect();
        let next: Vec<u32> = y.ids.chunks(t).map(|row| row[length - 1]).collect();
        let logits = gpt.forward_last(tape, &Tokens::new([b, length], prefixes)?, None)?; // (B, 1, V)
        let loss = tape.cross_entropy(logits, &Tokens::new([b, 1], next)?)?;
        sum += f64::from(tape.read_loss(loss));
        tape.reset();
    }
    Ok(sum / t as f64)
}

/// A good batch size for [`full_pass_loss`]: enough windows to use all cores, and few
/// enough to bound the memory of the logits `(B, T, V)`.
pub fn full_pass_batch_size(model: &GptConfig) -> usize {
    const TOKENS_PER_BATCH: usize = 4096;
    const MAX_LOGITS: usize = 1 << 22;
    (TOKENS_PER_BATCH.min(MAX_LOGITS / model.vocab_size) / model.block_size).max(1)
}

/// The mean loss of one batch.
fn batch_loss<M: Model<f32, Batch = TokenBatch>>(
    model: &M,
    tape: &mut Tape<f32>,
    batch: &TokenBatch,
) -> Result<f64, Error> {
    let loss = model.loss(tape, batch)?;
    let value = f64::from(tape.read_loss(loss));
    tape.reset();
    Ok(value)
}
