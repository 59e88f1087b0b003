//! `m2g digits plot`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::train::run_folder::BEST;
use m2g_digits::training::KIND;

use super::test_report::{TestData, load_with_images, measure, mistakes_figure};
use crate::learning::{Learning, compared, file_name, names};
use crate::output::{LongRun, percent};
use crate::plot::Figure;
use crate::plot::confusion::confusion;
use crate::plot::curves::curves;
use crate::plot::tiles::{Tile, WEIGHTS_KEY, tiles};

/// The number of neurons whose weights are drawn.
const MAX_NEURONS: usize = 100;

/// Draw the learning curves, the confusion matrix, the weights and the mistakes.
#[derive(Args)]
pub struct Plot {
    /// The runs: names under runs/, or paths.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    #[command(flatten)]
    data: TestData,
}

impl Plot {
    /// Draws into the folder of the first run and prints the paths of the files.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.runs.len() > 1 && self.data.is_given() {
            bail!("--data and --transposed are for one run: of several, only the learning curves are drawn");
        }
        let runs = Learning::read_all(&self.runs, KIND)?;
        let mut figures = learning_curves(&runs);
        if let [run] = &runs[..] {
            figures.extend(self.figures(run)?);
        }
        let mut shown = LongRun::new(true);
        for (name, figure) in figures {
            for file in figure.save(&runs[0].path, &file_name(name, &runs))? {
                shown.line(file.display());
            }
        }
        shown.finish()?;
        Ok(ExitCode::SUCCESS)
    }

    /// The drawings that exist only for one run.
    fn figures(&self, run: &Learning) -> anyhow::Result<Vec<(&'static str, Figure)>> {
        let (network, description, test) = load_with_images(&run.path, BEST, &self.data)?;
        let classes = description.all_class_names();
        let report = measure(&network, &test)?;
        let accuracy = percent(report.correct as f64 / report.images as f64);

        let title = format!("Test images of {}: {accuracy} right", run.name);
        let mut figures = vec![
            ("confusion", confusion(&title, &report.confusion, &classes)),
            ("mistakes", mistakes_figure(&report, &test, &classes)),
        ];
        if let Some((weights, _)) = network.layers().next() {
            let neurons = weights.matrix();
            let tile = |(i, row): (usize, ndarray::ArrayView1<'_, f32>)| {
                Tile::of_weights(&row.to_vec(), test.cols, format!("neuron {i}"))
            };
            let shown: Vec<Tile> = neurons.outer_iter().enumerate().take(MAX_NEURONS).map(tile).collect();
            let title = format!("Weights into {} of {} first-layer neurons", shown.len(), neurons.nrows());
            figures.push(("weights", tiles(&title, &WEIGHTS_KEY, &shown)));
        }
        Ok(figures)
    }
}

/// The training cost and the validation accuracy by epoch, of all runs.
fn learning_curves(runs: &[Learning]) -> Vec<(&'static str, Figure)> {
    let all = [
        ("cost", "train_loss", "Mean cost of the training images"),
        ("accuracy", "validation_accuracy", "Accuracy on the validation images"),
    ];
    let draw = |(name, metric, title)| {
        let lines = compared(runs, "evaluation", metric);
        let title = format!("{title}: {}", names(runs));
        (!lines.is_empty()).then(|| (name, curves(&title, "epoch", &lines)))
    };
    all.into_iter().filter_map(draw).collect()
}
