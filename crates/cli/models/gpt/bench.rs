//! The workloads of the GPT: training steps and generated texts, on the code paths of
//! `m2g gpt train` and `m2g gpt sample`.

use m2g_core::{Precision, WeightFormat};

use super::work::{Generation, Shape, training};
use crate::bench::measurement::Measurement;
use crate::bench::peers::Peer;
use crate::bench::workload::{Batch, Facts, Measure, Scaling, Target, Workload};

/// A GPT that trains or generates.
pub struct GptWorkload {
    facts: Facts,
    shape: Shape,
    task: Task,
}

/// What the GPT does.
enum Task {
    /// A training step: forward, backward, clip, AdamW.
    Train,
    /// A text, token by token, with the key-value cache and weights in this format.
    Generate(WeightFormat),
}

/// The workloads.
pub static WORKLOADS: [GptWorkload; 15] = [
    train("train-shakespeare-char-cpu", CPU, (50, 20), 0.024, Some(1.5)),
    train("train-shakespeare-char", CHAR, (3, 2), 6.5, Some(1.7)),
    train("train-gpt2-124m", GPT2, (5, 3), 1.15, Some(1.3)),
    in_bf16(train("train-shakespeare-char-cpu-bf16", CPU, (50, 20), 0.016, None)),
    in_bf16(train("train-shakespeare-char-bf16", CHAR, (3, 2), 3.8, None)),
    in_bf16(train("train-gpt2-124m-bf16", GPT2, (5, 3), 0.75, None)),
    generate("generate-shakespeare-char-cpu", CPU, WeightFormat::F32, (50, 10), 15_000.0),
    generate("generate-shakespeare-char", CHAR, WeightFormat::F32, (5, 3), 500.0),
    generate("generate-gpt2-124m", GPT2, WeightFormat::F32, (3, 2), 40.0),
    // The target of a smaller format is at least the same speed.
    generate("generate-shakespeare-char-cpu-bf16", CPU, WeightFormat::Bf16, (50, 10), 15_000.0),
    generate("generate-shakespeare-char-bf16", CHAR, WeightFormat::Bf16, (5, 3), 500.0),
    generate("generate-gpt2-124m-bf16", GPT2, WeightFormat::Bf16, (3, 2), 40.0),
    generate("generate-shakespeare-char-cpu-int8", CPU, WeightFormat::Int8, (50, 10), 15_000.0),
    generate("generate-shakespeare-char-int8", CHAR, WeightFormat::Int8, (5, 3), 500.0),
    generate("generate-gpt2-124m-int8", GPT2, WeightFormat::Int8, (3, 2), 40.0),
];

/// nanoGPT's configuration for a CPU.
const CPU: Shape = Shape {
    name: "shakespeare-char-cpu",
    n_layer: 4,
    n_head: 4,
    n_embd: 128,
    block_size: 64,
    batch_size: 12,
    vocab_size: 65,
    dropout: 0.0,
    bias: false,
    training: "a step of 4 layers, 4 heads, 128 wide, 12 texts of 64 characters",
    generation: "63 characters by 4 layers, 4 heads, 128 wide, with the cache",
    scalings: &[Scaling::Threads],
};

/// nanoGPT's configuration for a GPU.
const CHAR: Shape = Shape {
    name: "shakespeare-char",
    n_layer: 6,
    n_head: 6,
    n_embd: 384,
    block_size: 256,
    batch_size: 64,
    dropout: 0.2,
    training: "a step of 6 layers, 6 heads, 384 wide, 64 texts of 256 characters, dropout 0.2",
    generation: "255 characters by 6 layers, 6 heads, 384 wide, with the cache",
    scalings: &[Scaling::Threads, Scaling::BatchSize, Scaling::BlockSize],
    ..CPU
};

/// The smallest GPT-2, with a window of 64 tokens.
const GPT2: Shape = Shape {
    name: "gpt2-124m",
    n_layer: 12,
    n_head: 12,
    n_embd: 768,
    batch_size: 4,
    vocab_size: 50257,
    bias: true,
    training: "a step of GPT-2 124M, 4 texts of 64 tokens",
    generation: "63 tokens by GPT-2 124M, with the cache",
    ..CPU
};

const fn train(
    name: &'static str,
    shape: Shape,
    (steps, recorded): (usize, usize),
    seconds: f64,
    ratio: Option<f64>,
) -> GptWorkload {
    let facts = Facts {
        name,
        what: shape.training,
        precision: Precision::F32,
        steps,
        recorded,
        target: Target::Seconds(seconds),
        ratios: [ratio; 2],
        scalings: shape.scalings,
    };
    GptWorkload { facts, shape, task: Task::Train }
}

const fn in_bf16(workload: GptWorkload) -> GptWorkload {
    let facts = Facts { precision: Precision::Bf16, scalings: &[], ..workload.facts };
    GptWorkload { facts, ..workload }
}

const fn generate(
    name: &'static str,
    shape: Shape,
    weights: WeightFormat,
    (steps, recorded): (usize, usize),
    tokens: f64,
) -> GptWorkload {
    let facts = Facts {
        name,
        what: shape.generation,
        precision: Precision::F32,
        steps,
        recorded,
        target: Target::TokensPerSecond(tokens),
        ratios: [None; 2],
        scalings: &[],
    };
    GptWorkload { facts, shape, task: Task::Generate(weights) }
}

impl Workload for GptWorkload {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn amount(&self) -> (usize, &'static str) {
        let tokens = match self.task {
            Task::Train => self.shape.batch_size * self.shape.block_size,
            Task::Generate(_) => self.shape.block_size - 1,
        };
        (tokens, "tokens/s")
    }

    fn recorded_part(&self) -> &'static str {
        match self.task {
            Task::Train => "a step",
            Task::Generate(_) => "a text",
        }
    }

    fn peers(&self, steps: usize, threads: usize) -> Vec<Peer> {
        let [first, last] = self.facts.ratios;
        let (steps, threads) = (steps.to_string(), threads.to_string());
        let args = ["--workload", self.shape.name, "--steps", &steps, "--threads", &threads];
        match self.task {
            Task::Train => {
                let dtype = self.facts.precision.name();
                let mode = |mode| [&args[..], &["--dtype", dtype, "--mode", mode]].concat();
                vec![
                    Peer::new("PyTorch eager", "gpt_torch.py", &["torch"], &mode("eager"), first),
                    Peer::new("PyTorch compiled", "gpt_torch.py", &["torch"], &mode("compile"), last),
                ]
            }
            // No peer stores weights in these formats.
            Task::Generate(format) if format != WeightFormat::F32 => Vec::new(),
            Task::Generate(_) => {
                let tokens = self.amount().0.to_string();
                let args = [&args[..], &["--generate", &tokens, "--cache"]].concat();
                let needs = &["torch", "transformers"];
                vec![Peer::new("transformers, cached", "gpt_torch.py", needs, &args, None)]
            }
        }
    }

    fn stored_weights(&self) -> Option<WeightFormat> {
        match self.task {
            Task::Train => None,
            Task::Generate(weights) => Some(weights),
        }
    }

    fn batch(&self) -> Option<Batch> {
        let Shape { batch_size, block_size, .. } = self.shape;
        matches!(self.task, Task::Train).then_some(Batch { batch_size, block_size })
    }

    fn with_work(&self, batch: Option<Batch>, measure: Measure<'_>) -> anyhow::Result<Measurement> {
        let precision = self.facts.precision;
        match self.task {
            Task::Train => {
                let shape = batch.map_or(self.shape, |Batch { batch_size, block_size }| Shape {
                    batch_size,
                    block_size,
                    ..self.shape
                });
                measure(&mut training(shape, precision)?)
            }
            Task::Generate(weights) => {
                let mut gpt = self.shape.model(precision)?;
                gpt.pack(weights);
                measure(&mut Generation(gpt))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The real one has windows of 1,024 tokens.
    #[test]
    fn the_tables_say_how_short_the_texts_of_gpt_2_are() {
        let texts = format!("{} texts of {} tokens", GPT2.batch_size, GPT2.block_size);
        let text = format!("{} tokens", GPT2.block_size - 1);
        assert!(GPT2.training.ends_with(&texts) && GPT2.generation.starts_with(&text));
        for page in [include_str!("../../../../README.md"), include_str!("../../../../RESULTS.md")] {
            let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(&texts) && words.contains(&text));
        }
    }
}
