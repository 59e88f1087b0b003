//! Shows attention, head by head: Q, K, V, scores, mask and weights.

use m2g_core::Mask;
use serde_json::{Value, json};

use super::axes::tuple;
use super::numbers::{SHORT, Statistics, WHOLE, matrix};
use super::step::Step;
use super::values::nested;
use crate::output;
use crate::terminal::lines::{flow, wrap};
use crate::terminal::width::columns;

/// The matrices of a head, by the last part of their labels.
const MATRICES: [&str; 5] = ["q", "k", "v", "scores", "weights"];

/// The attention heads to show.
pub struct Heads<'a> {
    /// The step.
    pub step: &'a Step,
    /// The tokens, which name the rows.
    pub tokens: &'a [String],
    /// The keys that a query can see.
    pub mask: &'a Mask,
    /// The layers.
    pub layers: Vec<usize>,
    /// The heads.
    pub heads: Vec<usize>,
}

/// One matrix of one head.
struct Matrix<'a> {
    axes: Vec<String>,
    shape: [usize; 2],
    data: &'a [f32],
}

impl Heads<'_> {
    /// Whether a single head is selected, which is shown in more detail.
    fn single(&self) -> bool {
        self.layers.len() == 1 && self.heads.len() == 1
    }

    fn matrix(&self, layer: usize, head: usize, name: &str) -> Option<Matrix<'_>> {
        let var = self.step.labelled(&format!("h.{layer}.attn.{name}"))?;
        let tensor = self.step.tape.value(var);
        let &[_, _, rows, columns] = tensor.shape() else { return None };
        let data = tensor.data().get(head * rows * columns..(head + 1) * rows * columns)?;
        Some(Matrix { axes: self.step.axes(var).split_off(2), shape: [rows, columns], data })
    }

    /// Prints the mask and the matrices of each head.
    pub fn print(&self) -> anyhow::Result<()> {
        self.print_mask()?;
        for &layer in &self.layers {
            for &head in &self.heads {
                output::line(format!("\nh.{layer}.attn, head {head}"))?;
                for name in MATRICES {
                    let Some(Matrix { axes, shape, data }) = self.matrix(layer, head, name) else { continue };
                    let (axes, shape_text) = (tuple(&axes), tuple(&shape));
                    let head = format!("  {name:<8} {axes} {shape_text} ");
                    let fields = [vec![head], Statistics::of(data).fields()].concat();
                    output::line(flow(&fields, "  ", columns(), 6))?;
                    let cut = if self.single() { WHOLE } else { SHORT }.within(columns());
                    for line in matrix(data, shape[1], self.tokens, cut) {
                        output::line(line)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One row per query: `#` for a visible key, `.` for a masked one.
    fn print_mask(&self) -> anyhow::Result<()> {
        const MAX_TOKENS: usize = 64;
        let t = self.tokens.len();
        let title =
            format!("mask  {}, of every head (T, T) ({t}, {t}): # is visible, . is masked", self.mask);
        output::line(format!("\n{}", wrap(&title, columns(), 6)))?;
        // Without room for spaces, the signs stand side by side.
        let room = columns().saturating_sub(9);
        let gap = if 2 * t <= room { " " } else { "" };
        if t > MAX_TOKENS || t > room {
            return Ok(());
        }
        for i in 0..t {
            let seen = self.mask.visible(0, i, t);
            let sign = |j: usize| if seen.contains(&j) { "#" } else { "." };
            let row: String = (0..t).map(|j| format!("{gap}{}", sign(j))).collect();
            output::line(format!("    {i:>4} {row}"))?;
        }
        if *self.mask == Mask::Finite {
            output::line(format!("    and {} is added to the scores above the diagonal", Mask::FINITE))?;
        }
        Ok(())
    }

    /// One JSON value per head; a single head includes all its elements.
    pub fn json(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for &layer in &self.layers {
            for &head in &self.heads {
                let mut object = json!({"layer": layer, "head": head});
                for name in MATRICES {
                    let Some(Matrix { axes, shape, data }) = self.matrix(layer, head, name) else { continue };
                    let values = self.single().then(|| nested(&shape, data));
                    object[name] = json!({
                        "axes": tuple(&axes), "shape": shape, "statistics": Statistics::of(data), "values": values,
                    });
                }
                all.push(object);
            }
        }
        all
    }
}
