//! A GPT with one block whose attention is the learner's: it trains on a text and writes.

use std::sync::{Arc, Mutex, PoisonError};

use m2g_core::ops::attention::AttentionOptions;
use m2g_core::optim::{AdamW, Optimizer};
use m2g_core::rng::{ChaCha8Rng, Streams, below, normal, uniform};
use m2g_core::{Error, Grads, Mask, ParamId, Params, Tape, Tensor, Tokens, Var};
use m2g_text::{Sampler, Sampling, Tokenizer};

use super::attention::{LearnersAttention, Programs};
use crate::error::LearnError;

/// C: numbers per token.
const N_EMBD: usize = 48;
/// H: heads.
const N_HEAD: usize = 2;
/// T: tokens of context.
const BLOCK_SIZE: usize = 32;
/// B: sequences per step.
const BATCH_SIZE: usize = 8;
/// The learning rate of AdamW.
const LEARNING_RATE: f64 = 3e-3;
/// The standard deviation of the initial weights.
const DEVIATION: f64 = 0.08;
/// Steps between two reports.
const REPORT_STEPS: usize = 100;
/// How random the written text is.
const TEMPERATURE: f64 = 0.8;

/// The mean losses since the last report.
#[derive(Debug, Clone, Copy)]
pub struct Losses {
    /// The step, from 1.
    pub step: usize,
    /// Of the model with the learner's attention.
    pub yours: f64,
    /// Of the same model with the core's.
    pub ours: f64,
}

/// What came of the training.
#[derive(Debug, Clone)]
pub struct Written {
    /// What the model with the learner's attention wrote.
    pub sample: String,
    /// The first step, from 1, at which the losses differ by more than rounding.
    pub differs_from: Option<usize>,
}

/// Losses differ by rounding up to this.
const ROUNDING: f64 = 1e-4;

/// Trains two models that differ only in whose code computes attention, and lets the learner's write.
///
/// # Errors
/// If the text is too short, or a program of the learner gives no answer.
pub fn train_and_write(
    programs: Programs,
    text: &str,
    steps: usize,
    characters: usize,
    report: &mut dyn FnMut(Losses),
) -> Result<Written, LearnError> {
    let tokenizer = Tokenizer::char(text);
    let ids = tokenizer.encode(text).map_err(|error| Error::Other(Box::new(error)))?;
    if ids.len() <= BLOCK_SIZE + 1 {
        let why = format!("the text has {} characters, but needs more than {}", ids.len(), BLOCK_SIZE + 1);
        return Err(Error::Other(why.into()).into());
    }
    let programs = Arc::new(Mutex::new(programs));
    let yours = Attention::Learners(LearnersAttention { programs: Arc::clone(&programs), n_head: N_HEAD });
    let mut models =
        [Model::new(tokenizer.vocab_size(), yours)?, Model::new(tokenizer.vocab_size(), Attention::Core)?];
    let mut rng = Streams::new(1).stream("batches", 0);
    let (mut sums, mut differs_from) = ([0.0; 2], None);
    for step in 1..=steps {
        let (x, y) = batch(&ids, &mut rng)?;
        let [yours, ours] = models.each_mut().map(|model| model.step(&x, &y));
        // The failure of a program explains what goes wrong after it.
        failed(&programs)?;
        let losses = [yours?, ours?];
        let is_same = (losses[0] - losses[1]).abs() <= ROUNDING;
        differs_from = differs_from.or((!is_same).then_some(step));
        sums.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
        if step % REPORT_STEPS == 0 || step == steps {
            let n = ((step - 1) % REPORT_STEPS + 1) as f64;
            report(Losses { step, yours: sums[0] / n, ours: sums[1] / n });
            sums = [0.0; 2];
        }
    }
    let written = models[0].write(characters);
    failed(&programs)?;
    Ok(Written { sample: tokenizer.decode(&written?), differs_from })
}

/// The failure of a program, if there is one.
fn failed(programs: &Mutex<Programs>) -> Result<(), LearnError> {
    let programs = programs.lock().unwrap_or_else(PoisonError::into_inner);
    match &programs.failed {
        None => Ok(()),
        Some((name, failure)) => Err(LearnError::Failed { name, why: failure.clone() }),
    }
}

/// Random windows, and the same windows one token further: both `(B, T)`.
fn batch(ids: &[u32], rng: &mut ChaCha8Rng) -> Result<(Tokens, Tokens), Error> {
    let room = u32::try_from(ids.len() - BLOCK_SIZE).unwrap_or(u32::MAX);
    let starts: Vec<usize> = (0..BATCH_SIZE).map(|_| below(rng, room) as usize).collect();
    let windows = |shift: usize| -> Vec<u32> {
        starts.iter().flat_map(|start| &ids[start + shift..start + shift + BLOCK_SIZE]).copied().collect()
    };
    let shape = [BATCH_SIZE, BLOCK_SIZE];
    Ok((Tokens::new(shape, windows(0))?, Tokens::new(shape, windows(1))?))
}

/// Whose code computes attention.
enum Attention {
    Learners(LearnersAttention),
    Core,
}

/// Embeddings, one block `x + attention(norm(x))`, `x + mlp(norm(x))`, a norm and the logits.
struct Model {
    params: Params<f64>,
    wte: ParamId,
    wpe: ParamId,
    norms: [ParamId; 3],
    c_attn: ParamId,
    c_proj: ParamId,
    mlp: [ParamId; 2],
    lm_head: ParamId,
    attention: Attention,
    optimizer: AdamW<f64>,
    tape: Tape<f64>,
    grads: Grads<f64>,
}

impl Model {
    fn new(vocab_size: usize, attention: Attention) -> Result<Self, Error> {
        let mut rng = Streams::new(1).stream("init", 0);
        let mut params = Params::new();
        let mut weight = |params: &mut Params<f64>, name: &str, shape: &[usize]| {
            params.add(name, Tensor::from_fn(shape, || DEVIATION * normal(&mut rng)))
        };
        let c = N_EMBD;
        let wte = weight(&mut params, "wte", &[vocab_size, c])?;
        let wpe = weight(&mut params, "wpe", &[BLOCK_SIZE, c])?;
        let c_attn = weight(&mut params, "c_attn", &[3 * c, c])?;
        let c_proj = weight(&mut params, "c_proj", &[c, c])?;
        let mlp = [weight(&mut params, "c_fc", &[4 * c, c])?, weight(&mut params, "mlp_proj", &[c, 4 * c])?];
        let lm_head = weight(&mut params, "lm_head", &[vocab_size, c])?;
        let mut norm = |name: &str| params.add(name, Tensor::from_fn(&[c], || 1.0));
        let norms = [norm("norm1")?, norm("norm2")?, norm("norm3")?];
        let (optimizer, tape, grads) = (AdamW::new(0.0), Tape::new(), Grads::new());
        Ok(Self { params, wte, wpe, norms, c_attn, c_proj, mlp, lm_head, attention, optimizer, tape, grads })
    }

    /// The logits, `(B, T) -> (B, T, V)`.
    fn forward(&mut self, x: &Tokens) -> Result<Var, Error> {
        let Self { params, tape, .. } = self;
        let [b, t] = x.shape;
        let positions = Tokens::new([b, t], (0..b).flat_map(|_| 0..t as u32).collect::<Vec<_>>())?;
        let (wte, wpe) = (tape.param(params, self.wte), tape.param(params, self.wpe));
        let (token, position) = (tape.embedding(wte, x)?, tape.embedding(wpe, &positions)?);
        let mut x = tape.add(token, position)?; // (B, T, C)
        let [norm1, norm2, norm3] = self.norms.map(|norm| tape.param(params, norm));
        let [c_attn, c_proj, lm_head] =
            [self.c_attn, self.c_proj, self.lm_head].map(|weight| tape.param(params, weight));
        let [c_fc, mlp_proj] = self.mlp.map(|weight| tape.param(params, weight));

        let h = tape.layer_norm(x, norm1, None)?;
        let qkv = tape.linear(h, c_attn, None)?; // (B, T, 3C)
        let y = match &self.attention {
            Attention::Learners(op) => tape.record(op.clone(), &[qkv])?,
            Attention::Core => tape.attention(qkv, AttentionOptions::new(N_HEAD, Mask::Causal))?,
        };
        let y = tape.linear(y, c_proj, None)?;
        x = tape.add(x, y)?;

        let h = tape.layer_norm(x, norm2, None)?;
        let h = tape.linear(h, c_fc, None)?; // (B, T, 4C)
        let h = tape.gelu(h)?;
        let h = tape.linear(h, mlp_proj, None)?;
        x = tape.add(x, h)?;

        let x = tape.layer_norm(x, norm3, None)?;
        tape.linear(x, lm_head, None)
    }

    /// One step of AdamW; returns the loss.
    fn step(&mut self, x: &Tokens, y: &Tokens) -> Result<f64, Error> {
        let logits = self.forward(x)?;
        let loss = self.tape.cross_entropy(logits, y)?;
        let value = self.tape.read_loss(loss);
        self.tape.backward(loss, &mut self.grads)?;
        self.tape.reset();
        self.optimizer.update(&mut self.params, &self.grads, 1.0, LEARNING_RATE);
        self.grads.clear(&mut self.tape);
        Ok(value)
    }

    /// New tokens, each sampled after those before it.
    fn write(&mut self, tokens: usize) -> Result<Vec<u32>, Error> {
        let mut sampler = Sampler::new(Sampling { temperature: TEMPERATURE, ..Sampling::default() })?;
        let mut rng = Streams::new(1).stream("sample", 0);
        let mut written = vec![0];
        for _ in 0..tokens {
            let context = &written[written.len().saturating_sub(BLOCK_SIZE)..];
            let logits = self.forward(&Tokens::new([1, context.len()], context.to_vec())?)?;
            let all = self.tape.value(logits);
            let vocab_size = all.shape().last().copied().unwrap_or(1);
            let last = &all.data()[all.len() - vocab_size..];
            let token = sampler.choose(last, uniform(&mut rng))?;
            self.tape.reset();
            written.push(token);
        }
        Ok(written.split_off(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_exercises::Matrix;

    use super::*;
    use crate::exercises::named;
    use crate::failure::Failure;
    use crate::grade::tests::Changed;

    fn write(change: fn(Matrix) -> Matrix) -> Result<Written, LearnError> {
        let program = |name, change| Box::new(Changed(named(name).unwrap(), change));
        let programs = Programs {
            head: program("head", change),
            backward: program("head_backward", |m| m),
            failed: None,
        };
        train_and_write(programs, &"to be or not to be. ".repeat(10), 2, 5, &mut |_| ())
    }

    #[test]
    fn code_that_is_wrong_at_this_size_is_found_out() {
        let right = write(|m| m).unwrap();
        assert!(right.differs_from.is_none() && right.sample.chars().count() == 5, "{right:?}");
        assert_eq!(write(|m| m.scale(1.5)).unwrap().differs_from, Some(1));
        for (change, why) in [
            ((|m| m.map(|_| f64::NAN)) as fn(Matrix) -> Matrix, Failure::NotFinite),
            (|m| Matrix::zeros(m.rows + 1, m.cols), Failure::WrongShape),
        ] {
            let error = write(change).unwrap_err();
            assert!(matches!(&error, LearnError::Failed { name: "head", why: w } if *w == why), "{error}");
        }
    }
}
