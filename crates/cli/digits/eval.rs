//! `m2g digits eval`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::data::mnist::LabelledImages;
use m2g_core::threads::with_threads;
use m2g_core::train::run::{BEST, LAST};
use m2g_digits::Network;
use m2g_digits::training::Training;
use serde_json::json;

use crate::flags::run_path;
use crate::output::{self, percent};
use crate::plot::Figure;
use crate::plot::tiles::{Tile, tiles};

/// How many mistakes are shown.
const WORST: usize = 40;

/// Measure a trained network on the test images.
#[derive(Args)]
pub struct Eval {
    /// The run: a name under runs/, or a path.
    run: String,
    /// A folder with IDX files, if not the one that the run was trained on.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Take the network after the last step, not the best on the validation images.
    #[arg(long)]
    last: bool,
    /// Write one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// One image that the network got wrong.
pub struct Mistake {
    /// Its number in the test file.
    pub index: usize,
    /// What it is.
    pub label: usize,
    /// What the network said.
    pub said: usize,
    /// How active the network's answer was, 0 to 1.
    pub activity: f32,
}

/// What an evaluation found.
pub struct Report {
    /// How many images are right.
    pub correct: usize,
    /// How many there are.
    pub images: usize,
    /// How often which digit was taken for which: `[label][said]`.
    pub confusion: Vec<Vec<usize>>,
    /// What is wrong, the surest first.
    pub mistakes: Vec<Mistake>,
}

/// Loads the network of a run and the test images that fit it.
pub fn load_both(
    path: &Path,
    last: bool,
    data: Option<&Path>,
) -> anyhow::Result<(Network<f32>, LabelledImages)> {
    let (network, description) = Training::load(path, if last { LAST } else { BEST })?;
    let test = super::load_test(data.or(description.config.data.as_deref()))?;
    if (test.rows, test.cols) != description.image {
        let (rows, cols) = description.image;
        bail!("the network reads images of {rows}x{cols} pixels, and these are {}x{}", test.rows, test.cols);
    }
    Ok((network, test))
}

/// Measures the network on the images.
pub fn report(network: &Network<f32>, test: &LabelledImages) -> anyhow::Result<Report> {
    let outputs = with_threads(0, || network.outputs(test))??;
    let outputs = outputs.matrix();
    let classes = outputs.ncols();
    let mut confusion = vec![vec![0; classes]; classes];
    let mut mistakes = Vec::new();
    for (index, (row, &label)) in outputs.outer_iter().zip(&test.labels).enumerate() {
        let label = usize::from(label);
        let said = (1..classes).fold(0, |best, j| if row[j] > row[best] { j } else { best });
        confusion[label][said] += 1;
        if said != label {
            mistakes.push(Mistake { index, label, said, activity: row[said] });
        }
    }
    mistakes.sort_by(|a, b| b.activity.total_cmp(&a.activity));
    Ok(Report { correct: test.len() - mistakes.len(), images: test.len(), confusion, mistakes })
}

/// Draws the surest mistakes.
pub fn mistakes_figure(report: &Report, test: &LabelledImages) -> Figure {
    let shown = &report.mistakes[..report.mistakes.len().min(WORST)];
    let tile = |m: &Mistake| {
        let caption = format!("{} for {}, {:.2}", m.said, m.label, m.activity);
        Tile::of_ink(test.image(m.index), test.cols, caption)
    };
    let all: Vec<Tile> = shown.iter().map(tile).collect();
    tiles(&format!("{} of {} mistakes, the surest first", shown.len(), report.mistakes.len()), &all)
}

impl Eval {
    /// Measures, and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = run_path(&self.run);
        let (network, test) = load_both(&path, self.last, self.data.as_deref())?;
        let report = report(&network, &test)?;
        let accuracy = report.correct as f64 / report.images as f64;
        let [_, picture] = mistakes_figure(&report, &test).save(&path, "mistakes")?;
        if self.json {
            let mistakes = report
                .mistakes
                .iter()
                .map(|m| json!({"index": m.index, "label": m.label, "said": m.said, "activity": m.activity}));
            output::line(json!({
                "event": "eval", "test_accuracy": accuracy, "correct": report.correct,
                "images": report.images, "confusion": report.confusion,
                "mistakes": mistakes.collect::<Vec<_>>(), "picture": picture,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(format!(
            "test accuracy  {}  ({} of {} images)",
            percent(accuracy),
            report.correct,
            report.images
        ))?;
        output::line("\ntrue digit, and what the network said:")?;
        let columns: String = (0..report.confusion.len()).map(|said| format!("{said:>6}")).collect();
        output::line(format!("   {columns}   right"))?;
        for (label, row) in report.confusion.iter().enumerate() {
            let cells: String =
                row.iter().map(|n| if *n == 0 { "     .".into() } else { format!("{n:>6}") }).collect();
            let share = row[label] as f64 / row.iter().sum::<usize>().max(1) as f64;
            output::line(format!("{label:>3}{cells}   {}", percent(share)))?;
        }
        output::line(format!(
            "\nthe {} surest mistakes: {}",
            report.mistakes.len().min(WORST),
            picture.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
