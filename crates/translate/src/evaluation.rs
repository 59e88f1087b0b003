//! How well a model does on pairs that it was not trained on.

use m2g_core::ranks::Ranks;
use m2g_core::{Error, Tape};
use m2g_text::Tokenizer;

use crate::Transformer;
use crate::data::{Batches, EVALUATION_TOKENS, Pairs, Specials, batch};
use crate::decode::{Options, Translator};
use crate::metrics::{Bleu, Metric};

/// How well a model predicts each token of the targets from the source and the right tokens before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The loss in nats per token, without label smoothing.
    pub loss: f64,
    /// The share of tokens to which the model gives the highest probability.
    pub accuracy: f64,
    /// The number of tokens, end tokens included.
    pub tokens: usize,
}

impl Prediction {
    /// `e^loss`: the model is as uncertain as if it chose among this many equally likely tokens.
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }
}

/// Measures a model on pairs, in batches that several processes share. `shift` is that of training: see [`batch`].
///
/// # Errors
/// [`Error::Setting`] if a sentence is longer than `max_length`.
pub fn predict(
    model: &Transformer<f32>,
    tape: &mut Tape<f32>,
    pairs: &Pairs,
    (special, shift): (Specials, bool),
    ranks: &mut Ranks,
) -> Result<Prediction, Error> {
    let batches = Batches::new(pairs, EVALUATION_TOKENS, 0).in_order();
    let measured = ranks.map(batches.len(), |i| {
        let batch = batch(pairs, &batches[i], special, shift)?;
        let targets = batch.targets(0.0);
        let count = targets.count();
        let logits = model.forward(tape, &batch)?; // (B, T, V)
        let most_likely = tape.argmax(logits)?; // (B T)
        let likely = tape.value(most_likely).data().iter().zip(&batch.target.ids[..]);
        let right = likely.filter(|&(&likely, &id)| id != special.padding && likely == id as f32).count();
        let mean = tape.smoothed_cross_entropy(logits, targets)?;
        let loss = f64::from(tape.read_loss(mean)) * count as f64;
        tape.reset();
        Ok([loss, right as f64, count as f64])
    })?;
    let sum = |i: usize| measured.iter().fold(0.0, |sum, values| sum + values[i]);
    let all = sum(2).max(1.0);
    Ok(Prediction { loss: sum(0) / all, accuracy: sum(1) / all, tokens: sum(2) as usize })
}

/// The translations of the sources of pairs, and the texts of their targets.
///
/// # Errors
/// The errors of [`Translator::translate`].
pub fn translations(
    model: &Transformer<f32>,
    tokenizer: &Tokenizer,
    pairs: &Pairs,
    indices: &[usize],
    options: Options,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let texts = translate(&Translator::new(model, tokenizer, options)?, pairs, indices)?;
    Ok((texts, references(tokenizer, pairs, indices)))
}

/// The translations of the sources of pairs.
///
/// # Errors
/// The errors of [`Translator::translate`].
pub fn translate(
    translator: &Translator<'_>,
    pairs: &Pairs,
    indices: &[usize],
) -> Result<Vec<String>, Error> {
    let sources: Vec<Vec<u32>> = indices.iter().map(|&i| pairs.source.get(i).to_vec()).collect();
    let best = translator.translate(&sources)?.into_iter().map(|found| found.into_iter().next());
    Ok(best.map(|best| best.map_or(String::new(), |best| best.text)).collect())
}

/// The texts of the targets of pairs.
pub fn references(tokenizer: &Tokenizer, pairs: &Pairs, indices: &[usize]) -> Vec<String> {
    indices.iter().map(|&i| tokenizer.decode_without_special(pairs.target.get(i))).collect()
}

/// BLEU (13a, cased) of translations, and the share of them that equal their reference.
pub fn bleu_and_exact(translations: &[String], references: &[String]) -> (f64, f64) {
    let bleu = Bleu::default();
    let counts = bleu.corpus(translations, &[references.to_vec()]).unwrap_or_default();
    let exact = translations.iter().zip(references).filter(|(ours, theirs)| ours == theirs).count();
    (bleu.score(&counts), exact as f64 / translations.len().max(1) as f64)
}
