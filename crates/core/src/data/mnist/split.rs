//! Splits a dataset into training, validation and test images.

use std::io::Write;

use mnist::MnistBuilder;

use super::family::FILES;
use super::images::LabelledImages;
use crate::data::{DataError, idx};

/// Training, validation and test images.
pub type Parts = (LabelledImages, LabelledImages, LabelledImages);

/// Whether the sizes are MNIST's, which the `mnist` crate requires.
pub fn has_mnist_size(train: &LabelledImages, test: &LabelledImages) -> bool {
    (train.len(), test.len(), train.rows, train.cols) == (60_000, 10_000, 28, 28)
}

/// Splits off the last `validation` training images as validation images.
pub fn split(mut train: LabelledImages, test: LabelledImages, validation: usize) -> Parts {
    let n = train.len() - validation;
    let pixels = train.rows * train.cols;
    let validation = LabelledImages {
        images: train.images.split_off(n * pixels),
        labels: train.labels.split_off(n),
        ..train
    };
    (train, validation, test)
}

/// Loads a dataset with the `mnist` crate. The crate panics on any error, so it reads a
/// temporary copy of files that have been checked. Its test set starts where training and
/// validation end, so these two must add up to the whole training file.
///
/// # Errors
/// [`DataError::Io`] if the copy cannot be written.
pub fn load_with_mnist_crate(
    train: LabelledImages,
    test: LabelledImages,
    validation: usize,
) -> Result<Parts, DataError> {
    // The copy needs a folder, and the crate accepts only UTF-8 paths.
    let Ok(folder) = tempfile::tempdir() else { return Ok(split(train, test, validation)) };
    let Some(base_path) = folder.path().to_str() else { return Ok(split(train, test, validation)) };
    for (part, [images, labels]) in [(&train, [FILES[0], FILES[1]]), (&test, [FILES[2], FILES[3]])] {
        let files = [
            (images, vec![part.len(), part.rows, part.cols], &part.images),
            (labels, vec![part.len()], &part.labels),
        ];
        for (name, shape, data) in files {
            let path = folder.path().join(name);
            std::fs::File::create(&path)
                .and_then(|mut file| {
                    file.write_all(&idx::header(&shape))?;
                    file.write_all(data)
                })
                .map_err(DataError::io("write", &path))?;
        }
    }
    let loaded = MnistBuilder::new()
        .base_path(base_path)
        .label_format_digit()
        .training_set_length((train.len() - validation) as u32)
        .validation_set_length(validation as u32)
        .test_set_length(test.len() as u32)
        .finalize();
    let part = |images, labels| LabelledImages { images, labels, rows: 28, cols: 28 };
    Ok((
        part(loaded.trn_img, loaded.trn_lbl),
        part(loaded.val_img, loaded.val_lbl),
        part(loaded.tst_img, loaded.tst_lbl),
    ))
}
