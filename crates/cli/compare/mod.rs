//! `m2g compare`: what two models have in common, as one training step of each shows it.
//!
//! | file | holds |
//! | --- | --- |
//! | `side.rs` | a model or a run, and one real training step of it |
//! | `step.rs` | the core functions of two steps, side by side |
//! | `source.rs` | where a function stands, and its text |
//! | `result.rs` | all that is compared, as `--json` writes it and `schema.json` describes it |
//! | `runs.rs` | two runs: settings, parameters, curves, final figures |
//! | `table.rs`, `runs_table.rs` | the same for people |
//! | `lanes.rs` | the same as a drawing |
//! | `code.rs` | the text of functions, and who calls them |

mod code;
mod lanes;
mod result;
mod runs;
mod runs_table;
mod side;
mod source;
mod step;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use m2g_core::threads::with_threads;

use crate::output;
use crate::plot::curves::{Curve, curves};
use result::Comparison;
use side::Side;

/// Show what two models have in common: every core function that one training step of
/// either runs, on real data.
#[derive(Args)]
pub struct Compare {
    /// A model, digits or gpt, or a run: a name under runs/, or a path.
    #[arg(value_name = "digits|gpt|RUN", default_value = "digits", value_parser = NonEmptyStringValueParser::new())]
    first: String,
    /// What to compare it with: a model or a run too.
    #[arg(value_name = "digits|gpt|RUN", default_value = "gpt", value_parser = NonEmptyStringValueParser::new())]
    second: String,
    /// Print the text of a shared function, such as linear, and the lines of both models
    /// that call it; without a name, of all shared functions.
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    code: Option<Option<String>>,
    /// Draw both steps as lanes, with the shared functions joined; the curves of two runs
    /// are drawn into files beside it.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Write one JSON object to stdout.
    #[arg(long, conflicts_with = "code")]
    json: bool,
    /// Print the JSON Schema of what --json writes, and compare nothing.
    #[arg(long, exclusive = true)]
    schema: bool,
}

impl Compare {
    /// Makes both steps, and shows them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.schema {
            output::line(include_str!("schema.json").trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        let names = [&self.first, &self.second];
        names.iter().filter_map(|name| side::hint(name)).for_each(|hint| eprintln!("{hint}"));
        let sides = with_threads(0, || anyhow::Ok([Side::of(&self.first)?, Side::of(&self.second)?]))??;
        let comparison = Comparison::new(&sides)?;
        if self.json {
            output::line(serde_json::to_string(&comparison)?)?;
        } else if let Some(name) = &self.code {
            output::line(code::text(&comparison, name.as_deref())?)?;
        } else {
            output::line(table::text(&comparison))?;
            if let Some(runs) = &comparison.runs {
                output::line(runs_table::text(&comparison.labels(), runs))?;
            }
        }
        if let Some(file) = &self.svg {
            draw(&comparison, file)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Draws the steps, and the curves of two runs: one file for each metric, since those of
/// different models cannot share an axis.
fn draw(comparison: &Comparison, file: &Path) -> anyhow::Result<()> {
    lanes::figure(comparison).save_svg(file)?;
    eprintln!("drawn: {}", file.display());
    let Some(runs) = &comparison.runs else { return Ok(()) };
    let mut metrics: Vec<&str> = runs.curves.iter().map(|curve| curve.metric).collect();
    metrics.dedup();
    for metric in metrics {
        let labelled = comparison.labels().into_iter().zip(&runs.curves);
        let lines: Vec<Curve> = labelled
            .filter(|(_, curve)| curve.metric == metric && !curve.points.is_empty())
            .map(|(name, curve)| Curve { name, points: curve.points.clone() })
            .collect();
        if lines.is_empty() {
            continue;
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let beside = file.with_file_name(format!("{stem}-{metric}.svg"));
        curves(&metric.replace('_', " "), "step", &lines).save_svg(&beside)?;
        eprintln!("drawn: {}", beside.display());
    }
    Ok(())
}
