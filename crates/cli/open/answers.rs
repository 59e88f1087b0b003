//! What other commands answer, for the page: the same functions, so that both say the same.

use std::path::{Path, PathBuf};

use m2g_core::threads::with_threads;
use m2g_page::Commands;
use serde_json::{Value, json};

use crate::compare;
use crate::flags::{new_run_path, run_path};
use crate::lab::means;
use crate::runs::folders::folders;
use crate::runs::name;
use crate::runs::summary::Summary;
use crate::translate::ask::Ask;

/// All of them.
pub const COMMANDS: Commands = Commands {
    folders,
    new_run,
    summary: |run| Summary::read(run).json(),
    compare: |a, b| Ok(serde_json::to_value(compare::of(a, b)?)?),
    source,
    ask,
    lab: means::means,
};

fn new_run(kind: &str, name: Option<&str>) -> anyhow::Result<PathBuf> {
    let Some(name) = name else { return Ok(new_run_path(kind)) };
    name::check(name)?;
    Ok(run_path(name))
}

fn ask(run: &Path, sentence: &str, word: &str) -> anyhow::Result<Value> {
    let ask = Ask::about(run.display().to_string(), sentence.into(), word.into());
    with_threads(0, || Ok(ask.answer()?.json()))?
}

/// The lines before and after a calling line that are shown with it.
const AROUND: usize = 3;

fn source(file: &str, line: usize, is_caller: bool) -> Option<Value> {
    use compare::source::{Place, enclosing, line as line_at, text};
    let place = Place { file: file.into(), line };
    line_at(&place)?;
    let (first, lines): (usize, Vec<&str>) = match is_caller {
        false => (line, text(&place)),
        true => {
            let first = line.saturating_sub(AROUND).max(1);
            let around =
                (first..=line + AROUND).map_while(|line| line_at(&Place { file: file.into(), line }));
            (first, around.collect())
        }
    };
    Some(json!({"file": file, "line": first, "lines": lines, "enclosing": enclosing(&place)}))
}
