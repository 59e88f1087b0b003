//! A run that an earlier version wrote (`tests/old-run`): `m2g gpt train --data text.txt
//! --n-layer 1 --n-head 2 --n-embd 8 --block-size 8 --batch-size 4
//! --gradient-accumulation-steps 2 --dropout 0.1 --max-iters 100000 --lr-decay-iters 400
//! --warmup-iters 5 --eval-interval 20 --eval-iters 2`, stopped after 134 steps.
//! `resumed.safetensors` is the result of `--resume --max-iters 200` in that version.

use std::path::{Path, PathBuf};

use m2g_core::Tape;
use m2g_core::checkpoint::Checkpoint;
use m2g_core::ranks::Ranks;
use m2g_core::train::Model;
use m2g_core::train::run_folder::{BEST, LAST, metrics};
use m2g_gpt::data::{Corpus, Windows};
use m2g_gpt::evaluation::full_pass_loss;
use m2g_gpt::training::Training;
use m2g_text::TokenizerKind;

fn old(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old-run").join(path)
}

fn corpus() -> Corpus {
    Corpus::load(old("text.txt").to_str().unwrap(), TokenizerKind::Char).unwrap()
}

#[test]
fn an_old_run_loads_and_evaluates() {
    let corpus = corpus();
    let mut tape = Tape::without_gradients();
    for (file, old_loss) in [(BEST, 2.3633064802955177), (LAST, 2.3089211968814625)] {
        let (gpt, description) = Training::load(&old("run"), file).unwrap();
        assert_eq!(description, Training::describe(&old("run")).unwrap());
        assert_eq!(description.data, corpus.fingerprint);
        let windows = Windows::new(&corpus.val, gpt.config().block_size).unwrap();
        let loss = full_pass_loss(&gpt, &mut tape, windows, 8, &mut Ranks::default()).unwrap();
        assert!((loss - old_loss).abs() < 1e-5, "{file}: {loss}, before {old_loss}");
    }
}

#[test]
fn an_old_run_resumes_to_the_same_parameters() {
    let (dir, corpus) = (tempfile::tempdir().unwrap(), corpus());
    for file in ["config.toml", "metrics.jsonl", LAST, BEST] {
        std::fs::copy(old("run").join(file), dir.path().join(file)).unwrap();
    }
    let mut description = Training::describe(dir.path()).unwrap();
    description.config.max_iters = 200;
    let mut training = Training::resume(dir.path(), &corpus, description).unwrap();
    assert_eq!((training.state.step, training.state.best_step), (134, 120));
    let outcome = training.run(&mut ()).unwrap();
    assert_eq!((outcome.steps, outcome.best_step), (200, 200));
    let (loss, old_loss) = (outcome.metric("val_loss").unwrap(), 2.1077514255748078);
    assert!((loss - old_loss).abs() < 1e-4, "{loss}, before {old_loss}");
    assert_eq!(metrics(dir.path()).unwrap().len(), 10);
    // Processors round differently, so the difference is not 0 on every machine.
    let resumed = Checkpoint::<f32>::load(&old("resumed.safetensors")).unwrap();
    for param in training.model.params().iter() {
        let pairs = param.value.data().iter().zip(resumed.tensors[&param.name].data());
        let worst = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-3, "{}: {worst}", param.name);
    }
}
