//! Images of one size, each with a label, and their split into three parts.

use std::ops::Range;
use std::path::PathBuf;

/// Images of one size with a label each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelledImages {
    /// The pixels, `(N, rows, cols)`: 0 is paper, 255 is ink.
    pub images: Vec<u8>,
    /// The class of each image, `(N)`, counted from 0.
    pub labels: Vec<u8>,
    /// The height of an image in pixels.
    pub rows: usize,
    /// The width of an image in pixels.
    pub cols: usize,
}

impl LabelledImages {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of one image.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn image(&self, i: usize) -> &[u8] {
        let pixels = self.rows * self.cols;
        &self.images[i * pixels..][..pixels]
    }

    /// A copy of the images in `range`.
    ///
    /// # Panics
    /// If `range` exceeds the number of images.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let pixels = self.rows * self.cols;
        Self {
            images: self.images[range.start * pixels..range.end * pixels].to_vec(),
            labels: self.labels[range].to_vec(),
            ..*self
        }
    }
}

/// A dataset in three disjoint parts.
#[derive(Debug, Clone, Default)]
pub struct DigitData {
    /// The images to train on.
    pub train: LabelledImages,
    /// The images for choosing settings and the best network.
    pub validation: LabelledImages,
    /// The images for the final measurement.
    pub test: LabelledImages,
    /// The number of classes.
    pub n_classes: usize,
    /// The name of each class; empty if class i is called i.
    pub class_names: Vec<String>,
    /// Whether the rows and columns of the images in the files were swapped to turn them upright.
    pub transposed: bool,
    /// Sentences on what was changed or seems wrong.
    pub reports: Vec<String>,
    /// The folder it was loaded from.
    pub source: PathBuf,
    /// SHA-256 over all images and labels; identifies the data.
    pub fingerprint: String,
}

/// How the training file is split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Split {
    /// The last sixth is kept for validation, after images that are sorted by class are mixed. MNIST:
    /// 50,000 training and 10,000 validation images.
    #[default]
    Standard,
    /// All images are trained on; there is no validation set.
    TrainOnAll,
}
