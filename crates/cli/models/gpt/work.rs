//! The work that the GPT's workloads time: a training step, and the generation of a text.

use std::time::{Duration, Instant};

use m2g_core::optim::AdamW;
use m2g_core::rng::{Streams, below};
use m2g_core::train::Model;
use m2g_core::{Precision, Tokens};
use m2g_gpt::{Config, GenerateOptions, Generator, Gpt, GptConfig, TokenBatch};

use crate::bench::work::{Recording, TrainingSteps, Work};
use crate::bench::workload::Scaling;

/// A GPT and its batch.
#[derive(Clone, Copy)]
pub struct Shape {
    /// The name in the peers' script.
    pub name: &'static str,
    /// Layers.
    pub n_layer: usize,
    /// Heads.
    pub n_head: usize,
    /// C.
    pub n_embd: usize,
    /// T, which is also the length of every text in a batch.
    pub block_size: usize,
    /// B.
    pub batch_size: usize,
    /// V.
    pub vocab_size: usize,
    /// The dropout probability.
    pub dropout: f64,
    /// Whether linear layers and norms have biases.
    pub bias: bool,
    /// A description of a training step.
    pub training: &'static str,
    /// A description of a generated text.
    pub generation: &'static str,
    /// The scalings that a training step is measured with by default.
    pub scalings: &'static [Scaling],
}

impl Shape {
    /// A model of this shape with its initial weights.
    pub fn model(&self, precision: Precision) -> anyhow::Result<Gpt<f32>> {
        let Self { n_layer, n_head, n_embd, block_size, vocab_size, dropout, bias, .. } = *self;
        let model = Config::default().model(vocab_size);
        Ok(Gpt::new(GptConfig { n_layer, n_head, n_embd, block_size, dropout, bias, precision, ..model }, 1)?)
    }
}

/// Training steps of a GPT of this shape, on random tokens.
pub fn training(shape: Shape, precision: Precision) -> anyhow::Result<impl Work> {
    let mut adamw = AdamW::new(0.1);
    adamw.betas = (0.9, 0.95);
    let mut rng = Streams::new(1).stream("bench", 0);
    // (B, T)
    let mut tokens = move || {
        let Shape { batch_size, block_size, vocab_size, .. } = shape;
        let ids = (0..batch_size * block_size).map(|_| below(&mut rng, vocab_size as u32));
        Tokens::new([batch_size, block_size], ids.collect::<Vec<_>>())
    };
    let next_batch = move || Ok(TokenBatch { x: tokens()?, y: tokens()? });
    Ok(TrainingSteps::new(shape.model(precision)?, adamw, next_batch))
}

/// A GPT that generates texts, each from one token to a full window.
pub struct Generation(pub Gpt<f32>);

impl Generation {
    /// Generates a text. Calls `observe` before the first token and after the last.
    fn generate(&self, mut observe: impl FnMut(&mut Generator<'_>)) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut generator = Generator::new(&self.0, &GenerateOptions::default(), &[0], 0)?;
        observe(&mut generator);
        for _ in 1..self.0.config().block_size {
            generator.next_token()?;
        }
        let seconds = started.elapsed();
        observe(&mut generator);
        Ok(seconds)
    }
}

impl Work for Generation {
    fn run(&mut self) -> anyhow::Result<Duration> {
        self.generate(|_| {})
    }

    fn record(&mut self) -> anyhow::Result<Recording> {
        let mut records = Vec::new();
        let seconds = self.generate(|generator| {
            generator.trace().switch(true);
            records = generator.trace().take();
        })?;
        Ok(Recording { seconds, fetched: None, records })
    }

    fn parameters(&self) -> usize {
        self.0.params().count()
    }
}
