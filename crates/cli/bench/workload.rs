//! What is measured: the list of workloads, with their targets and their peers.

use m2g_core::{Precision, WeightFormat};

use super::digits::Net;
use super::gpt::Shape;
use super::peers::{Peer, Script};

/// One thing that is measured.
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// The work.
    pub kind: Kind,
    /// In which numbers matrices are multiplied.
    pub precision: Precision,
    /// How often it is timed in each process.
    pub steps: usize,
    /// Over how many mini-batches, steps or texts the profile is averaged.
    pub recorded: usize,
    /// What we aim for.
    pub target: Target,
    /// How many times as long as we a peer should take, where that is a target: the first
    /// of its peers and the last.
    pub ratios: Option<[f64; 2]>,
}

/// The work.
pub enum Kind {
    /// An epoch of a digit network.
    Digits(Net),
    /// A training step of a GPT: forward, backward, clip, AdamW.
    Train(Shape),
    /// A text by a GPT, token by token, with the cache.
    Generate(Shape, WeightFormat),
}

/// What we aim for.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// At most so many seconds for the whole.
    Seconds(f64),
    /// At least so many tokens a second.
    TokensPerSecond(f64),
}

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "digits-784-30-10",
        what: "an epoch of 50,000 images, mini-batch 10, sigmoid",
        kind: Kind::Digits(Net { sizes: [784, 30, 10], mini_batch: 10, lr: 3.0 }),
        precision: Precision::F32,
        steps: 3,
        recorded: 2000,
        target: Target::Seconds(0.12),
        ratios: Some([12.0, 2.0]),
    },
    Workload {
        name: "digits-784-800-10",
        what: "an epoch of 50,000 images, mini-batch 128, sigmoid",
        kind: Kind::Digits(Net { sizes: [784, 800, 10], mini_batch: 128, lr: 0.5 }),
        precision: Precision::F32,
        steps: 3,
        recorded: 200,
        target: Target::Seconds(1.1),
        ratios: None,
    },
    train("train-shakespeare-char-cpu", CPU, (50, 20), 0.024, Some(1.5)),
    train("train-shakespeare-char", CHAR, (3, 2), 6.5, Some(1.7)),
    train("train-gpt2-124m", GPT2, (5, 3), 1.15, Some(1.3)),
    in_bf16(train("train-shakespeare-char-cpu-bf16", CPU, (50, 20), 0.016, None)),
    in_bf16(train("train-shakespeare-char-bf16", CHAR, (3, 2), 3.8, None)),
    in_bf16(train("train-gpt2-124m-bf16", GPT2, (5, 3), 0.75, None)),
    generate("generate-shakespeare-char-cpu", CPU, WeightFormat::F32, (50, 10), 15_000.0),
    generate("generate-shakespeare-char", CHAR, WeightFormat::F32, (5, 3), 500.0),
    generate("generate-gpt2-124m", GPT2, WeightFormat::F32, (3, 2), 40.0),
    // With fewer bits, at least as fast.
    generate("generate-shakespeare-char-cpu-bf16", CPU, WeightFormat::Bf16, (50, 10), 15_000.0),
    generate("generate-shakespeare-char-bf16", CHAR, WeightFormat::Bf16, (5, 3), 500.0),
    generate("generate-gpt2-124m-bf16", GPT2, WeightFormat::Bf16, (3, 2), 40.0),
    generate("generate-shakespeare-char-cpu-int8", CPU, WeightFormat::Int8, (50, 10), 15_000.0),
    generate("generate-shakespeare-char-int8", CHAR, WeightFormat::Int8, (5, 3), 500.0),
    generate("generate-gpt2-124m-int8", GPT2, WeightFormat::Int8, (3, 2), 40.0),
];

/// nanoGPT's setting for a CPU.
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
    writing: "63 characters by 4 layers, 4 heads, 128 wide, with the cache",
};

/// nanoGPT's setting for a GPU.
const CHAR: Shape = Shape {
    name: "shakespeare-char",
    n_layer: 6,
    n_head: 6,
    n_embd: 384,
    block_size: 256,
    batch_size: 64,
    dropout: 0.2,
    training: "a step of 6 layers, 6 heads, 384 wide, 64 texts of 256 characters, dropout 0.2",
    writing: "255 characters by 6 layers, 6 heads, 384 wide, with the cache",
    ..CPU
};

/// The smallest GPT-2, which sees 64 tokens here.
const GPT2: Shape = Shape {
    name: "gpt2-124m",
    n_layer: 12,
    n_head: 12,
    n_embd: 768,
    batch_size: 4,
    vocab_size: 50257,
    bias: true,
    training: "a step of GPT-2 124M, 4 texts of 64 tokens",
    writing: "63 tokens by GPT-2 124M, with the cache",
    ..CPU
};

const fn train(
    name: &'static str,
    shape: Shape,
    (steps, recorded): (usize, usize),
    seconds: f64,
    ratio: Option<f64>,
) -> Workload {
    Workload {
        name,
        what: shape.training,
        kind: Kind::Train(shape),
        precision: Precision::F32,
        steps,
        recorded,
        target: Target::Seconds(seconds),
        ratios: match ratio {
            Some(ratio) => Some([ratio, ratio]),
            None => None,
        },
    }
}

const fn in_bf16(workload: Workload) -> Workload {
    Workload { precision: Precision::Bf16, ..workload }
}

const fn generate(
    name: &'static str,
    shape: Shape,
    weights: WeightFormat,
    (steps, recorded): (usize, usize),
    tokens: f64,
) -> Workload {
    Workload {
        name,
        what: shape.writing,
        kind: Kind::Generate(shape, weights),
        precision: Precision::F32,
        steps,
        recorded,
        target: Target::TokensPerSecond(tokens),
        ratios: None,
    }
}

/// The workload of that name.
pub fn named(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

impl Workload {
    /// How much is done each time, and what a second's share of it is called.
    pub fn amount(&self) -> (usize, &'static str) {
        match &self.kind {
            Kind::Digits(_) => (super::digits::IMAGES, "images/s"),
            Kind::Train(shape) => (shape.batch_size * shape.block_size, "tokens/s"),
            Kind::Generate(shape, _) => (shape.block_size - 1, "tokens/s"),
        }
    }

    /// What is recorded for the profile.
    pub fn recorded_part(&self) -> &'static str {
        match self.kind {
            Kind::Digits(_) => "a mini-batch",
            Kind::Train(_) => "a step",
            Kind::Generate(..) => "a text",
        }
    }

    /// Who does the same, as often.
    pub fn peers(&self, steps: usize, threads: usize) -> Vec<Peer> {
        let [first, last] = self.ratios.map_or([None; 2], |ratios| ratios.map(Some));
        let (steps, threads) = (steps.to_string(), threads.to_string());
        let peer = |name, script, needs, args: &[&str], target| Peer {
            name,
            script,
            needs,
            args: args.iter().map(|arg| arg.to_string()).collect(),
            target,
        };
        match &self.kind {
            Kind::Digits(_) => {
                let name = self.name.trim_start_matches("digits-");
                let args = ["--workload", name, "--epochs", &steps];
                // The small network is slower with two threads.
                let torch = [&args[..], &["--threads", if threads == "1" { "1" } else { "best" }]].concat();
                vec![
                    peer("PyTorch", Script::DigitsTorch, &["torch"], &torch, first),
                    peer("numpy", Script::DigitsNumpy, &["numpy"], &args, last),
                ]
            }
            Kind::Train(shape) => {
                let args = ["--workload", shape.name, "--steps", &steps, "--threads", &threads];
                let mode = |mode| [&args[..], &["--dtype", self.precision.name(), "--mode", mode]].concat();
                vec![
                    peer("PyTorch eager", Script::GptTorch, &["torch"], &mode("eager"), first),
                    peer("PyTorch compiled", Script::GptTorch, &["torch"], &mode("compile"), last),
                ]
            }
            // No peer has a format like these.
            Kind::Generate(_, WeightFormat::Bf16 | WeightFormat::Int8) => Vec::new(),
            Kind::Generate(shape, WeightFormat::F32) => {
                let tokens = self.amount().0.to_string();
                let args = ["--workload", shape.name, "--steps", &steps, "--threads", &threads];
                let args = [&args[..], &["--generate", &tokens, "--cache"]].concat();
                let needs = &["torch", "transformers"];
                vec![peer("transformers, cached", Script::GptTorch, needs, &args, None)]
            }
        }
    }
}
