//! `m2g data`: lists, downloads and verifies datasets.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Subcommand;
use m2g_core::data::catalogue::{self, DATASETS};
use serde_json::json;

use crate::errors::with_dashes;
use crate::output::{self, LongRun};
use crate::progress::drawn;
use crate::terminal::lines::{entry_at, wrap};
use crate::terminal::program::command;
use crate::terminal::width::columns;

/// The subcommands of `m2g data`.
#[derive(Subcommand)]
pub enum DataCommand {
    /// List all datasets and where they are.
    List {
        /// Print one JSON array to stdout.
        #[arg(long)]
        json: bool,
    },
    /// Download the files of a dataset that are missing or damaged, and print its folder.
    Get {
        /// The name of the dataset, from `m2g data list`.
        name: String,
    },
    /// Verify every file of a dataset.
    Check {
        /// The name of the dataset, from `m2g data list`.
        name: String,
        /// The folder of the dataset [default: search for it].
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Runs the subcommand.
pub fn run(command: DataCommand) -> anyhow::Result<()> {
    match command {
        DataCommand::List { json: true } => list_json(),
        DataCommand::List { json: false } => list(),
        DataCommand::Get { name } => get(&name),
        DataCommand::Check { name, data } => check(&name, data),
    }
}

fn list() -> anyhow::Result<()> {
    for dataset in DATASETS {
        let megabytes = dataset.size as f64 / 1e6;
        let mut text = vec![
            dataset.about.to_string(),
            format!("{megabytes:.1} MB, licence: {}", dataset.licence),
            format!("used by: {}", used_by(dataset.name)),
        ];
        match catalogue::find(dataset.name, None) {
            Ok(dir) => text.push(format!("in {}", dir.canonicalize().unwrap_or(dir).display())),
            Err(_) => {
                text.push("not on this machine; get it with:".into());
                text.push(command(&format!("data get {}", dataset.name)));
            }
        }
        output::line(entry_at(NAME_COLUMNS, dataset.name, &text.join("\n"), columns()))?;
    }
    Ok(())
}

/// The column in which the text about a dataset starts.
const NAME_COLUMNS: usize = 18;

/// What uses a dataset.
fn used_by(dataset: &str) -> &'static str {
    match dataset {
        "mnist" => "digits train, which reads it by default; lab digits",
        "fashion-mnist" => "digits train --data fashion-mnist",
        "tiny-shakespeare" => "gpt train --config shakespeare-char-cpu; gpt ladder",
        "multi30k" => "translate train --data multi30k-de-en, or another pair of de, en, fr",
        "multi30k-de-en" => "gpt train and gpt prepare, as plain text in both languages",
        _ => "digits train or gpt train, with --data NAME",
    }
}

fn list_json() -> anyhow::Result<()> {
    let all = DATASETS.iter().map(|d| {
        json!({
            "event": "dataset", "name": d.name, "about": d.about, "used_by": used_by(d.name), "licence": d.licence,
            "bytes": d.size,
            "files": d.files.iter().map(|f| f.name).collect::<Vec<_>>(),
            "folder": catalogue::find(d.name, None).ok().map(|folder| folder.to_string_lossy().into_owned()),
        })
    });
    output::line(json!(all.collect::<Vec<_>>()))
}

fn get(name: &str) -> anyhow::Result<()> {
    let bar = drawn("{bytes}/{total_bytes}, {eta} left  {wide_msg}");
    let dir = catalogue::get(name, &mut |file, done, total| {
        bar.set_message(file.to_string());
        bar.set_length(total.unwrap_or(done));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    output::line(dir?.display())
}

fn check(name: &str, data: Option<PathBuf>) -> anyhow::Result<()> {
    let dataset = catalogue::named(name)?;
    let dir =
        catalogue::find(name, data.as_deref()).map_err(|error| anyhow!(with_dashes(&error.to_string())))?;
    let (mut wrong, mut shown) = (0, LongRun::new(false));
    for file in dataset.files {
        let state = match catalogue::local(&dir, file) {
            None => Err(format!("{} is missing in {}", file.name, dir.display())),
            Some(path) => match catalogue::check(&path, file) {
                Ok(true) => Ok(format!("{} is the original", path.display())),
                Ok(false) => Ok(format!("{} is intact", path.display())),
                Err(error) => Err(error.to_string()),
            },
        };
        wrong += usize::from(state.is_err());
        let (verdict, text) = match state {
            Ok(text) => ("ok     ", text),
            Err(text) => ("WRONG  ", text),
        };
        let text = wrap(&text, columns().saturating_sub(verdict.len()), 0);
        shown.line(format_args!("{verdict}{}", text.replace('\n', "\n       ")));
    }
    let (files, them) = match wrong {
        0 => return shown.finish(),
        1 => (format!("1 file of {name} is"), "it"),
        n => (format!("{n} files of {name} are"), "them"),
    };
    match data {
        None => bail!("{files} missing or damaged: get {them} again with `m2g data get {name}`"),
        Some(dir) => bail!(
            "{files} missing or damaged in {}: replace {them}, or leave out --data and use \
             `m2g data get {name}`",
            dir.display()
        ),
    }
}
