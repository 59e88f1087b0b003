//! `m2g compare`: shows what two models share in one training step of each.
//!
//! | file | holds |
//! | --- | --- |
//! | `compared.rs` | a model or a run, and one training step of it on real data |
//! | `stage.rs` | the stages of a step |
//! | `functions.rs` | the core functions of two steps, side by side |
//! | `source.rs` | the source code of functions |
//! | `result.rs` | the complete result, printed by `--json` and described by `schema.json` |
//! | `runs.rs` | two runs: settings, parameters, curves, final results |
//! | `summary.rs` | what both have in common, at a glance |
//! | `table.rs`, `runs_table.rs` | the result as tables |
//! | `drawing.rs` | the result as a drawing |
//! | `code.rs` | the source of functions, with their callers |

mod code;
mod compared;
mod drawing;
mod functions;
mod result;
mod runs;
mod runs_table;
pub mod source;
mod stage;
mod summary;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use m2g_core::threads::with_threads;

use self::compared::Compared;
use self::result::{Comparison, short_labels};
use crate::models::same_name_hint;
use crate::plot::curves::{Curve, curves};
use crate::terminal::lines::note;
use crate::terminal::notes;
use crate::terminal::width::columns;
use crate::{
    output::{self, LongRun},
    output_file::{self, is_stdout},
};

/// Show what two models share: the core functions of one training step of each.
///
/// Without arguments, compares the digit network and the GPT with their default settings. For two
/// runs, also compares settings, parameters and learning curves. Saves nothing.
#[derive(Args)]
pub struct Compare {
    /// A model, digits, gpt or translate, or a run: a name under runs/, or a path.
    #[arg(value_name = "MODEL|RUN", default_value = "digits", value_parser = NonEmptyStringValueParser::new())]
    first: String,
    /// The model or run to compare the first with.
    #[arg(value_name = "MODEL|RUN", default_value = "gpt", value_parser = NonEmptyStringValueParser::new())]
    second: String,
    /// Print the source of a function, such as linear, and the lines of both models that call it.
    /// Without a name, print all shared functions.
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    code: Option<Option<String>>,
    /// Draw both steps side by side, with shared functions joined. The learning curves of two runs go
    /// to files in the same folder.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Print one JSON object to stdout.
    #[arg(long, conflicts_with = "code")]
    json: bool,
    /// Print the JSON Schema of the --json output, and compare nothing.
    #[arg(long, exclusive = true)]
    schema: bool,
}

impl Compare {
    /// Takes both steps and shows them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.schema {
            output::line(include_str!("schema.json").trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(file) = &self.svg {
            check_svg(file)?;
        }
        let mut hints: Vec<Option<String>> =
            [&self.first, &self.second].map(|name| same_name_hint(name)).into();
        hints.dedup();
        hints.iter().flatten().for_each(|hint| note(hint));
        let comparison = of(&self.first, &self.second)?;
        let mut shown = LongRun::new(self.svg.is_some());
        if self.svg.as_deref().is_some_and(is_stdout) {
            // The drawing alone goes to stdout.
        } else if self.json {
            shown.line(serde_json::to_string(&comparison)?);
        } else if let Some(name) = &self.code {
            shown.line(code::text(&comparison, name.as_deref())?);
        } else {
            let columns = columns();
            shown.line(summary::text(&comparison, columns));
            shown.line(format_args!("\n{}", table::text(&comparison, columns)));
            if let Some(runs) = &comparison.runs {
                let labels = short_labels(&comparison.labels(), columns);
                shown.line(format_args!("\n{}", runs_table::text(&labels, runs, columns)));
            }
        }
        if let Some(file) = &self.svg {
            draw(&comparison, file)?;
        }
        shown.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Checks the path of the drawing before anything is computed: a name with another ending is that of a file that
/// the drawing should not replace.
fn check_svg(file: &Path) -> anyhow::Result<()> {
    output_file::check_format("--svg", file, &["svg"])
}

/// Takes a step of each model or run, and compares them.
pub fn of(first: &str, second: &str) -> anyhow::Result<Comparison> {
    let models = with_threads(0, || anyhow::Ok([Compared::new(first)?, Compared::new(second)?]))??;
    Comparison::new(&models)
}

/// Draws the steps, and the curves of two runs: one file per metric, since different metrics
/// cannot share an axis.
fn draw(comparison: &Comparison, file: &Path) -> anyhow::Result<()> {
    drawing::figure(comparison).save_svg(file)?;
    notes::line(format_args!("drawn: {}", file.display()));
    let Some(runs) = &comparison.runs else { return Ok(()) };
    if output_file::is_stream(file) {
        note("the learning curves are not drawn: they go to files beside the drawing, so give --svg a file");
        return Ok(());
    }
    let mut metrics: Vec<&str> = runs.curves.iter().map(|curve| curve.metric).collect();
    metrics.dedup();
    for metric in metrics {
        let labelled = comparison.labels().into_iter().zip(&runs.curves);
        let lines: Vec<Curve> = labelled
            .filter(|(_, curve)| curve.metric == metric && !curve.points.is_empty())
            .map(|(name, curve)| Curve::new(name, curve.points.clone()))
            .collect();
        if lines.is_empty() {
            continue;
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let beside = file.with_file_name(format!("{stem}-{metric}.svg"));
        curves(&metric.replace('_', " "), "step", &lines).save_svg(&beside)?;
        notes::line(format_args!("drawn: {}", beside.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_drawing_does_not_go_to_a_file_of_another_kind() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["precious.txt", "a.png", "svg"] {
            let error = check_svg(&dir.path().join(name)).unwrap_err().to_string();
            assert!(error.ends_with(&format!("{name}: its name must end in .svg")), "{error}");
        }
        check_svg(&dir.path().join("a.svg")).unwrap();
        check_svg(&dir.path().join("A.SVG")).unwrap();
    }
}
