//! The source of a core function, and the lines of both models that call it.

use anyhow::bail;
use m2g_core::error::hint;

use super::functions::{Function, Kind, Use};
use super::result::Comparison;
use super::source;
use super::stage::Stage;
use super::table::{place, run_by};
use crate::models::named;
use crate::terminal::lines::times;

/// The source of the functions called `name`, or of all shared functions.
pub fn text(comparison: &Comparison, name: Option<&str>) -> anyhow::Result<String> {
    let chosen: Vec<&Function> = match name {
        Some(name) => comparison.functions.iter().filter(|f| is_called(f, name)).collect(),
        None => comparison.functions.iter().filter(|f| f.shared).collect(),
    };
    match (chosen.is_empty(), name) {
        (true, Some(name)) => bail!("{}", unknown(comparison, name)),
        (true, None) => bail!(
            "the two models have no core function in common: give --code the name of a function, such as {}",
            comparison.functions.first().map_or("linear", |f| f.name)
        ),
        _ => {}
    }
    let mut functions: Vec<&str> = Vec::new();
    for function in &chosen {
        if !functions.contains(&function.function) {
            functions.push(function.function);
        }
    }
    let parts = functions.into_iter().map(|path| {
        let parts: Vec<&Function> = chosen.iter().copied().filter(|f| f.function == path).collect();
        whole(comparison, &parts)
    });
    Ok(parts.collect::<Vec<_>>().join("\n\n"))
}

/// Whether an op or its type has this name.
fn is_called(function: &Function, name: &str) -> bool {
    let type_name = function.function.rsplit("::").next().unwrap_or_default();
    function.name.eq_ignore_ascii_case(name) || type_name.eq_ignore_ascii_case(name)
}

fn unknown(comparison: &Comparison, name: &str) -> String {
    if named(name).is_some() {
        return format!("--code {name} shows the function {name}: write the models before --code");
    }
    let mut names: Vec<&str> = comparison.functions.iter().map(|f| f.name).collect();
    names.sort_unstable();
    names.dedup();
    let hint = hint(name, "the functions", &names);
    format!("--code is \"{name}\": neither step runs such a function; {hint}")
}

/// All parts of a function, such as forward and backward, and its callers.
fn whole(comparison: &Comparison, parts: &[&Function]) -> String {
    let labels = comparison.labels();
    let Some(first) = parts.first() else { return String::new() };
    let equation = match first.equation.as_str() {
        "" => String::new(),
        equation => format!("  {equation}"),
    };
    let mut lines = vec![format!("==== {} ===={equation}", first.name)];
    for part in parts {
        lines.push(format!("\n{}, run by {}: {}", part.stage.name(), run_by(part, &labels), place(part)));
        let text = part.place.as_ref().map(source::text).unwrap_or_default();
        lines.extend(text.into_iter().map(|line| format!("  {line}")));
    }
    // Models call only the forward part; the tape runs the backward part. So the first part has the callers.
    for (label, run) in labels.iter().zip(&first.runs) {
        lines.push(String::new());
        match run {
            Some(run) => lines.extend(callers(label, first, run)),
            None => lines.push(format!("{label} does not call it")),
        }
    }
    lines.join("\n")
}

fn callers(label: &str, function: &Function, run: &Use) -> Vec<String> {
    let op = function.kind == Kind::Op && function.stage != Stage::Backward;
    let how = if op { "calls it forward" } else { "calls it" };
    let mut lines = vec![format!("{label} {how} {}:", times(run.calls))];
    for caller in &run.callers {
        let within = source::enclosing(&caller.place).map_or(String::new(), |name| format!(", in {name}"));
        lines.push(format!("  {} ({}{within})", caller.place, times(caller.calls)));
        lines.extend(source::line(&caller.place).map(|line| format!("      {}", line.trim())));
    }
    lines
}
