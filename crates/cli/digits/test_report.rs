//! Measures a digit network on the test images: accuracy, confusion matrix, mistakes.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use m2g_core::data::mnist::LabelledImages;
use m2g_core::settings::SettingValue;
use m2g_core::threads::with_threads;
use m2g_digits::test_report::{self, Mistake, TestReport};
use m2g_digits::training::Description;
use m2g_digits::{Network, images};

use crate::errors::with_dashes;
use crate::models::run::load;
use crate::plot::Figure;
use crate::plot::tiles::{Tile, tiles};
use crate::terminal::lines::note;

/// The number of mistakes that are drawn.
pub const MAX_SHOWN_MISTAKES: usize = 40;

/// Test images given as a flag.
#[derive(Args)]
pub struct TestData {
    /// Other test images: a folder with IDX files, or DIR/emnist-letters for files whose names begin with
    /// emnist-letters; or the name of a dataset, such as fashion-mnist [default: the data that the run was trained on].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Whether rows and columns of the images are swapped in the files, as in EMNIST: yes or no
    /// [default: as in training, or a comparison with MNIST for other data].
    #[arg(long, value_name = "yes|no", num_args = 0..=1, default_missing_value = "yes",
          value_parser = bool::from_text)]
    transposed: Option<bool>,
}

impl TestData {
    /// Whether any of its flags is given.
    pub fn is_given(&self) -> bool {
        self.data.is_some() || self.transposed.is_some()
    }
}

/// Loads the network in a checkpoint of a run, and test images that fit it.
pub fn load_with_images(
    path: &Path,
    file: &str,
    data: &TestData,
) -> anyhow::Result<(Network<f32>, Description, LabelledImages)> {
    let (network, description) = load::<Network<f32>>(path, file)?;
    let (test, reports) = images::load_test(&description, data.data.as_deref(), data.transposed)?;
    reports.iter().for_each(|report| note(&with_dashes(report)));
    if (test.rows, test.cols) != description.image {
        let (rows, cols) = description.image;
        bail!(
            "the network reads images of {rows}x{cols} pixels, but the test images have {}x{}",
            test.rows,
            test.cols
        );
    }
    Ok((network, description, test))
}

/// Measures the network on the test images.
pub fn measure(network: &Network<f32>, test: &LabelledImages) -> anyhow::Result<TestReport> {
    Ok(with_threads(0, || test_report::measure(network, test))??)
}

/// Draws the most confident mistakes, with the names of the classes.
pub fn mistakes_figure(report: &TestReport, test: &LabelledImages, names: &[String]) -> Figure {
    let shown = &report.mistakes[..report.mistakes.len().min(MAX_SHOWN_MISTAKES)];
    let tile = |m: &Mistake| {
        let caption = format!("{} for {}, {:.2}", names[m.said], names[m.label], m.activity);
        Tile::of_ink(test.image(m.index), test.cols, caption)
    };
    let all: Vec<Tile> = shown.iter().map(tile).collect();
    let title = format!(
        "{} of {} mistakes, the most confident first: the answer, for the truth, and its activity",
        shown.len(),
        report.mistakes.len()
    );
    tiles(&title, &[], &all)
}
