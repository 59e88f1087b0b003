//! `m2g digits eval`.

use std::path::Path;

use clap::Args;
use m2g_digits::Network;
use m2g_digits::test_report::TestReport;
use serde_json::json;

use crate::digits::test_report::{MAX_SHOWN_MISTAKES, TestData, load_with_images, measure, mistakes_figure};
use crate::eval::{EvalCommand, Measured};
use crate::output::percent;
use crate::terminal::lines::{flow, wrap};
use crate::terminal::width::{columns, width};

/// The flags of `m2g digits eval` alone.
#[derive(Args)]
pub struct Flags {
    #[command(flatten)]
    data: TestData,
}

impl EvalCommand for Network<f32> {
    type Flags = Flags;

    fn evaluate(flags: Flags, run: &Path, file: &str) -> anyhow::Result<Measured> {
        let (network, description, test) = load_with_images(run, file, &flags.data)?;
        let names = description.all_class_names();
        let report = measure(&network, &test)?;
        let accuracy = report.correct as f64 / report.images as f64;
        // A run that cannot be written to is measured all the same.
        let picture =
            mistakes_figure(&report, &test, &names).save(run, "mistakes").map(|[_, picture]| picture);
        let mistakes = report
            .mistakes
            .iter()
            .map(|m| json!({"index": m.index, "label": m.label, "said": m.said, "activity": m.activity}));
        let json = json!({
            "test_accuracy": accuracy, "correct": report.correct, "images": report.images,
            "classes": names, "confusion": report.confusion, "mistakes": mistakes.collect::<Vec<_>>(),
            "picture": picture.as_ref().ok().map(|path| path.to_string_lossy()),
        });
        let columns = columns();
        let of = format!("({} of {} images)", report.correct, report.images);
        let mut lines = vec![flow(&["test accuracy".into(), percent(accuracy), of], "  ", columns, 2)];
        lines.extend(match matrix(&report, &names) {
            matrix if matrix.iter().all(|line| width(line) <= columns) => matrix,
            _ => by_class(&report, &names, columns),
        });
        let shown = report.mistakes.len().min(MAX_SHOWN_MISTAKES);
        let drawn = match picture {
            Ok(path) => format!("the {shown} most confident mistakes: {}", path.display()),
            Err(error) => format!("the mistakes are not drawn: {error}"),
        };
        lines.push(format!("\n{}", wrap(&drawn, columns, 2)));
        Ok(Measured { text: lines.join("\n"), json })
    }
}

/// The confusion matrix.
fn matrix(report: &TestReport, names: &[String]) -> Vec<String> {
    let mut lines = vec!["\ntrue class, and the network's answer:".into()];
    let columns: String = names.iter().map(|said| format!("{said:>6}")).collect();
    lines.push(format!("   {columns}   {:>8}", "right"));
    for ((class, name), row) in names.iter().enumerate().zip(&report.confusion) {
        let cells: String =
            row.iter().map(|n| if *n == 0 { "     .".into() } else { format!("{n:>6}") }).collect();
        lines.push(format!("{name:>3}{cells}   {:>8}", right(row, class).map_or("-".into(), percent)));
    }
    lines
}

/// The share of right answers of each class, and the most frequent mistakes: for a matrix too wide for the terminal.
fn by_class(report: &TestReport, names: &[String], columns: usize) -> Vec<String> {
    const MISTAKES: usize = 10;
    let shares: Vec<String> = names
        .iter()
        .zip(report.confusion.iter().enumerate())
        .filter_map(|(name, (class, row))| Some(format!("{name:>3} {:>8}", percent(right(row, class)?))))
        .collect();
    let mut lines = vec!["\nright, by class:".to_string(), flow(&shares, "   ", columns, 0)];
    let rows = report.confusion.iter().enumerate();
    let mut mistakes: Vec<(usize, usize, usize)> = rows
        .flat_map(|(class, row)| row.iter().enumerate().map(move |(said, &n)| (n, class, said)))
        .filter(|&(n, class, said)| n > 0 && class != said)
        .collect();
    mistakes.sort_by_key(|&(n, class, said)| (usize::MAX - n, class, said));
    lines.push("\nthe most frequent mistakes:".into());
    lines.extend(
        mistakes
            .iter()
            .take(MISTAKES)
            .map(|&(n, class, said)| format!("{:>3} read as {}: {n}", names[class], names[said])),
    );
    lines
}

/// The share of right answers in a row of the confusion matrix; `None` for a class without images.
fn right(row: &[usize], class: usize) -> Option<f64> {
    let images = row.iter().sum::<usize>();
    (images > 0).then(|| row[class] as f64 / images as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_the_matrix_are_aligned() {
        let confusion = vec![vec![0, 2, 0], vec![0, 3, 0], vec![0, 0, 0]];
        let report = TestReport { correct: 3, images: 5, confusion, mistakes: Vec::new() };
        let names = ["0", "1", "2"].map(String::from);
        let lines = matrix(&report, &names);
        let widths: Vec<usize> = lines[1..].iter().map(|line| width(line)).collect();
        assert_eq!(widths, [widths[0]; 4], "{lines:#?}");
        assert!(lines[2].ends_with("  0.00 %") && lines[4].ends_with("   -"), "{lines:#?}");
    }
}
