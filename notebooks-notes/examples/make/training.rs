//! Small trainings in f64, whose curves and weights the pictures show.

use std::sync::OnceLock;

use m2g_core::optim::{AdamW, Optimizer};
use m2g_core::rng::{Streams, below};
use m2g_core::train::Stepper;
use m2g_core::{Grads, Params, Tape, Tensor, Tokens};
use m2g_digits::{MiniBatch, Network};
use m2g_gpt::{Gpt, GptConfig, TokenBatch};

/// The bigram model of note 2.
pub struct Bigram {
    pub losses: Vec<f64>,
    /// The logits, `(V, V)`.
    pub table: Vec<Vec<f64>>,
}

pub fn bigram() -> Bigram {
    let v = 8;
    let mut params = Params::new();
    let table = params.add("table", Tensor::<f64>::zeros(&[v, v])).expect("one name");
    let tokens = |ids: &[u32]| Tokens::new([1, 4], ids.to_vec()).expect("four tokens");
    let (x, y) = (tokens(&[3, 2, 4, 4]), tokens(&[2, 4, 4, 5]));
    let (mut tape, mut grads, mut adamw) = (Tape::new(), Grads::new(), AdamW::new(0.0));
    let mut losses = Vec::new();
    for _ in 0..=200 {
        let w = tape.param(&params, table);
        let logits = tape.embedding(w, &x).expect("ids below V");
        let loss = tape.cross_entropy(logits, &y).expect("one target per token");
        losses.push(tape.value(loss).data()[0]);
        tape.backward(loss, &mut grads).expect("a scalar");
        tape.reset();
        adamw.update(&mut params, &grads, 1.0, 0.1);
        grads.clear(&mut tape);
    }
    let table = params.get(table).value.data().chunks(v).map(<[f64]>::to_vec).collect();
    Bigram { losses, table }
}

/// The cost of [2, 3, 1] on XOR, a number per step.
pub fn xor(eta: f64, steps: usize) -> Vec<f64> {
    let mut network = Network::<f64>::new(&[2, 3, 1]).expect("valid sizes");
    let tensor =
        |shape: &[usize], data: &[f64]| Tensor::from_vec(shape, data.to_vec()).expect("as many numbers");
    let mini_batch = MiniBatch {
        x: tensor(&[4, 2], &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
        y: tensor(&[4, 1], &[0.0, 1.0, 1.0, 0.0]),
    };
    (0..=steps).map(|_| network.update_mini_batch(&mini_batch, eta).expect("shapes that fit")).collect()
}

/// The words, and the bar. Each sentence repeats four words.
const WORDS: [&str; 9] = ["Ana", "Leo", "Eva", "Tom", "Sol", "Ida", "Max", "Noa", "|"];
const BAR: u32 = 8;
/// Words on each side of the bar.
const N: usize = 4;
const STEPS: usize = 300;

/// A GPT that learned to repeat four words after a bar.
pub struct Repeating {
    pub losses: Vec<f64>,
    pub sentence: Vec<&'static str>,
    /// The weights of each head on the sentence, `(T, T)`.
    pub heads: Vec<Vec<Vec<f64>>>,
}

/// The loss without looking back, and with it: a word costs ln 8, the bar nothing, and what is
/// repeated ln 8 or nothing.
pub fn repeating_bounds() -> (f64, f64) {
    let (word, targets) = (8.0_f64.ln(), 2.0 * N as f64);
    ((2.0 * N as f64 - 1.0) * word / targets, (N as f64 - 1.0) * word / targets)
}

pub fn repeating() -> &'static Repeating {
    static TRAINED: OnceLock<Repeating> = OnceLock::new();
    TRAINED.get_or_init(train_repeating)
}

fn train_repeating() -> Repeating {
    let config = GptConfig {
        n_layer: 1,
        n_head: 2,
        n_embd: 32,
        block_size: 2 * N,
        fused: false,
        vocab_size: WORDS.len(),
        ..GptConfig::default()
    };
    let mut gpt = Gpt::<f64>::new(config, 1).expect("valid settings");
    let mut rng = Streams::new(1).stream("sentences", 0);
    let mut sentence = || {
        let words: Vec<u32> = (0..N).map(|_| below(&mut rng, BAR)).collect();
        [&words[..], &[BAR], &words[..]].concat()
    };
    let shown: Vec<u32> = [0, 3, 5, 1, BAR, 0, 3, 5, 1].to_vec();
    let (mut stepper, mut adamw) = (Stepper::default(), AdamW::new(0.0));
    let b = 16;
    let losses = (0..=STEPS).map(|step| {
        let rows: Vec<Vec<u32>> = (0..b).map(|_| sentence()).collect();
        let part = |from: usize| -> Vec<u32> {
            rows.iter().flat_map(|row| row[from..from + 2 * N].to_vec()).collect()
        };
        let tokens = |from: usize| Tokens::new([b, 2 * N], part(from)).expect("rows of equal length");
        let batch = TokenBatch { x: tokens(0), y: tokens(1) };
        let report = stepper.step(&mut gpt, &[batch], &mut adamw, 1e-2, Some(1.0), step as u64);
        report.expect("a finite loss").loss
    });
    let losses = losses.collect();

    let mut tape = Tape::new();
    tape.set_fused(false);
    tape.trace.switch(true);
    let t = 2 * N;
    gpt.forward(&mut tape, &Tokens::new([1, t], shown[..t].to_vec()).expect("one row")).expect("ids below V");
    let labels = tape.trace.labels().iter();
    let (weights, _) =
        labels.rev().find(|(_, label)| label.ends_with(".weights")).expect("attention has weights");
    let heads = tape.value(*weights).data().chunks(t * t); // (1, H, T, T)
    let heads = heads.map(|head| head.chunks(t).map(<[f64]>::to_vec).collect()).collect();
    Repeating { losses, sentence: shown[..t].iter().map(|id| WORDS[*id as usize]).collect(), heads }
}
