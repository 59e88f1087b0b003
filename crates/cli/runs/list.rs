//! `m2g runs list`.

use clap::Args;
use m2g_core::error::excerpt;
use serde_json::Value;

use super::folders::folders;
use super::summary::{Summary, bytes};
use crate::date::minute;
use crate::flags::RUNS;
use crate::output;
use crate::terminal::lines::note;
use crate::terminal::notes;
use crate::terminal::program::command;
use crate::terminal::table::{INDENT, Narrow, Table};
use crate::terminal::width::{columns, width};

/// List the runs in runs/: kind, date, size, result, and the settings that differ from the
/// default.
#[derive(Args)]
pub struct List {
    /// Print one JSON array to stdout.
    #[arg(long)]
    pub json: bool,
}

impl List {
    /// Prints all runs, the latest last.
    pub fn run(self) -> anyhow::Result<()> {
        let mut runs: Vec<Summary> = folders()?.iter().map(|path| Summary::read(path)).collect();
        runs.sort_by(|a, b| (a.saved, &a.name).cmp(&(b.saved, &b.name)));
        if self.json {
            return output::line(Value::Array(runs.iter().map(Summary::json).collect()));
        }
        if runs.is_empty() {
            note(&format!("there are no runs in {RUNS}/; to train one:"));
            notes::line(format_args!("  {}", command("digits train")));
            return Ok(());
        }
        output::line(table(&runs).render(columns()))
    }
}

fn table(runs: &[Summary]) -> Table {
    let mut table = Table::new()
        .text("run", Narrow::Keep)
        .text("kind", Narrow::Keep)
        .text("saved (UTC)", Narrow::Drop(2))
        .number("size", Narrow::Drop(3))
        .number("steps", Narrow::Drop(1))
        .number("best", Narrow::Keep)
        .text("of", Narrow::Drop(4));
    for run in runs {
        table.row([
            excerpt(&run.name),
            run.kind_name().into(),
            run.saved.map_or("-".into(), minute),
            bytes(run.bytes),
            run.state.as_ref().map_or("-".into(), |state| state.step.to_string()),
            run.figure_text(),
            run.figure().map_or(String::new(), |(name, _)| name.replace('_', " ")),
        ]);
        if let Some(wrong) = &run.wrong {
            table.below(wrong.split(' ').map(String::from).collect(), " ");
        }
        if run.training {
            table.below(vec!["is being trained now".into()], " ");
        }
        let changed = run.changed_settings().into_iter().map(|(name, value)| format!("{name} {value}"));
        let changed: Vec<String> = changed.collect();
        match changed.iter().all(|setting| width(setting) <= columns().saturating_sub(2 * INDENT)) {
            true => table.below(changed, "  "),
            // One of them has to be broken.
            false => table.below(changed.join("; ").split(' ').map(String::from).collect(), " "),
        }
    }
    table
}
