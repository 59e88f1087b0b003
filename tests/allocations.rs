//! In steady state, a training step makes no large allocation, because all buffers are reused.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use m2g_core::data::mnist::{DigitData, LabelledImages};
use m2g_core::threads::with_threads;
use m2g_core::train::{Observer, Progress, Save};
use m2g_core::{Error, Precision};
use m2g_digits::Backprop;
use m2g_gpt::data::Corpus;
use m2g_text::TokenData;
use m2g_text::Tokenizer;

/// An allocation of this size or more is large.
const LARGE_BYTES: usize = 64 << 10;

/// The number of first steps, which allocate the buffers.
const WARM_UP: usize = 2;

/// Steps per training run, warm-up included.
const STEPS: usize = 6;

/// The system's allocator, which counts its allocations.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

static ALL: AtomicUsize = AtomicUsize::new(0);
static LARGE_COUNT: AtomicUsize = AtomicUsize::new(0);
static LARGE_TOTAL_BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    ALL.fetch_add(1, Relaxed);
    if bytes >= LARGE_BYTES {
        LARGE_COUNT.fetch_add(1, Relaxed);
        LARGE_TOTAL_BYTES.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        count(new);
        unsafe { System.realloc(memory, layout, new) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The number and size of allocations, so far or in one step.
#[derive(Debug, Clone, Copy, Default)]
struct Allocated {
    all: usize,
    large: usize,
    large_bytes: usize,
}

impl Allocated {
    fn so_far() -> Self {
        let [all, large, large_bytes] = [&ALL, &LARGE_COUNT, &LARGE_TOTAL_BYTES].map(|n| n.load(Relaxed));
        Self { all, large, large_bytes }
    }
}

/// Counts the allocations of each step. `stop` is called right before a step, `step` right after.
#[derive(Default)]
struct Watch {
    before: Allocated,
    steps: Vec<Allocated>,
}

impl Observer for Watch {
    fn stop(&mut self) -> bool {
        self.steps.reserve(1);
        self.before = Allocated::so_far();
        false
    }
    fn step(&mut self, _: &Progress) {
        let (now, before) = (Allocated::so_far(), self.before);
        self.steps.push(Allocated {
            all: now.all - before.all,
            large: now.large - before.large,
            large_bytes: now.large_bytes - before.large_bytes,
        });
    }
}

/// Trains with the given number of threads and checks that no step allocates anything large.
fn check(what: &str, threads: usize, train: impl FnOnce(&mut Watch) -> Result<(), Error> + Send) {
    let mut watch = Watch::default();
    with_threads(threads, || train(&mut watch)).unwrap().unwrap();
    assert_eq!(watch.steps.len(), STEPS);
    assert!(watch.steps[0].large > 0, "{what}: nothing was counted: {:?}", watch.steps);
    let steady = &watch.steps[WARM_UP..];
    println!("{what}: {:?} allocations a step", steady.iter().map(|step| step.all).collect::<Vec<_>>());
    // With several threads, scheduling is random: a thread may need its first product buffer after
    // the warm-up. An allocation in every step is still detected.
    let large = steady.iter().filter(|step| step.large > 0).count();
    let allowed = if threads == 1 { 0 } else { steady.len() - 1 };
    assert!(large <= allowed, "{what}: in steady state {large} steps allocate: {steady:?}");
}

/// A GPT with large weights and 256 tokens per sequence.
fn gpt(precision: Precision, batch_size: usize) -> (m2g_gpt::Config, Corpus) {
    let text: String = (0..200).map(|i| format!("{} times 7 is {}.\n", i % 50, i % 50 * 7)).collect();
    let tokenizer = Tokenizer::char(&text);
    let ids = tokenizer.encode(&text).unwrap();
    let (train, val) = (TokenData::new(&ids), TokenData::new(&ids[..300]));
    let corpus = Corpus::new(train, val, tokenizer, "a test".into(), Vec::new());
    let config = m2g_gpt::Config {
        n_layer: 1,
        n_head: 2,
        n_embd: 64,
        block_size: 256,
        batch_size,
        gradient_accumulation_steps: 2,
        dropout: 0.2,
        grad_clip: 1.0,
        max_iters: STEPS as u64,
        eval_interval: STEPS as u64,
        precision,
        ..m2g_gpt::Config::default()
    };
    (config, corpus)
}

/// The book's network.
fn digits(backprop: Backprop) -> (m2g_digits::Config, DigitData) {
    let config = m2g_digits::Config { epochs: 1, backprop, ..m2g_digits::Config::default() };
    let images = |n: usize| LabelledImages {
        images: (0..n * 784).map(|i| (i * 7 % 251) as u8).collect(),
        labels: (0..n).map(|i| (i % 10) as u8).collect(),
        rows: 28,
        cols: 28,
    };
    let data = DigitData {
        train: images(STEPS * config.batch_size),
        validation: images(10),
        test: images(10),
        source: "a test".into(),
        n_classes: 10,
        ..DigitData::default()
    };
    (config, data)
}

/// A single test, because the counters are global to the process.
#[test]
fn a_training_step_in_steady_state_makes_no_large_allocation() {
    // With 64 sequences, as in nanoGPT's GPU configuration, the tokens themselves are large.
    for (precision, batch_size, threads) in
        [(Precision::F32, 64, 1), (Precision::F32, 8, 2), (Precision::Bf16, 8, 1), (Precision::Bf16, 8, 2)]
    {
        let (config, corpus) = gpt(precision, batch_size);
        check(&format!("GPT, {}, {threads} threads", precision.name()), threads, |watch| {
            let mut training = m2g_gpt::training::Training::new(config, &corpus, Save::Nowhere)?;
            training.run(watch).map(drop)
        });
    }
    for backprop in [Backprop::Tape, Backprop::ByHand] {
        let (config, data) = digits(backprop);
        check(&format!("digits, {backprop:?}"), 1, |watch| {
            let mut training = m2g_digits::training::Training::new(config, &data, Save::Nowhere)?;
            training.run(watch).map(drop)
        });
    }
}
