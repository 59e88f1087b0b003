//! The parts of a dataset have no image in common, and lack none.

use std::path::Path;

use m2g_core::data::idx::{self, Idx};
use m2g_core::data::mnist::{LabelledImages, Reading, Split, load_with};
use proptest::prelude::*;

fn save(path: &Path, shape: &[usize], data: Vec<u8>) {
    let mut bytes = Vec::new();
    idx::write(&Idx { shape: shape.to_vec(), data }, &mut bytes).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Images of 1 x 4 pixels, each of which spells its number, from `first` on.
fn save_images(folder: &Path, prefix: &str, first: u32, labels: &[u8]) {
    let pixels = (first..).take(labels.len()).flat_map(u32::to_be_bytes).collect();
    save(&folder.join(format!("{prefix}-images-idx3-ubyte")), &[labels.len(), 1, 4], pixels);
    save(&folder.join(format!("{prefix}-labels-idx1-ubyte")), &[labels.len()], labels.to_vec());
}

/// The numbers of the images, with their labels.
fn numbers(images: &LabelledImages) -> Vec<(u32, u8)> {
    let number = |i: usize| u32::from_be_bytes(images.image(i).try_into().unwrap());
    (0..images.len()).map(|i| (number(i), images.labels[i])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 4).max(1)))]

    #[test]
    fn each_image_is_in_one_part_with_its_label(
        mut train in prop::collection::vec(0..10_u8, 1..200), test in prop::collection::vec(0..10_u8, 1..50),
        sorted: bool, all: bool, seed: u64,
    ) {
        if sorted {
            train.sort_unstable();
        }
        let dir = tempfile::tempdir().unwrap();
        save_images(dir.path(), "train", 0, &train);
        save_images(dir.path(), "t10k", 1 << 20, &test);
        let split = if all { Split::TrainOnAll } else { Split::Standard };
        let data = load_with(dir.path(), Reading { split, transposed: Some(false), seed }).unwrap();
        let expected = |first: u32, labels: &[u8]| (first..).zip(labels.iter().copied()).collect::<Vec<_>>();
        let mut both = [numbers(&data.train), numbers(&data.validation)].concat();
        both.sort_unstable();
        prop_assert_eq!(both, expected(0, &train));
        prop_assert_eq!(numbers(&data.test), expected(1 << 20, &test));
        prop_assert_eq!(data.validation.len(), if all { 0 } else { train.len() / 6 });
    }
}
