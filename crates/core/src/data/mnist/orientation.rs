//! Which way up images are: in EMNIST's files, the rows and columns of every image are swapped.
//!
//! The mean image of each digit is compared with MNIST's, as it is and transposed, by their
//! correlation. The mean correlation of upright digits is about 0.4 higher than that of transposed
//! ones, and nearly always at least 0.25 higher with only two images of each. Some letters look like digits.

use std::path::Path;
use std::sync::LazyLock;

use super::classes::{CLASSES, Classes};
use super::images::LabelledImages;
use crate::data::idx;

/// Rows and columns of MNIST's images.
const SIDE: usize = 28;

/// The letters that look like a digit, upright and not transposed: class, counted from A, and digit.
const LETTERS_LIKE_DIGITS: [(usize, usize); 4] = [(8, 1), (11, 1), (18, 5), (25, 2)];

/// How much higher the correlation has to be one way than the other to be sure.
const SURE: f64 = 0.2;
/// Below this correlation, images show no digits.
const DIGITS: f64 = 0.4;

/// What a comparison with MNIST says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// The images are as MNIST's.
    Upright,
    /// Rows and columns are swapped.
    Transposed,
    /// The images look like digits or letters, but almost equally so both ways.
    Unsure,
    /// The images show something that MNIST does not have, or too few digits to compare.
    Unknown,
}

/// Compares images with MNIST's.
pub fn orientation(images: &LabelledImages, classes: &Classes) -> Orientation {
    let letters = classes.names.len() == 26;
    let pairs: Vec<(usize, usize)> = match letters {
        true => LETTERS_LIKE_DIGITS.to_vec(),
        false => (0..CLASSES.min(classes.names.len())).map(|digit| (digit, digit)).collect(),
    };
    if (images.rows, images.cols) != (SIDE, SIDE) {
        return Orientation::Unknown;
    }
    let mut differences = Vec::new();
    let (mut upright, mut transposed) = (0.0, 0.0);
    for &(class, digit) in &pairs {
        let Some(mean) = mean_image(images, class) else { continue };
        let mnist = &MEANS[digit * SIDE * SIDE..][..SIDE * SIDE];
        let both = [correlation(&mean, mnist), correlation(&transpose(&mean, SIDE, SIDE), mnist)];
        upright += both[0];
        transposed += both[1];
        differences.push(both[1] - both[0]);
    }
    // Few classes say little: the mean of two digits may look like its transpose.
    if differences.len() < 3 {
        return Orientation::Unknown;
    }
    let n = differences.len() as f64;
    let difference = (transposed - upright) / n;
    let most =
        |sign: f64| 4 * differences.iter().filter(|d| **d * sign > 0.0).count() >= 3 * differences.len();
    if transposed.max(upright) / n < DIGITS {
        Orientation::Unknown
    } else if difference >= SURE && most(1.0) {
        Orientation::Transposed
    } else if difference <= 0.0 {
        Orientation::Upright
    } else {
        Orientation::Unsure
    }
}

/// The mean images of MNIST's training digits, `(10, 28, 28)`.
static MEANS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let file = &include_bytes!("class-means-idx3-ubyte")[..];
    let idx = idx::parse(&mut &*file, Path::new("class-means-idx3-ubyte"));
    idx.map_or_else(|_| vec![0.0; CLASSES * SIDE * SIDE], |idx| idx.data.into_iter().map(f64::from).collect())
});

/// The mean image of a class; `None` if it has no images.
fn mean_image(images: &LabelledImages, class: usize) -> Option<Vec<f64>> {
    let mut sum = vec![0.0; images.rows * images.cols];
    let mut n = 0;
    for (i, _) in images.labels.iter().enumerate().filter(|(_, label)| usize::from(**label) == class) {
        sum.iter_mut().zip(images.image(i)).for_each(|(sum, &pixel)| *sum += f64::from(pixel));
        n += 1;
    }
    sum.iter_mut().for_each(|sum| *sum /= f64::from(n));
    (n > 0).then_some(sum)
}

/// Pearson's correlation; 0 for an image of one brightness.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// Swaps the rows and columns of every image.
pub fn transpose_images(images: &mut LabelledImages) {
    let (rows, cols) = (images.rows, images.cols);
    for image in images.images.chunks_exact_mut(rows * cols) {
        let turned = transpose(image, rows, cols);
        image.copy_from_slice(&turned);
    }
    (images.rows, images.cols) = (cols, rows);
}

/// The transpose of a matrix of `rows` rows: `(rows, cols) -> (cols, rows)`.
fn transpose<T: Copy>(matrix: &[T], rows: usize, cols: usize) -> Vec<T> {
    (0..rows * cols).map(|i| matrix[i % rows * cols + i / rows]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::mnist::{family::FILES, load_test};

    fn mnist() -> LabelledImages {
        load_test(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mnist"), None).unwrap().images
    }

    fn both_ways(images: &LabelledImages, classes: &Classes) -> [Orientation; 2] {
        let mut turned = images.clone();
        transpose_images(&mut turned);
        [orientation(images, classes), orientation(&turned, classes)]
    }

    #[test]
    fn the_means_are_those_of_mnists_training_images() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mnist");
        let [images, labels] = [0, 1].map(|i| idx::read(&folder.join(format!("{}.gz", FILES[i]))).unwrap());
        let train = LabelledImages { images: images.data, labels: labels.data, rows: SIDE, cols: SIDE };
        for digit in 0..CLASSES {
            let mean = mean_image(&train, digit).unwrap();
            let stored = &MEANS[digit * SIDE * SIDE..][..SIDE * SIDE];
            assert!(mean.iter().zip(stored).all(|(a, b)| (a - b).abs() <= 0.5), "{digit}");
        }
    }

    #[test]
    fn digits_are_told_from_their_transposes() {
        let all = mnist();
        for n in [60, 100, 1000, 10_000] {
            let some = all.slice(0..n);
            assert_eq!(
                both_ways(&some, &Classes::digits()),
                [Orientation::Upright, Orientation::Transposed],
                "{n}"
            );
        }
        // Too few classes to tell, and images of other sizes, are left alone.
        let mut zeros = all.slice(0..500);
        zeros.labels.fill(0);
        assert_eq!(both_ways(&zeros, &Classes::digits()), [Orientation::Unknown; 2]);
        let mut bigger = all.slice(0..98);
        (bigger.rows, bigger.cols, bigger.labels) = (56, 28, vec![1; 49]);
        assert_eq!(both_ways(&bigger, &Classes::digits()), [Orientation::Unknown; 2]);
    }

    #[test]
    fn letters_are_told_by_those_that_look_like_digits() {
        // I, L, S and Z as the digits 1, 5 and 2; the other letters do not count.
        let mut letters = mnist().slice(0..2000);
        letters.labels.iter_mut().zip(0..).for_each(|(label, i)| {
            *label = match *label {
                1 => [8, 11][i % 2],
                5 => 18,
                2 => 25,
                other => other % 8,
            }
        });
        let classes = Classes { first_label: 1, names: ('A'..='Z').map(String::from).collect() };
        assert_eq!(both_ways(&letters, &classes), [Orientation::Upright, Orientation::Transposed]);
    }

    /// Other pictures than digits must never be turned: here, stripes and spots.
    #[test]
    fn what_shows_no_digits_is_left_as_it_is() {
        let image = |class: usize, i: usize| -> Vec<u8> {
            let ink = |y: usize, x: usize| match class {
                0..=3 => (y + i).is_multiple_of(class + 3),
                4..=6 => (x + i).is_multiple_of(class),
                _ => (y / 4 * 7 + x / 4 * 5 + i).is_multiple_of(class + 1),
            };
            (0..SIDE * SIDE).map(|p| if ink(p / SIDE, p % SIDE) { 255 } else { 0 }).collect()
        };
        let images = (0..200).flat_map(|i| image(i % 10, i / 10)).collect();
        let labels = (0..200).map(|i| (i % 10) as u8).collect();
        let all = LabelledImages { images, labels, rows: SIDE, cols: SIDE };
        assert_eq!(both_ways(&all, &Classes::digits()), [Orientation::Unknown; 2]);
    }

    #[test]
    fn transposing_twice_changes_nothing() {
        let images = LabelledImages { images: (0..12).collect(), labels: vec![1, 2], rows: 2, cols: 3 };
        let mut turned = images.clone();
        transpose_images(&mut turned);
        assert_eq!((turned.rows, turned.cols), (3, 2));
        assert_eq!(turned.images, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        transpose_images(&mut turned);
        assert_eq!(turned, images);
    }
}
