//! The attention of a sentence and its translation, by words.

use m2g_core::{Error, Tape, Tensor, memory};
use m2g_text::Tokenizer;
use m2g_text::words::{HeadWeights, Words};

use crate::Transformer;
use crate::data::{Pairs, Specials, batch};

/// A sentence and a translation of it, as tokens and as words.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The tokens, for the model.
    pairs: Pairs,
    /// The words of the sentence.
    pub source: Words,
    /// The words of the translation.
    pub target: Words,
}

impl Pair {
    /// A pair of these tokens, the source with its end token, the target too unless it was cut.
    pub fn new(source: &[u32], target: &[u32], tokenizer: &Tokenizer) -> Self {
        let words = |ids| Words::of(ids, tokenizer);
        Self { pairs: Pairs::of_tokens([(source, target)]), source: words(source), target: words(target) }
    }
}

/// The attention weights of all layers and heads for one pair.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Of each encoder layer, between source tokens: `(1, H, S, S)`.
    encoder: Vec<Tensor<f32>>,
    /// Of each decoder layer, from target tokens to source tokens: `(1, H, T, S)`. Row t is that of the
    /// prediction of token t.
    cross: Vec<Tensor<f32>>,
}

impl Attention {
    /// Runs the pair through the model, op by op. `model` must be [unfused](Transformer::unfused).
    ///
    /// # Errors
    /// [`Error::Setting`] if a side is longer than `max_length`, or the model runs fused; [`Error::Memory`] if there
    /// is too little for the pair.
    pub fn of(model: &Transformer<f32>, pair: &Pair, special: Specials) -> Result<Self, Error> {
        let batch = batch(&pair.pairs, &[0], special, true)?;
        let ([_, s], [_, t]) = (batch.source.shape, batch.target.shape);
        model.check_length(s.max(t))?;
        let (config, advice) = (model.config(), "give a shorter one");
        memory::check(config.inspected_elements(s, t, false), "looking into this sentence", advice)?;
        let mut tape = Tape::without_gradients();
        tape.trace.switch(true);
        model.forward(&mut tape, &batch)?;
        let weights = |stack: &str, layers: usize, kind: &str| {
            let layer = |i: usize| {
                let found = tape.trace.labelled(&format!("{stack}.{i}.{kind}.weights"));
                let rule = "attention is visible only where it runs op by op";
                let var = found.ok_or(Error::Setting { name: "fused", value: "true".into(), rule })?;
                Ok(tape.value(var).clone())
            };
            (0..layers).map(layer).collect::<Result<Vec<_>, Error>>()
        };
        Ok(Self {
            encoder: weights("encoder", config.encoder_layers, "attn")?,
            cross: weights("decoder", config.decoder_layers, "cross_attn")?,
        })
    }

    /// How much a source word attends to each source word in the encoder, head by head.
    pub fn of_source_word(&self, pair: &Pair, word: usize) -> Vec<HeadWeights> {
        HeadWeights::of(&self.encoder, &pair.source.tokens(word).collect::<Vec<_>>(), &pair.source)
    }

    /// How much the prediction of a target word attends to each source word, head by head.
    pub fn of_target_word(&self, pair: &Pair, word: usize) -> Vec<HeadWeights> {
        HeadWeights::of(&self.cross, &pair.target.tokens(word).collect::<Vec<_>>(), &pair.source)
    }

    /// The target word that is translated from a source word, as far as cross-attention tells: the one whose
    /// prediction attends to it most, in the mean over the heads of all decoder layers but the first.
    pub fn translation_of(&self, pair: &Pair, word: usize) -> Option<usize> {
        let targets = 0..pair.target.words.len();
        largest(&targets.map(|target| self.translating(pair, target)[word]).collect::<Vec<_>>())
    }

    /// How much the prediction of a target word attends to each source word, in the mean over the heads of all
    /// decoder layers but the first, unless it is the only one. The first asks before it has looked at the
    /// source, and so often looks past the word to translate.
    fn translating(&self, pair: &Pair, target: usize) -> Vec<f64> {
        let first = usize::from(self.cross.len() > 1);
        let heads = self.of_target_word(pair, target);
        HeadWeights::mean(&heads.into_iter().filter(|head| head.layer >= first).collect::<Vec<_>>())
    }
}

/// The source word that each target word is translated from, as far as cross-attention tells: the one that its
/// prediction attends to most, in the mean over the heads of all decoder layers but the first; of equal ones, the
/// first. Pairs of a source and a target word, in the order of the source.
///
/// # Errors
/// The errors of [`Attention::of`].
pub fn alignment(model: &Transformer<f32>, pair: &Pair, special: Specials) -> Result<Vec<[usize; 2]>, Error> {
    let attention = Attention::of(model, pair, special)?;
    let targets = 0..pair.target.words.len();
    let link = |target| Some([largest(&attention.translating(pair, target))?, target]);
    let mut links: Vec<[usize; 2]> = targets.filter_map(link).collect();
    links.sort_unstable();
    Ok(links)
}

/// The index of the largest value, the first of equal ones.
fn largest(values: &[f64]) -> Option<usize> {
    (0..values.len()).reduce(|best, i| if values[i] > values[best] { i } else { best })
}
