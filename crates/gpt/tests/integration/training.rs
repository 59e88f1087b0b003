//! Whole training runs of a tiny GPT: they learn, resume bit for bit, and start from the
//! model of another run.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use m2g_core::ranks::Ranks;
use m2g_core::train::run_folder::{BEST, LAST};
use m2g_core::train::{Ended, EvaluationRecord, Model, Observer, Progress, Save};
use m2g_core::{Precision, Tape};
use m2g_gpt::data::{Corpus, Windows, entropy};
use m2g_gpt::evaluation::{full_pass_batch_size, full_pass_loss};
use m2g_gpt::training::{Description, Training, create};
use m2g_gpt::{Config, Gpt};
use m2g_text::{TokenData, Tokenizer};
use proptest::prelude::*;

/// A text in which the previous character alone does not determine the next.
fn text() -> String {
    (0..500).map(|i| format!("{} times 7 is {}.\n", i % 50, i % 50 * 7)).collect()
}

fn corpus_of(text: &str, tokenizer: Tokenizer) -> Corpus {
    let ids = tokenizer.encode(text).unwrap();
    let (train, val) = ids.split_at(ids.len() * 9 / 10);
    Corpus::new(TokenData::new(train), TokenData::new(val), tokenizer, "a test".into(), Vec::new())
}

fn corpus() -> Corpus {
    corpus_of(&text(), Tokenizer::char(&text()))
}

fn config() -> Config {
    Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        block_size: 16,
        dropout: 0.1,
        batch_size: 4,
        gradient_accumulation_steps: 2,
        max_iters: 24,
        eval_interval: 5,
        warmup_iters: 5,
        ..Config::default()
    }
}

fn bits(gpt: &Gpt<f32>) -> Vec<u32> {
    gpt.params().iter().flat_map(|p| p.value.data()).map(|x| x.to_bits()).collect()
}

/// The bits of the parameters after the last step of an uninterrupted run.
fn trained(config: Config, corpus: &Corpus, dir: &Path) -> Vec<u32> {
    let run = dir.join("run");
    Training::new(config, corpus, Save::Replace(&run)).unwrap().run(&mut ()).unwrap();
    bits(&Training::load(&run, LAST).unwrap().0)
}

/// Stops before step `at`, and records what it saw.
#[derive(Default)]
struct Watch {
    at: Option<u64>,
    steps: Vec<Progress>,
    evaluations: Vec<EvaluationRecord>,
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        self.steps.push(*progress);
    }
    fn evaluated(&mut self, record: &EvaluationRecord) {
        self.evaluations.push(record.clone());
    }
    fn stop(&mut self) -> bool {
        self.at.is_some_and(|at| self.steps.last().is_some_and(|last| last.step >= at))
    }
}

#[test]
fn it_learns_more_than_bigrams() {
    let corpus = corpus();
    let config = Config {
        max_iters: 300,
        n_embd: 32,
        dropout: 0.0,
        batch_size: 16,
        gradient_accumulation_steps: 1,
        block_size: 24,
        learning_rate: 1e-2,
        min_lr: 1e-3,
        eval_interval: 100,
        eval_iters: 4,
        ..config()
    };
    let mut training = Training::new(config, &corpus, Save::Nowhere).unwrap();
    let mut watch = Watch::default();
    let outcome = training.run(&mut watch).unwrap();
    let first = watch.steps[0].loss;
    let ln_v = (corpus.vocab_size as f64).ln();
    assert!((first - ln_v).abs() < 0.2, "first loss {first}, ln V {ln_v}");
    let best = -outcome.best_score.unwrap();
    assert!(best < 0.7 * entropy::bigram(&corpus.train).unwrap(), "{best}");
    // The sampled estimates are close to the full pass.
    let metrics = &watch.evaluations.last().unwrap().metrics;
    let names: Vec<&str> = metrics.iter().map(|m| m.0).collect();
    assert_eq!(names, ["val_loss", "train_loss_estimate", "val_loss_estimate"]);
    assert!(metrics.iter().all(|m| (m.1 - metrics[0].1).abs() < 0.3), "{metrics:?}");
    // The model is the best one, and the loss of a full pass does not depend on the batch size.
    let mut tape = Tape::without_gradients();
    let (gpt, ranks) = (&training.model, &mut Ranks::default());
    let windows = Windows::new(&corpus.val, gpt.config().block_size).unwrap();
    for batch_size in [1, 7, full_pass_batch_size(gpt.config())] {
        let loss = full_pass_loss(gpt, &mut tape, windows, batch_size, ranks).unwrap();
        assert!((loss - best).abs() < 1e-5, "{batch_size}: {loss}, not {best}");
    }
}

#[test]
fn a_resumed_run_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let whole = trained(config(), &corpus, dir.path());
    for at in [0, 1, 7, 23] {
        let run = dir.path().join(format!("stopped-{at}"));
        let mut watch = Watch { at: Some(at), ..Watch::default() };
        if at == 0 {
            // A run saves a checkpoint before its first step, too.
            watch.steps.push(Progress {
                step: 0,
                steps: 0,
                loss: 0.0,
                lr: 0.0,
                grad_norm: None,
                waited: None,
            });
        }
        let outcome = Training::new(config(), &corpus, Save::New(&run)).unwrap().run(&mut watch).unwrap();
        assert_eq!((outcome.ended, outcome.steps), (Ended::Stopped, at));
        let description = Training::describe(&run).unwrap();
        let outcome = Training::resume(&run, &corpus, description).unwrap().run(&mut ()).unwrap();
        assert_eq!((outcome.ended, outcome.steps), (Ended::Finished, 24));
        assert!(bits(&Training::load(&run, LAST).unwrap().0) == whole, "stopped after {at}");
    }
}

/// Muon updates the matrices of the blocks, AdamW the rest; both come back from a checkpoint.
#[test]
fn a_run_with_muon_resumes_and_moves_every_matrix() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let muon = Config { muon_learning_rate: 0.02, ..config() };
    let whole = trained(muon.clone(), &corpus, dir.path());
    assert!(whole != trained(config(), &corpus, dir.path()), "AdamW alone ends elsewhere");
    let run = dir.path().join("stopped");
    let training = Training::new(muon.clone(), &corpus, Save::New(&run)).unwrap();
    let before = training.model.params().clone();
    { training }.run(&mut Watch { at: Some(7), ..Watch::default() }).unwrap();
    let description = Training::describe(&run).unwrap();
    Training::resume(&run, &corpus, description).unwrap().run(&mut ()).unwrap();
    let after = Training::load(&run, LAST).unwrap().0;
    assert!(bits(&after) == whole, "resumed with other bits");
    // Queries, keys and values; the projection; the two feed-forward layers: four in each of two blocks.
    let hidden: Vec<_> = before.iter().filter(|p| p.hidden_matrices > 0).collect();
    assert_eq!(hidden.len(), 8);
    assert_eq!(hidden.iter().map(|p| p.hidden_matrices).sum::<usize>(), 12);
    assert!(before.iter().zip(after.params().iter()).all(|(a, b)| a.value != b.value));
}

/// The start of a run: batches and windows an eighth as large as later.
#[test]
fn batches_grow_and_a_run_resumes_among_them() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let growing = Config { batch_size: 8, batch_size_warmup: 9, block_size_warmup: 15, ..config() };
    let whole = trained(growing.clone(), &corpus, dir.path());
    for other in [
        Config { batch_size_warmup: 0, ..growing.clone() },
        Config { block_size_warmup: 0, ..growing.clone() },
    ] {
        assert!(trained(other, &corpus, dir.path()) != whole);
    }
    for at in [2, 9, 14] {
        let run = dir.path().join(format!("stopped-{at}"));
        let mut watch = Watch { at: Some(at), ..Watch::default() };
        Training::new(growing.clone(), &corpus, Save::New(&run)).unwrap().run(&mut watch).unwrap();
        let description = Training::describe(&run).unwrap();
        Training::resume(&run, &corpus, description).unwrap().run(&mut ()).unwrap();
        assert!(bits(&Training::load(&run, LAST).unwrap().0) == whole, "stopped after {at}");
    }
}

#[test]
fn evaluations_change_no_bit() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let whole = trained(config(), &corpus, dir.path());
    for (eval_interval, eval_iters, log_interval) in [(1, 3, 1), (1000, 0, 7)] {
        let config = Config { eval_interval, eval_iters, log_interval, ..config() };
        assert!(trained(config, &corpus, dir.path()) == whole, "every {eval_interval}");
    }
    assert!(trained(Config { seed: 2, ..config() }, &corpus, dir.path()) != whole);
}

#[test]
fn a_run_is_not_resumed_on_other_data() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    trained(config(), &corpus, dir.path());
    let run = dir.path().join("run");
    let other = corpus_of(&text()[10..], corpus.tokenizer.clone().unwrap());
    let description = Training::describe(&run).unwrap();
    let error = Training::resume(&run, &other, description).err().unwrap().to_string();
    assert!(error.contains("other data") && error.contains("the same data"), "{error}");
}

#[test]
fn fine_tuning_starts_from_the_best_model_of_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let long = Config { max_iters: 100, dropout: 0.0, ..config() };
    trained(long, &corpus, dir.path());
    let run = dir.path().join("run");
    let (old, description) = Training::load(&run, BEST).unwrap();
    let next = Config { init_from: run.display().to_string(), max_iters: 1, decay_lr: false, ..config() };

    let start = Training::new(next.clone().shaped_like(&description), &corpus, Save::Nowhere).unwrap();
    assert!(bits(&start.model) == bits(&old));
    // Fewer positions, everything else unchanged.
    let short = Config { block_size: 8, ..next.clone() };
    let start = Training::new(short.clone(), &corpus, Save::Nowhere).unwrap();
    let shape =
        |name: &str| start.model.params().iter().find(|p| p.name == name).map(|p| p.value.shape().to_vec());
    assert_eq!(shape("wpe.weight"), Some(vec![8, 16]));
    let mut watch = Watch::default();
    Training::new(short, &corpus, Save::Nowhere).unwrap().run(&mut watch).unwrap();
    let ln_v = (corpus.vocab_size as f64).ln();
    assert!(watch.steps[0].loss < 0.8 * ln_v, "it keeps what the run has learned: {}", watch.steps[0].loss);

    let wider = Config { n_embd: 32, ..next.clone() };
    let error = Training::new(wider, &corpus, Save::Nowhere).err().unwrap().to_string();
    assert!(error.starts_with("n_embd is 32"), "{error}");
    let bytes = corpus_of(&text(), Tokenizer::byte());
    let error = Training::new(next, &bytes, Save::Nowhere).err().unwrap().to_string();
    assert!(error.contains("another vocabulary"), "{error}");
}

#[test]
fn an_imported_model_becomes_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("imported");
    let config = config();
    let gpt = Gpt::new(config.model(99), 7).unwrap();
    let description =
        Description { model: gpt.config().clone(), config, tokenizer: None, data: String::new() };
    create(Save::New(&run), &description, &gpt).unwrap();
    assert!(create(Save::New(&run), &description, &gpt).is_err());
    for file in [BEST, LAST] {
        let (loaded, its_description) = Training::load(&run, file).unwrap();
        assert!(bits(&loaded) == bits(&gpt) && its_description == description);
    }
    let error = Training::resume(&run, &corpus(), description).err().unwrap().to_string();
    assert!(error.contains("init_from"), "{error}");
}

#[test]
fn a_diverging_run_keeps_its_last_good_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus();
    let run = dir.path().join("run");
    let config = Config { learning_rate: 1e30, min_lr: 1e30, weight_decay: 0.0, warmup_iters: 0, ..config() };
    let error = Training::new(config, &corpus, Save::New(&run)).unwrap().run(&mut ()).unwrap_err();
    assert!(error.to_string().contains("not finite after "), "{error}");
    let (gpt, _) = Training::load(&run, LAST).unwrap();
    assert!(gpt.params().iter().all(|p| p.value.data().iter().all(|x| x.is_finite())));
}

#[test]
fn invalid_settings_and_short_texts_are_named() {
    let corpus = corpus();
    let cases = [
        (Config { batch_size: 0, ..config() }, "batch_size is 0"),
        (Config { gradient_accumulation_steps: 0, ..config() }, "gradient_accumulation_steps is 0"),
        (Config { learning_rate: f64::NAN, ..config() }, "learning_rate is NaN"),
        (Config { min_lr: -1.0, ..config() }, "min_lr is -1"),
        (Config { beta2: 1.0, ..config() }, "beta2 is 1"),
        (Config { grad_clip: f64::INFINITY, ..config() }, "grad_clip is inf"),
        (Config { dropout: 1.0, ..config() }, "dropout is 1"),
        (Config { n_embd: 15, ..config() }, "n_embd is 15 with n_head 2"),
        (Config { n_layer: 0, ..config() }, "n_layer is 0"),
        (Config { max_iters: 0, ..config() }, "max_iters is 0"),
        (Config { eval_interval: 0, ..config() }, "eval_interval is 0"),
        (Config { log_interval: 0, ..config() }, "log_interval is 0"),
        (Config { tokenizer: "words".into(), ..config() }, "tokenizer is words"),
        (Config { block_size: 9000, ..config() }, "block_size is 9000: a window"),
        (Config { init_from: "nowhere".into(), ..config() }, "there is no run in nowhere"),
    ];
    for (config, start) in cases {
        let error = Training::new(config, &corpus, Save::Nowhere).err().unwrap().to_string();
        assert!(error.starts_with(start), "{error}");
    }
    for n in [0, 1] {
        let (train, val) = (corpus.train.to_vec().unwrap(), corpus.val.to_vec().unwrap());
        let (train, val) = (TokenData::new(&train), TokenData::new(&val[..n]));
        let short = Corpus::new(train, val, Tokenizer::char(&text()), "a test".into(), Vec::new());
        let error = Training::new(config(), &short, Save::Nowhere).err().unwrap().to_string();
        assert!(error.starts_with("the validation split of a test has fewer than two tokens"), "{error}");
    }
    // With a single character there is nothing to learn, but nothing breaks either.
    let same = corpus_of(&"a".repeat(400), Tokenizer::char("a"));
    let outcome = Training::new(config(), &same, Save::Nowhere).unwrap().run(&mut ()).unwrap();
    assert_eq!(outcome.metric("val_loss"), Some(0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 64).max(1)))]

    #[test]
    fn a_run_resumes_at_any_step_to_the_same_bits(
        stops in prop::collection::vec(0..24_u64, 1..4), bf16: bool, fused: bool, accumulate in 1..3_usize,
        recent: bool,
    ) {
        let config = Config {
            value_residual: recent,
            batch_size_warmup: if recent { 10 } else { 0 },
            block_size_warmup: if recent { 13 } else { 0 },
            average: if recent { 3 } else { 1 },
            precision: if bf16 { Precision::Bf16 } else { Precision::F32 },
            fused,
            gradient_accumulation_steps: accumulate,
            ..config()
        };
        let dir = tempfile::tempdir().unwrap();
        let corpus = corpus();
        let whole = trained(config.clone(), &corpus, dir.path());
        let run = dir.path().join("parts");
        let mut training = Training::new(config, &corpus, Save::New(&run)).unwrap();
        for stop in stops {
            // Before the first step, there is a checkpoint too.
            let mut watch = Watch { at: Some(stop.max(1)), ..Watch::default() };
            training.run(&mut watch).unwrap();
            drop(training);
            training = Training::resume(&run, &corpus, Training::describe(&run).unwrap()).unwrap();
        }
        training.run(&mut ()).unwrap();
        prop_assert!(bits(&Training::load(&run, LAST).unwrap().0) == whole);
    }
}
