//! `m2g gpt plot`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use m2g_gpt::training::KIND;

use crate::learning::{Learning, compared, file_name, names};
use crate::plot::Figure;
use crate::plot::curves::{Curve, curves};
use crate::{output, output_file};

/// Draw the loss curves of one or more runs.
#[derive(Args)]
pub struct Plot {
    /// The runs: names under runs/, or paths.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// The file to draw to, .png or .svg; a pipe or a device gets SVG [default: loss.png and loss.svg in the folder of the first
    /// run].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The endings of a drawing's file.
const FORMATS: [&str; 2] = ["png", "svg"];

impl Plot {
    /// Draws, and prints the paths of the files.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(out) = &self.out {
            output_file::check_format("--out", out, &FORMATS)?;
        }
        let runs = Learning::read_all(&self.runs, KIND)?;
        let figure = figure(&runs);
        match &self.out {
            Some(out) => {
                match output_file::format("--out", out, &FORMATS)? {
                    "png" => output_file::write_bytes(out, &figure.png()?)?,
                    _ => figure.save_svg(out)?,
                }
                output_file::print_path(out)?;
            }
            None => {
                for file in figure.save(&runs[0].path, &file_name("loss", &runs))? {
                    output::line(file.display())?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Of one run: the loss of each logged step, and the training and validation loss at each
/// evaluation. Of several: validation and, paler, training loss of each in one colour.
fn figure(runs: &[Learning]) -> Figure {
    let title = format!("Loss of {}, in nats per token", names(runs));
    let lines = match runs {
        [run] => {
            let curve = |metric: &str, name: &str, colour| {
                Curve::new(name, run.evaluations("step", metric)).coloured(colour)
            };
            vec![
                Curve::new("a training step", run.losses()).coloured(0).faint(),
                curve("train_loss", "training", 0),
                curve("val_loss", "validation", 1),
            ]
        }
        _ => {
            let named = |curve: Curve, what: &str| Curve { name: format!("{}, {what}", curve.name), ..curve };
            let validation = compared(runs, "step", "val_loss").into_iter();
            let training = compared(runs, "step", "train_loss").into_iter();
            let mut all: Vec<Curve> = (validation.map(|curve| named(curve, "validation")))
                .chain(training.map(|curve| named(curve, "training").faint()))
                .collect();
            all.sort_by_key(|curve| curve.colour);
            all
        }
    };
    let drawn: Vec<Curve> = lines.into_iter().filter(|line| !line.points.is_empty()).collect();
    curves(&title, "step", &drawn)
}
