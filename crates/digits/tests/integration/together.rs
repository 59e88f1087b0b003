//! Training by several ranks, which are threads here: any number of them gives the same bits.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use m2g_core::data::mnist::{DigitData, Split, load};
use m2g_core::train::rank_check;
use m2g_digits::{Backprop, Config, Network};

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

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    for config in configs() {
        let difference = rank_check::first_difference::<Network<f32>>(&config, &data(&config), dir.path(), 4);
        assert_eq!(difference.unwrap(), None, "ranks");
    }
}
