//! One training step of a GPT, and its generation, against PyTorch in the same run.
//!
//! `cargo bench --bench gpt` measures; `-- --rounds N` sets how many turns everyone
//! takes, `--only shakespeare-char-cpu` measures one workload, `--what train` or
//! `--what generate` one kind.

use std::time::Instant;

use anyhow::{Context, bail};
use m2g_core::Tape;
use m2g_core::ops::embedding::Tokens;
use m2g_core::optim::AdamW;
use m2g_core::rng::{Streams, below, uniform};
use m2g_core::threads::with_threads;
use m2g_core::train::{Model, Stepper};

use m2g_gpt::{Config, Gpt, GptConfig, TokenBatch};
use serde_json::{Value, json};

#[path = "support/turns.rs"]
mod turns;

use turns::{Contestant, after, compare, peak_memory, rounds};

/// A model of nanoGPT's configurations and how it is measured.
struct Workload {
    name: &'static str,
    batch_size: usize,
    /// Steps in one measurement, of which the fastest counts, for everyone alike.
    steps: &'static str,
    /// Texts to generate in one measurement, of which the fastest counts. Each fills
    /// the window: it begins with one token and gets `block_size - 1`.
    texts: &'static str,
    model: GptConfig,
}

fn workloads() -> [Workload; 3] {
    let model = |n_layer, n_head, n_embd, block_size| GptConfig {
        block_size,
        n_layer,
        n_head,
        n_embd,
        ..Config::default().model(65)
    };
    [
        Workload {
            name: "shakespeare-char-cpu",
            batch_size: 12,
            steps: "50",
            texts: "50",
            model: model(4, 4, 128, 64),
        },
        Workload {
            name: "shakespeare-char",
            batch_size: 64,
            steps: "3",
            texts: "5",
            model: GptConfig { dropout: 0.2, ..model(6, 6, 384, 256) },
        },
        Workload {
            name: "gpt2-124m",
            batch_size: 4,
            steps: "5",
            texts: "3",
            model: GptConfig { vocab_size: 50257, bias: true, ..model(12, 12, 768, 64) },
        },
    ]
}

/// Steps and texts that do not count: buffers are taken from the system.
const WARM_UP: usize = 2;

fn main() -> anyhow::Result<()> {
    let workloads = workloads();
    if let Some(name) = after("--child") {
        let workload = workloads.iter().find(|w| w.name == name).context("unknown workload")?;
        let report = with_threads(2, || match after("--what").as_deref() {
            Some("generate") => generate(workload),
            _ => train(workload),
        })??;
        println!("{report}");
        return Ok(());
    }
    let rounds = rounds(5)?;
    let (only, what) = (after("--only"), after("--what"));
    if only.as_ref().is_some_and(|name| workloads.iter().all(|w| w.name != name)) {
        bail!("--only takes one of {}", workloads.map(|w| w.name).join(", "));
    }
    for workload in workloads.iter().filter(|w| only.as_ref().is_none_or(|name| w.name == name)) {
        if what.as_ref().is_none_or(|what| what == "train") {
            compare_training(workload, rounds)?;
        }
        if what.as_ref().is_none_or(|what| what == "generate") {
            compare_generation(workload, rounds)?;
        }
    }
    Ok(())
}

fn compare_training(workload: &Workload, rounds: usize) -> anyhow::Result<()> {
    let name = workload.name;
    let peer = |label, mode| {
        let args = ["--workload", name, "--steps", workload.steps, "--mode", mode];
        Contestant::peer(label, "gpt_torch.py", &args)
    };
    let contestants =
        vec![Contestant::ours(&[name])?, peer("pytorch eager", "eager"), peer("pytorch compiled", "compile")];
    let tokens = (workload.batch_size * workload.model.block_size) as f64;
    compare(&format!("{name}, one training step"), rounds, (tokens, "tokens/s"), contestants);
    Ok(())
}

fn compare_generation(workload: &Workload, rounds: usize) -> anyhow::Result<()> {
    let (name, tokens) = (workload.name, workload.model.block_size - 1);
    let length = tokens.to_string();
    let args = ["--workload", name, "--steps", workload.texts, "--generate", &length];
    let contestants = vec![
        Contestant::ours(&[name, "--what", "generate"])?,
        Contestant::peer("transformers, cached", "gpt_torch.py", &[&args[..], &["--cache"]].concat()),
        Contestant::peer("pytorch, uncached", "gpt_torch.py", &args),
    ];
    let title = format!("{name}, a text of {tokens} tokens");
    compare(&title, rounds, (tokens as f64, "tokens/s"), contestants);
    Ok(())
}

/// Measures our training step, on the path that `m2g gpt train` takes.
fn train(workload: &Workload) -> anyhow::Result<Value> {
    let mut gpt = Gpt::<f32>::new(workload.model.clone(), 1)?;
    let mut adamw = AdamW::new(0.1);
    adamw.betas = (0.9, 0.95);
    let mut stepper = Stepper::default();
    let streams = Streams::new(1);
    let mut rng = streams.stream("bench", 0);
    let shape = [workload.batch_size, workload.model.block_size];
    let mut seconds = Vec::new();
    for step in 0..WARM_UP as u64 + workload.steps.parse::<u64>()? {
        let mut tokens = || {
            let id = |_| below(&mut rng, workload.model.vocab_size as u32);
            Tokens::new(shape, (0..shape[0] * shape[1]).map(id).collect::<Vec<_>>())
        };
        let batch = [TokenBatch { x: tokens()?, y: tokens()? }];
        let started = Instant::now();
        stepper.tape.set_dropout(Some(streams.dropout(step)));
        stepper.step(&mut gpt, &batch, &mut adamw, 1e-3, Some(1.0), step)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let parameters = gpt.params().count();
    Ok(json!({
        "seconds": seconds[WARM_UP..], "parameters": parameters, "peak_rss_mb": peak_memory()
    }))
}

/// Measures our generation: tokens drawn at temperature 1, with a cache.
fn generate(workload: &Workload) -> anyhow::Result<Value> {
    let gpt = Gpt::<f32>::new(workload.model.clone(), 1)?;
    let mut tape = Tape::new();
    tape.set_gradients(false);
    let mut rng = Streams::new(1).stream("bench", 0);
    let mut seconds = Vec::new();
    for _ in 0..WARM_UP + workload.texts.parse::<usize>()? {
        let started = Instant::now();
        let mut cache = gpt.cache(1);
        let mut token = 0;
        for _ in 1..workload.model.block_size {
            let logits = gpt.forward_cached(&mut tape, &Tokens::new([1, 1], vec![token])?, &mut cache)?;
            let probabilities = tape.softmax(logits)?;
            let mut left = uniform(&mut rng) as f32;
            let row = tape.value(probabilities).data();
            // The first token up to which the probabilities add up to a random number.
            let reached = row.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            token = reached.unwrap_or(row.len() - 1) as u32;
            tape.reset();
        }
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(json!({"seconds": seconds[WARM_UP..], "peak_rss_mb": peak_memory()}))
}
