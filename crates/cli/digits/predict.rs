//! `m2g digits predict`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::train::run_folder::BEST;
use m2g_digits::Network;
use m2g_digits::normalise::SIDE;
use m2g_digits::reading::ReadDigit;
use serde_json::json;

use super::reading::{InWords, read};
use crate::errors;
use crate::flags::run_path;
use crate::models::run::load;
use crate::output::{self, percent};
use crate::picture::for_terminal;
use crate::terminal::lines::bar;
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::{clip, columns};

/// The columns of a file's name in the summary.
const NAME_COLUMNS: usize = 40;

/// Read your own pictures of digits: PNG or JPEG, any size, dark on light or light on dark.
///
/// Finds the digit on the sheet, without ruled lines, boxes, shadows and desk. Says how many it finds if
/// there are several, and fails for a picture that does not show one digit.
#[derive(Args)]
pub struct Predict {
    /// The run: a name under runs/, or a path.
    run: String,
    /// The pictures, each of one digit; of any number with --all.
    #[arg(required = true, value_name = "FILE.png")]
    files: Vec<PathBuf>,
    /// Read every digit in a picture, in reading order, with its box.
    #[arg(long)]
    all: bool,
    /// Print what the network saw, 28 x 28 pixels, for several pictures too.
    #[arg(long)]
    show: bool,
    /// Print one JSON object per picture to stdout.
    #[arg(long)]
    json: bool,
}

impl Predict {
    /// Classifies every picture. Continues after one that cannot be read.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (network, description) = load::<Network<f32>>(&run_path(&self.run), BEST)?;
        if description.image != (SIDE, SIDE) {
            let (rows, columns) = description.image;
            bail!(
                "{} was trained on images of {rows}x{columns} pixels, but pictures are scaled to {SIDE}x{SIDE}: give \
                 a run that was trained on images of that size",
                self.run
            );
        }
        let names = description.all_class_names().into();
        let mut code = ExitCode::SUCCESS;
        let mut summary = Table::new()
            .text("file", Narrow::Keep)
            .text("digit", Narrow::Keep)
            .number("confidence", Narrow::Keep)
            .text("note", Narrow::Fold(1));
        for file in &self.files {
            match read(&network, &names, file) {
                Ok(digits) => {
                    if digits.len() > 1 && !self.all {
                        code = ExitCode::FAILURE;
                    }
                    self.print(file, &digits)?;
                    summary.row(self.row(file, &digits));
                }
                Err(error) => {
                    code = ExitCode::FAILURE;
                    errors::print(&error);
                    if self.json {
                        let error = errors::readable(&error.to_string());
                        output::line(
                            json!({ "event": "predict", "file": file.to_string_lossy(), "digit": null, "error": error }),
                        )?;
                    }
                    summary.row([short(file), "-".into(), "".into(), "no digit read".into()]);
                }
            }
        }
        if self.files.len() > 1 && !self.json {
            output::line(summary.render(columns()))?;
        }
        Ok(code)
    }

    /// Prints what was read in a picture.
    fn print(&self, file: &Path, digits: &[ReadDigit]) -> anyhow::Result<()> {
        if self.json {
            return self.print_json(file, digits);
        }
        // Several pictures have their place in the summary.
        if self.files.len() > 1 && !self.show && !self.all {
            return Ok(());
        }
        let name = file.display();
        match digits {
            [digit] if !self.all => output::line(format!("{name}: {}", digit.phrase()))?,
            _ if self.all => output::line(format!("{name}: {}", sequence(digits)))?,
            _ => output::line(format!(
                "{name}: unsure: {} digits found; crop to one, or give --all",
                digits.len()
            ))?,
        }
        if self.all || digits.len() > 1 {
            for digit in digits {
                let area = &digit.candidate.area;
                let place = format!("{}x{} at {},{}", area.width, area.height, area.left, area.top);
                output::line(format!("  {}, box {place}", digit.phrase()))?;
            }
        }
        let one = self.files.len() == 1 && digits.len() == 1;
        for digit in digits.iter().filter(|_| self.show || one) {
            output::line(for_terminal(&digit.candidate.image, SIDE).trim_end_matches('\n'))?;
            for (name, &p) in digit.names.iter().zip(&digit.probabilities).filter(|_| one) {
                let p = f64::from(p);
                output::line(format!("  {name} {:>9}  {}", percent(p), bar(p)))?;
            }
        }
        Ok(())
    }

    /// The fields of the only digit stand at the top too; without one, `digit` is null.
    fn print_json(&self, file: &Path, digits: &[ReadDigit]) -> anyhow::Result<()> {
        let all: Vec<_> = digits.iter().map(ReadDigit::json).collect();
        let mut object =
            json!({ "event": "predict", "file": file.to_string_lossy(), "digit": null, "sure": false });
        if let ([only], Some(object)) = (&all[..], object.as_object_mut()) {
            object.extend(only.as_object().cloned().unwrap_or_default());
        }
        object["digits"] = all.into();
        output::line(object)
    }

    /// The row of a picture in the summary: file, digit, confidence, note.
    fn row(&self, file: &Path, digits: &[ReadDigit]) -> [String; 4] {
        let name = short(file);
        match digits {
            [digit] => [name, digit.name().into(), digit.confidence(), digit.doubt()],
            _ => {
                let unsure = if self.all { "" } else { "unsure: " };
                let note = format!("{unsure}{} digits: {}", digits.len(), sequence(digits));
                [name, "?".into(), "".into(), note]
            }
        }
    }
}

/// The digits in reading order, such as `2 0 2 6`.
fn sequence(digits: &[ReadDigit]) -> String {
    let names: Vec<String> = digits.iter().map(|digit| digit.name().to_string()).collect();
    names.join(" ")
}

/// A file's name, as much as the summary has room for.
fn short(file: &Path) -> String {
    clip(&file.display().to_string(), NAME_COLUMNS)
}
