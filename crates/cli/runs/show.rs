//! `m2g runs show`.

use std::fs;

use clap::Args;
use m2g_core::error::excerpt;

use super::manage::existing;
use super::summary::{Summary, bytes};
use crate::date::minute;
use crate::errors::readable;
use crate::output;
use crate::terminal::lines::{entry_at, entry_of_fields};
use crate::terminal::width::{columns, width};

/// The column in which the text of an entry starts.
const NAME_COLUMNS: usize = 14;

/// Show everything about a run: results, all settings, files.
#[derive(Args)]
pub struct Show {
    /// The run: a name under runs/, or a path.
    run: String,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Prints results, settings and files.
    pub fn run(self) -> anyhow::Result<()> {
        let run = Summary::read(&existing(&self.run)?);
        if self.json {
            return output::line(run.json());
        }
        let columns = columns();
        let line = |name: &str, text: &str| output::line(entry_at(NAME_COLUMNS, name, text, columns));
        line("run", &excerpt(&run.name))?;
        line("folder", &readable(&run.path.display().to_string()))?;
        if let Some(wrong) = &run.wrong {
            line("wrong", wrong)?;
        }
        if run.training {
            line("now", "is being trained")?;
        }
        line("kind", run.kind.map_or("unknown", |kind| kind.noun()))?;
        line("saved", &run.saved.map_or("never".into(), |time| format!("{} UTC", minute(time))))?;
        if let Some(state) = &run.state {
            line("steps", &format!("{} in {:.1} s", state.step, state.seconds))?;
        }
        if let Some((name, _)) = run.figure() {
            let step = run.state.as_ref().map_or(0, |state| state.best_step);
            let text = format!("{} {}, after step {step}", name.replace('_', " "), run.figure_text());
            line("best", &text)?;
        }
        let all = run.settings.iter().map(|(name, value)| (name, super::summary::plain(value)));
        let changed = run.changed_settings();
        let is_changed = |name: &String| changed.iter().any(|(known, _)| known == name);
        let (changed, same): (Vec<_>, Vec<_>) = all.partition(|(name, _)| is_changed(name));
        for (title, settings) in [("changed", changed), ("default", same)] {
            let fields: Vec<String> =
                settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let fit = fields.iter().all(|field| width(field) <= columns.saturating_sub(NAME_COLUMNS));
            match fit {
                _ if fields.is_empty() => {}
                true => output::line(entry_of_fields(NAME_COLUMNS, title, &fields, columns))?,
                // One of them has to be broken.
                false => line(title, &fields.join("; "))?,
            }
        }
        let mut files: Vec<String> = fs::read_dir(&run.path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| {
                let size = entry.metadata().map_or(0, |metadata| metadata.len());
                format!("{}  {}", entry.file_name().to_string_lossy(), bytes(size))
            })
            .collect();
        files.sort();
        line("files", &files.join("\n"))
    }
}
