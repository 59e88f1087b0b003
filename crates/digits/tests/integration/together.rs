//! Training by several ranks, which are threads here: any number of them gives the same bits.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use m2g_core::data::mnist::{DigitData, Split, load};
use m2g_core::ranks::in_threads;
use m2g_core::train::Save;
use m2g_core::train::run_folder::{self, BEST, LAST};
use m2g_digits::training::{KIND, Training};
use m2g_digits::{Backprop, Config};

/// Some of MNIST.
fn data(_: &Config) -> DigitData {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mnist");
    let data = load(&dir, Split::Standard).unwrap();
    DigitData {
        train: data.train.slice(0..450),
        validation: data.validation.slice(0..1_100),
        test: data.test.slice(0..1_500),
        ..data
    }
}

/// 450 images are 14 steps of 32 and 2 more, and 11 steps of 40 and 10 more.
fn configs() -> [Config; 2] {
    let config = Config { epochs: 2, batch_size: 8, shards: 4, ..Config::default() };
    [
        Config { dropout: 0.2, grad_clip: 0.1, momentum: 0.5, learning_rate: 0.5, ..config.clone() },
        Config { backprop: Backprop::ByHand, shards: 5, ..config },
    ]
}

/// The bits of both checkpoints, and the evaluations without their times.
fn saved(run: &Path) -> (Vec<Vec<u32>>, Vec<serde_json::Value>) {
    let bits = [BEST, LAST].into_iter().map(|file| {
        let checkpoint = run_folder::load::<f32>(run, file, KIND).unwrap();
        checkpoint.tensors.values().flat_map(|t| t.data()).map(|x| x.to_bits()).collect()
    });
    let mut metrics = run_folder::metrics(run).unwrap();
    metrics.iter_mut().for_each(|line| line["seconds"] = serde_json::Value::Null);
    (bits.collect(), metrics)
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    for config in configs() {
        let data = data(&config);
        let mut first = None;
        for size in 1..=4 {
            let run = dir.path().join(size.to_string());
            let outcomes = in_threads(size, |mut ranks| {
                let save = if ranks.rank() == 0 { Save::Replace(&run) } else { Save::Nowhere };
                let mut training = ranks.agree(Training::new(config.clone(), &data, save)).unwrap();
                training.join(ranks, "test").unwrap();
                training.run(&mut ()).unwrap()
            });
            let outcomes = outcomes.unwrap();
            let result = (saved(&run), outcomes[0].best_test.clone());
            assert!(outcomes.iter().all(|outcome| outcome.best_test == result.1));
            assert!(*first.get_or_insert_with(|| result.clone()) == result, "{size} ranks");
        }
    }
}
