//! What both models have in common, at a glance: the roles of a training step with the function that
//! plays each, and the share of the work in shared functions.

use super::functions::{Function, Kind};
use super::result::{Comparison, short_labels};
use super::stage::Stage;
use crate::output::percent;
use crate::terminal::lines::wrap;
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::{clip, pad, width};

/// A role in a training step: its name, and whether a function plays it.
type Role = (&'static str, fn(&Function) -> bool);

/// The activation functions of all models.
const ACTIVATIONS: [&str; 7] = ["sigmoid", "tanh", "relu", "gelu", "gelu_exact", "relu_squared", "swiglu"];

/// The roles, in the order of the step. Every model has a function for each.
const ROLES: [Role; 5] = [
    ("weights", |f| f.stage == Stage::Forward && f.name == "linear"),
    ("activation", |f| f.stage == Stage::Forward && ACTIVATIONS.contains(&f.name)),
    ("cost", |f| f.stage == Stage::Loss && f.kind == Kind::Op),
    ("gradients", |f| f.stage == Stage::Backward && f.kind == Kind::Caller),
    ("update", |f| f.stage == Stage::Update),
];

/// The width of the bar of what is shared, in columns.
const MAX_BAR_COLUMNS: usize = 40;

/// The summary: at most 15 lines of 80 columns.
pub fn text(comparison: &Comparison, columns: usize) -> String {
    let labels = short_labels(&comparison.labels(), columns);
    let title = format!("One training step of {}, beside one of {}", labels[0], labels[1]);
    let shared = format!(
        "{} of {} core functions run in both; their share of the FLOPs:",
        comparison.shared_functions,
        comparison.functions.len()
    );
    let bars = labels.iter().zip(&comparison.models);
    let bars: Vec<String> =
        bars.map(|(label, model)| bar(label, &labels, model.shared_flops_share, columns)).collect();
    let parts = [wrap(&title, columns, 0), roles(comparison, &labels).render(columns)];
    format!("{}\n\n{}\n{}", parts.join("\n\n"), wrap(&shared, columns, 0), bars.join("\n"))
}

/// A table of the roles.
fn roles(comparison: &Comparison, labels: &[String; 2]) -> Table {
    let mut table = Table::new().text("role", Narrow::Keep);
    for label in labels {
        table = table.text(label.as_str(), Narrow::Keep);
    }
    table = table.text("", Narrow::Drop(1));
    for (role, plays) in ROLES {
        let players: Vec<&Function> = comparison.functions.iter().filter(|f| plays(f)).collect();
        let cell = |side: usize| {
            let mine = players.iter().filter_map(|f| Some((f.name, f.runs[side].as_ref()?.calls)));
            let names: Vec<String> = mine.map(|(name, calls)| called(name, calls)).collect();
            if names.is_empty() { "-".into() } else { names.join(", ") }
        };
        let remark = match (players.iter().any(|f| f.shared), players.is_empty()) {
            (true, _) => "the same function",
            (false, true) => "",
            (false, false) => "another in its place",
        };
        table.row([role.into(), cell(0), cell(1), remark.into()]);
    }
    table
}

fn called(name: &str, calls: u64) -> String {
    if calls == 1 { name.into() } else { format!("{name} x {calls}") }
}

/// The share as a bar: `digits  ########....   66.67 %`.
fn bar(label: &str, labels: &[String; 2], share: f64, columns: usize) -> String {
    let percent = format!("{:>8}", percent(share));
    let name_columns = labels.iter().map(|label| width(label)).max().unwrap_or(0).min(columns / 3);
    let room = columns.saturating_sub(name_columns + 4 + percent.len()).min(MAX_BAR_COLUMNS);
    let filled = (share * room as f64).round() as usize;
    let bar = "#".repeat(filled) + &".".repeat(room.saturating_sub(filled));
    format!("{}  {bar}  {percent}", pad(&clip(label, name_columns), name_columns, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_the_share_and_keep_to_the_width() {
        let labels = ["digits".to_string(), "gpt".to_string()];
        let bar = |columns| bar("gpt", &labels, 0.5, columns);
        assert_eq!(bar(30), "gpt     ######......   50.00 %");
        for columns in 20..100 {
            assert!(width(&bar(columns)) <= columns);
        }
        assert_eq!([called("sgd", 1), called("linear", 17)], ["sgd", "linear x 17"]);
    }
}
