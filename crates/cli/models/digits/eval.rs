//! `m2g digits eval`.

use std::path::{Path, PathBuf};

use clap::Args;
use m2g_digits::Network;
use serde_json::json;

use crate::digits::test_report::{MAX_SHOWN_MISTAKES, load_with_images, measure, mistakes_figure};
use crate::eval::{EvalCommand, Measured};
use crate::output::percent;

/// The flags of `m2g digits eval` alone.
#[derive(Args)]
pub struct Flags {
    /// A folder with IDX files [default: the data that the run was trained on].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl EvalCommand for Network<f32> {
    type Flags = Flags;

    fn evaluate(flags: Flags, run: &Path, file: &str) -> anyhow::Result<Measured> {
        let (network, test) = load_with_images(run, file, flags.data.as_deref())?;
        let report = measure(&network, &test)?;
        let accuracy = report.correct as f64 / report.images as f64;
        let [_, picture] = mistakes_figure(&report, &test).save(run, "mistakes")?;
        let mistakes = report
            .mistakes
            .iter()
            .map(|m| json!({"index": m.index, "label": m.label, "said": m.said, "activity": m.activity}));
        let json = json!({
            "test_accuracy": accuracy, "correct": report.correct, "images": report.images,
            "confusion": report.confusion, "mistakes": mistakes.collect::<Vec<_>>(), "picture": picture,
        });
        let mut lines = vec![
            format!("test accuracy  {}  ({} of {} images)", percent(accuracy), report.correct, report.images),
            "\ntrue digit, and the network's answer:".into(),
        ];
        let columns: String = (0..report.confusion.len()).map(|said| format!("{said:>6}")).collect();
        lines.push(format!("   {columns}   right"));
        for (label, row) in report.confusion.iter().enumerate() {
            let cells: String =
                row.iter().map(|n| if *n == 0 { "     .".into() } else { format!("{n:>6}") }).collect();
            let share = row[label] as f64 / row.iter().sum::<usize>().max(1) as f64;
            lines.push(format!("{label:>3}{cells}   {}", percent(share)));
        }
        let shown = report.mistakes.len().min(MAX_SHOWN_MISTAKES);
        lines.push(format!("\nthe {shown} most confident mistakes: {}", picture.display()));
        Ok(Measured { text: lines.join("\n"), json })
    }
}
