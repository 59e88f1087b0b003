//! `m2g inspect`: shows one step of a model, op by op, with every value.
//!
//! | file | holds |
//! | --- | --- |
//! | `input.rs` | the input of an inspection |
//! | `table.rs`, `numbers.rs` | all ops, with statistics |
//! | `values.rs` | the elements of one value |
//! | `prediction.rs` | the answer of the model |
//! | `heads.rs`, `attention.rs` | attention, as text and as a drawing |
//! | `positions.rs` | a drawing of positional encodings |
//! | `prompt.rs`, `draw.rs` | the tokens of a prompt; drawings in files |

mod attention;
mod draw;
mod heads;
pub mod input;
pub mod numbers;
pub mod positions;
mod prediction;
pub mod prompt;
mod table;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::inspect::{Inspection, Prediction, Step};
use m2g_core::threads::with_threads;
use serde_json::json;

use self::attention::Attention;
use self::heads::Heads;
use self::input::Input;
use self::values::Selected;
use crate::flags::Checkpoint;
use crate::models::kind::ModelKind;
use crate::models::{MODELS, open, same_name_hint};
use crate::output;
use crate::terminal::lines::note;
use crate::terminal::width::columns;

/// Inspect one step of a model, op by op, and draw its attention.
#[derive(Args)]
pub struct Inspect {
    /// `digits`, `gpt` or `translate` for an untrained model, or a run: a name under runs/, or a path.
    #[arg(value_name = "MODEL")]
    model: String,
    #[command(flatten)]
    input: Input,
    /// Show only the elements of one value: a name or the number of an op from the table, or a
    /// parameter.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["attention", "positions", "layer"])]
    values: Option<String>,
    /// Show this layer in full and fold the others, or show all in full [default: the first of three or more layers,
    /// else all].
    #[arg(long, value_name = "N|all", value_parser = layers)]
    layer: Option<Layers>,
    /// Show only this attention head.
    #[arg(long, value_name = "N")]
    head: Option<usize>,
    /// Draw the attention of all layers and heads; with --json, print the exact weights.
    #[arg(long, conflicts_with_all = ["positions", "backward"])]
    attention: bool,
    /// Draw the positional encoding: the sin/cos table, and the dot product of each pair of rows.
    #[arg(long, conflicts_with_all = ["prompt", "backward", "layer", "head"])]
    positions: bool,
    /// The file to draw to: .html, .svg or .png. A pipe or a device gets SVG.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// The layers to show in full.
#[derive(Clone, Copy, PartialEq)]
enum Layers {
    /// All of them.
    All,
    /// The one with this number.
    One(usize),
}

fn layers(text: &str) -> Result<Layers, String> {
    match text {
        "all" => Ok(Layers::All),
        _ => text.parse().map(Layers::One).map_err(|_| "it must be the number of a layer, or all".into()),
    }
}

impl Inspect {
    /// Runs the step and shows the result.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let draws = self.attention || self.positions;
        match &self.out {
            Some(_) if !draws => bail!("--out is for drawings: give --attention or --positions with it"),
            Some(out) => draw::check(out)?,
            None if draws && !self.json => bail!("give a file to draw to: --out FILE.html, .svg or .png"),
            None => {}
        }
        with_threads(0, || self.inspect())??;
        Ok(ExitCode::SUCCESS)
    }

    fn inspect(&self) -> anyhow::Result<()> {
        let (kind, model) = open(&self.model, self.checkpoint)?;
        self.check_flags(kind)?;
        same_name_hint(&self.model).iter().chain(&model.remark()).for_each(|text| note(text));
        if self.positions
            && let Some(positions) = model.positions()
        {
            return positions::show(&positions, self.out.as_deref(), self.json);
        }
        let Inspection { step, texts, attention, prediction } = model.inspect(&self.input)?;
        let heads = attention.as_ref().map_or(0, |attention| attention.heads);
        if let Some(head) = self.head.filter(|&head| head >= heads) {
            bail!("--head is {head}: the model has the heads 0 to {}", heads.saturating_sub(1));
        }
        let layer = self.checked_layer(&step)?;
        if let Some(name) = &self.values {
            let selected = Selected::find(&step, name, self.head, &texts)?;
            return if self.json { output::line(selected.json()) } else { selected.print() };
        }
        let chosen_heads: Vec<usize> = self.head.map_or((0..heads).collect(), |head| vec![head]);
        if let Some(layout) = attention.as_ref().filter(|_| self.attention) {
            let attention = Attention::of(&step, &self.model, layout, layer, &chosen_heads)?;
            return attention.show(self.out.as_deref(), self.json);
        }
        // As text, one layer of three or more is shown in full. JSON has all, unless one is chosen.
        let (first, last) = step.layer_numbers();
        let full = match self.layer {
            None if !self.json && last - first > 1 => Some(first),
            _ => layer,
        };
        let heads =
            attention.as_ref().map(|layout| Heads { step: &step, layout, layer: full, heads: chosen_heads });
        if !self.json {
            table::print(&step, full)?;
            heads.map_or(Ok(()), |heads| heads.print())?;
            return match &prediction {
                Some(prediction) => output::line(format!("\n{}", prediction::text(prediction, columns()))),
                None => Ok(()),
            };
        }
        let mut object = json!({
            "event": "inspect", "model": kind.name(), "loss": step.loss, "ops": step.ops(layer),
            "prediction": prediction.as_ref().map(Prediction::json),
        });
        for (text, names) in texts.iter().zip([["tokens", "ids"], ["target_tokens", "target_ids"]]) {
            object[names[0]] = json!(text.tokens);
            object[names[1]] = json!(text.ids);
        }
        if let Some(heads) = heads {
            object["mask"] = json!(heads.layout.groups.first().map(|group| &group.mask));
            object["attention"] = json!(heads.json());
        }
        output::line(object)
    }

    /// Rejects flags that are for another kind of model.
    fn check_flags(&self, kind: &dyn ModelKind) -> anyhow::Result<()> {
        let given = [
            ("--prompt", self.input.prompt.is_some()),
            ("--image", self.input.image.is_some()),
            ("--attention", self.attention),
            ("--positions", self.positions),
            ("--head", self.head.is_some()),
        ];
        for (flag, _) in given.into_iter().filter(|(_, given)| *given) {
            if !kind.inspect_flags().contains(&flag) {
                let takers = MODELS.into_iter().filter(|other| other.inspect_flags().contains(&flag));
                let nouns: Vec<&str> = takers.map(|other| other.noun()).collect();
                let inputs = [("--prompt", "TEXT"), ("--image", "FILE")];
                let is_input = inputs.iter().any(|(input, _)| *input == flag);
                let own = inputs.iter().find(|(input, _)| kind.inspect_flags().contains(input));
                let advice = match own.filter(|_| is_input) {
                    Some((input, value)) => format!("give {input} {value} instead"),
                    None => "leave it out".into(),
                };
                bail!(
                    "{flag} is for {}, but {} is {}: {advice}",
                    nouns.join(" or "),
                    self.model,
                    kind.noun()
                );
            }
        }
        Ok(())
    }

    /// The chosen layer, if one is chosen.
    fn checked_layer(&self, step: &Step) -> anyhow::Result<Option<usize>> {
        let (first, last) = step.layer_numbers();
        match self.layer {
            Some(Layers::One(layer)) if !(first..=last).contains(&layer) => {
                bail!("--layer is {layer}: the model has the layers {first} to {last}")
            }
            Some(Layers::One(layer)) => Ok(Some(layer)),
            Some(Layers::All) | None => Ok(None),
        }
    }
}
