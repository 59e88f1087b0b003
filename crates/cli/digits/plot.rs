//! `m2g digits plot`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use m2g_core::train::run::{BEST, metrics};

use super::test_report::{load_with_images, measure, mistakes_figure};
use crate::flags::run_path;
use crate::output::{self, percent};
use crate::plot::confusion::confusion;
use crate::plot::curves::{Curve, curves};
use crate::plot::tiles::{Tile, tiles};

/// The number of neurons whose weights are drawn.
const MAX_NEURONS: usize = 100;

/// Draw a run: learning curves, confusion matrix, first-layer weights, mistakes; PNG and SVG.
#[derive(Args)]
pub struct Plot {
    /// The run: a name under runs/, or a path.
    run: String,
    /// A folder with IDX files [default: the data that the run was trained on].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Plot {
    /// Draws into the folder of the run and prints the paths of the files.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = run_path(&self.run);
        let (network, test) = load_with_images(&path, BEST, self.data.as_deref())?;
        let records = metrics(&path)?;
        let curve = |key: &str, name: &str| Curve {
            name: name.into(),
            points: records
                .iter()
                .filter_map(|r| Some((r["evaluation"].as_f64()?, r[key].as_f64()?)))
                .collect(),
        };
        let report = measure(&network, &test)?;
        let accuracy = percent(report.correct as f64 / report.images as f64);

        let mut figures = vec![
            (
                "cost",
                curves("Mean cost of the training images", "epoch", &[curve("train_loss", "training cost")]),
            ),
            ("confusion", confusion(&format!("Test images: {accuracy} right"), &report.confusion)),
            ("mistakes", mistakes_figure(&report, &test)),
        ];
        let validation = curve("validation_accuracy", "validation accuracy");
        if !validation.points.is_empty() {
            figures.push(("accuracy", curves("Accuracy on the validation images", "epoch", &[validation])));
        }
        if let Some((weights, _)) = network.layers().next() {
            let neurons = weights.matrix();
            let tile = |(i, row): (usize, ndarray::ArrayView1<'_, f32>)| {
                Tile::of_weights(&row.to_vec(), test.cols, format!("neuron {i}"))
            };
            let shown: Vec<Tile> = neurons.outer_iter().enumerate().take(MAX_NEURONS).map(tile).collect();
            let title = format!("Weights into {} of {} first-layer neurons", shown.len(), neurons.nrows());
            figures.push(("weights", tiles(&title, &shown)));
        }
        for (name, figure) in figures {
            for file in figure.save(&path, name)? {
                output::line(file.display())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
