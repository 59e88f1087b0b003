//! In steady state, a training step makes no large allocation, because all buffers are reused; and
//! training needs about as much memory as is estimated before it starts.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use m2g_core::data::mnist::{DigitData, LabelledImages};
use m2g_core::threads::with_threads;
use m2g_core::train::{Observer, Progress, Save, Session, SessionModel};
use m2g_core::{Error, Precision};
use m2g_digits::{Backprop, Network};
use m2g_gpt::Gpt;
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
/// Bytes that are allocated now, and the most so far.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The counters belong to the process: only one test at a time may use them.
static ONE_TEST: Mutex<()> = Mutex::new(());

fn count(bytes: usize) {
    ALL.fetch_add(1, Relaxed);
    PEAK.fetch_max(LIVE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
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
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(memory, layout, new) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
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

#[test]
fn byte_pairs_of_a_text_without_spaces_are_learned_in_few_bytes() {
    let _alone = ONE_TEST.lock().unwrap();
    // 40,000 different lines of 10 Chinese characters.
    let mut state = 1_u32;
    let mut character = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (state >> 16) % 0x5000).unwrap()
    };
    let text: String = (0..440_000).map(|i| if i % 11 == 10 { '\n' } else { character() }).collect();
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let tokenizer = Tokenizer::bpe(&text, 300).unwrap();
    let ratio = (PEAK.load(Relaxed) - before) as f64 / text.len() as f64;
    println!("{} tokens: {ratio:.1} bytes per byte of text", tokenizer.vocab_size());
    assert!(ratio < 8.0, "{ratio:.1} bytes per byte of text");
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

#[test]
fn a_corpus_is_scored_a_line_at_a_time() {
    use m2g_translate::metrics::{Bleu, Chrf, Metric};

    let _alone = ONE_TEST.lock().unwrap();
    let lines = vec!["a few words on a line"; 50_000];
    let references = [lines.clone()];
    let (bleu, chrf) = (Bleu::default(), Chrf::default());
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let bleu = bleu.score(&bleu.corpus(&lines, &references).unwrap());
    let chrf = chrf.score(&chrf.corpus(&lines, &references).unwrap());
    let needed = PEAK.load(Relaxed) - before;
    println!("BLEU {bleu}, chrF {chrf}: {needed} bytes for {} lines", lines.len());
    assert!(needed < lines.len(), "{needed} bytes for {} lines", lines.len());
}

#[test]
fn a_training_step_in_steady_state_makes_no_large_allocation() {
    let _alone = ONE_TEST.lock().unwrap();
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
    let (config, corpus) = gpt(Precision::F32, 8);
    check("GPT, Muon", 1, |watch| {
        let config = m2g_gpt::Config { muon_learning_rate: 0.02, ..config };
        let mut training = m2g_gpt::training::Training::new(config, &corpus, Save::Nowhere)?;
        training.run(watch).map(drop)
    });
    for backprop in [Backprop::Tape, Backprop::ByHand] {
        let (config, data) = digits(backprop);
        check(&format!("digits, {backprop:?}"), 1, |watch| {
            let mut training = m2g_digits::training::Training::new(config, &data, Save::Nowhere)?;
            training.run(watch).map(drop)
        });
    }
}

#[test]
fn many_images_are_measured_in_the_memory_of_one_batch() {
    let _alone = ONE_TEST.lock().unwrap();
    let network = Network::<f32>::new(&[784, 30, 10]).unwrap();
    let mut test = digits(Backprop::Tape).1.test;
    (test.images, test.labels) = (test.images.repeat(500), test.labels.repeat(500));
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let report = with_threads(1, || m2g_digits::test_report::measure(&network, &test)).unwrap().unwrap();
    let needed = PEAK.load(Relaxed) - before;
    let pixels = 4 * test.images.len();
    println!(
        "{} images: {:.1} MB, {:.1} MB of pixels",
        report.images,
        needed as f64 / 1e6,
        pixels as f64 / 1e6
    );
    assert!(needed < pixels / 2, "{needed} bytes for {pixels} of pixels");
}

/// Trains for a few steps, and compares the most memory that this needed with the estimate.
fn compare_with_estimate<M>(what: &str, config: M::Config, data: &M::Data)
where
    M: SessionModel<Config: Send, Data: Sync>,
{
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let estimate = with_threads(1, || {
        let mut session = Session::<M>::new(config, data, Save::Nowhere)?;
        session.run(&mut ())?;
        Ok::<_, Error>(M::footprint(&session.description, Some(data)).unwrap())
    });
    let needed = (PEAK.load(Relaxed) - before) as f64;
    let estimate = estimate.unwrap().unwrap();
    let ratio = estimate.bytes() as f64 / needed;
    println!("{what}: {:.1} MB, estimated as {ratio:.2} times that ({estimate:?})", needed / 1e6);
    assert!((0.5..2.0).contains(&ratio), "{what}: {needed} bytes, estimated as {ratio:.2} times that");
}

#[test]
fn parallel_text_is_in_memory_once_while_it_is_loaded() {
    let _alone = ONE_TEST.lock().unwrap();
    // Long words: few tokens beside the text.
    let side = |letter: &str| vec![letter.repeat(80); 5].join(" ");
    let text = format!("{}\t{}\n", side("a"), side("b")).repeat(10_000);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pairs.tsv");
    std::fs::write(&file, &text).unwrap();
    let data = file.display().to_string();
    let config = m2g_translate::Config { data, tokenizer: "word".into(), ..m2g_translate::Config::default() };
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let corpus = m2g_translate::data::Corpus::load(&config, None).unwrap();
    let ratio = (PEAK.load(Relaxed) - before) as f64 / text.len() as f64;
    println!("{} pairs: {ratio:.2} bytes per byte of text", corpus.train.len());
    assert!(ratio < 1.5, "{ratio:.2} bytes per byte of text");
}

#[test]
fn training_needs_about_the_memory_that_is_estimated() {
    let _alone = ONE_TEST.lock().unwrap();
    let (config, mut corpus) = gpt(Precision::F32, 8);
    corpus.val = TokenData::new(&corpus.train.to_vec().unwrap().repeat(2));
    let usual = m2g_gpt::Config {
        n_layer: 4,
        block_size: 128,
        gradient_accumulation_steps: 1,
        dropout: 0.0,
        max_iters: 2,
        eval_interval: 2,
        ..config
    };
    for (what, config) in [
        ("many activations", usual.clone()),
        (
            "dropout and two passes",
            m2g_gpt::Config { dropout: 0.1, gradient_accumulation_steps: 2, ..usual.clone() },
        ),
        ("attention op by op", m2g_gpt::Config { fused: false, n_head: 4, ..usual.clone() }),
        ("another score", m2g_gpt::Config { score: m2g_core::nn::Score::Cosine, ..usual.clone() }),
        (
            "attention op by op, with ALiBi and dropout",
            m2g_gpt::Config {
                fused: false,
                n_head: 4,
                dropout: 0.1,
                positions: m2g_core::nn::Positions::Alibi,
                ..usual.clone()
            },
        ),
        ("rotary positions", m2g_gpt::Config { positions: m2g_core::nn::Positions::Rotary, ..usual.clone() }),
    ] {
        compare_with_estimate::<Gpt<f32>>(what, config, &corpus);
    }
    corpus.vocab_size = 5000;
    compare_with_estimate::<Gpt<f32>>("a large vocabulary", m2g_gpt::Config { n_layer: 1, ..usual }, &corpus);
    for optimizer in ["sgd", "adamw"] {
        let (config, mut data) = digits(Backprop::Tape);
        let (images, labels) = (vec![7; 784 * 1000], vec![1; 1000]);
        data.validation = LabelledImages { images, labels, rows: 28, cols: 28 };
        let optimizer = m2g_core::settings::SettingValue::from_text(optimizer).unwrap();
        let config = m2g_digits::Config { hidden: vec![1000, 1000], optimizer, ..config };
        compare_with_estimate::<Network<f32>>("digits", config, &data);
    }
}

#[test]
fn an_export_does_not_copy_the_model() {
    use m2g_core::nn::Positions::{Learned, Rotary};
    use m2g_core::train::Model;
    use m2g_gpt::gguf::{Export, Quantisation, export};
    use m2g_gpt::{Config, GptConfig};

    let _alone = ONE_TEST.lock().unwrap();
    // Few enough characters for a token that is never drawn, and more tokens than channels.
    let characters = Tokenizer::char("abcdefghijklmnopqrstuvwxyz");
    for (tokenizer, vocab_size) in [(Some(&characters), 26), (None, 500)] {
        for positions in [Learned, Rotary] {
            let settings = Config { n_layer: 8, n_head: 2, n_embd: 64, block_size: 32, ..Config::default() };
            let config = GptConfig { positions, ..settings.model(vocab_size) };
            let gpt = Gpt::<f32>::new(config.clone(), 1).unwrap();
            let (params, quantisation) = (gpt.params(), Quantisation::F32);
            let before = LIVE.load(Relaxed);
            PEAK.store(before, Relaxed);
            let model = Export { name: "x", config: &config, params, tokenizer, quantisation };
            export(&mut std::io::sink(), std::path::Path::new("x"), model).unwrap();
            let (needed, model) = (PEAK.load(Relaxed) - before, 4 * params.count());
            let what = format!("{positions:?}, {vocab_size} tokens: {needed} bytes to export {model}");
            println!("{what}");
            assert!(needed < model / 3, "{what}");
        }
    }
}
