//! A run that an earlier version wrote (`tests/old-run`): `m2g digits train --data data
//! --hidden 6 --epochs 100000 --lr 1 --momentum 0.5 --mini-batch 8 --dropout 0.1`, stopped
//! within epoch 184 of 7 steps. `resumed.safetensors` holds the parameters that the same version
//! reached with `--resume --epochs 190`.

use std::path::{Path, PathBuf};

use m2g_core::checkpoint::Checkpoint;
use m2g_core::data::mnist::{DigitData, Split, load};
use m2g_core::train::Model;
use m2g_core::train::run_folder::{BEST, LAST, metrics};
use m2g_digits::Network;
use m2g_digits::training::Training;

fn old(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old-run").join(path)
}

fn data() -> DigitData {
    load(&old("data"), Split::Standard).unwrap()
}

/// The largest difference between the parameters and those in a checkpoint. Processors may
/// round differently, so it may be above 0 on some machines.
fn difference(network: &Network<f32>, checkpoint: &Checkpoint<f32>) -> f32 {
    let pairs =
        network.params().iter().flat_map(|p| p.value.data().iter().zip(checkpoint.tensors[&p.name].data()));
    pairs.fold(0.0, |worst, (a, b)| worst.max((a - b).abs()))
}

#[test]
fn an_old_run_loads_and_evaluates() {
    let data = data();
    for file in [BEST, LAST] {
        let (network, description) = Training::load(&old("run"), file).unwrap();
        assert_eq!(description, Training::describe(&old("run")).unwrap());
        assert_eq!((description.data, description.image), (data.fingerprint.clone(), (4, 4)));
        assert_eq!(network.evaluate(&data.test).unwrap(), 12, "{file}");
    }
}

#[test]
fn an_old_run_resumes_to_the_same_parameters() {
    let (dir, data) = (tempfile::tempdir().unwrap(), data());
    for file in ["config.toml", "metrics.jsonl", LAST, BEST] {
        std::fs::copy(old("run").join(file), dir.path().join(file)).unwrap();
    }
    let mut description = Training::describe(dir.path()).unwrap();
    description.config.epochs = 190;
    let mut training = Training::resume(dir.path(), &data, description).unwrap();
    assert_eq!((training.state.step, training.state.best_step), (1284, 15 * 7));
    let outcome = training.run(&mut ()).unwrap();
    assert_eq!((outcome.steps, outcome.best_step, outcome.best_score), (1330, 15 * 7, Some(1.0)));
    assert_eq!(
        (outcome.best_test("test_accuracy"), outcome.last_test("test_accuracy")),
        (Some(1.0), Some(1.0))
    );
    let resumed = Checkpoint::load(&old("resumed.safetensors")).unwrap();
    let worst = difference(&Training::load(dir.path(), LAST).unwrap().0, &resumed);
    assert!(worst < 1e-4, "{worst}");
    let best = Checkpoint::load(&old("run").join(BEST)).unwrap();
    assert_eq!(difference(&training.model, &best), 0.0);
    assert_eq!(metrics(dir.path()).unwrap().len(), 12 + 7);
}
