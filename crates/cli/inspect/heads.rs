//! Shows attention, head by head: Q, K, V, scores, mask and weights.

use m2g_core::Mask;
use serde_json::{Value, json};

use super::axes::tuple;
use super::input::{AttentionGroup, AttentionLayer, AttentionLayout};
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
    /// The attention layers.
    pub layout: &'a AttentionLayout,
    /// Only the attention of this block.
    pub layer: Option<usize>,
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
    /// The attention layers to show, each with its group.
    fn layers(&self) -> impl Iterator<Item = (&AttentionGroup, &AttentionLayer)> {
        self.layout
            .groups
            .iter()
            .flat_map(|group| group.layers_of(self.layer).map(move |layer| (group, layer)))
    }

    /// Whether a single head is selected, which is shown in more detail.
    fn single(&self) -> bool {
        self.layer.is_some() && self.heads.len() == 1 || self.layers().count() * self.heads.len() == 1
    }

    fn matrix(&self, layer: &AttentionLayer, head: usize, name: &str) -> Option<Matrix<'_>> {
        let var = self.step.labelled(&format!("{}.{name}", layer.label))?;
        let tensor = self.step.tape.value(var);
        let &[_, _, rows, columns] = tensor.shape() else { return None };
        let data = tensor.data().get(head * rows * columns..(head + 1) * rows * columns)?;
        Some(Matrix { axes: self.step.axes(var).split_off(2), shape: [rows, columns], data })
    }

    /// Prints the mask of each group, and the matrices of each head.
    pub fn print(&self) -> anyhow::Result<()> {
        for group in &self.layout.groups {
            let Some(first) = group.layers_of(self.layer).next() else { continue };
            self.print_mask(group, first)?;
            for layer in group.layers_of(self.layer) {
                for &head in &self.heads {
                    output::line(format!("\n{}, head {head}", layer.label))?;
                    self.print_head(group, layer, head)?;
                }
            }
        }
        Ok(())
    }

    fn print_head(&self, group: &AttentionGroup, layer: &AttentionLayer, head: usize) -> anyhow::Result<()> {
        for name in MATRICES {
            let Some(Matrix { axes, shape, data }) = self.matrix(layer, head, name) else { continue };
            let (axes, shape_text) = (tuple(&axes), tuple(&shape));
            let head = format!("  {name:<8} {axes} {shape_text} ");
            let fields = [vec![head], Statistics::of(data).fields()].concat();
            output::line(flow(&fields, "  ", columns(), 6))?;
            let cut = if self.single() { WHOLE } else { SHORT }.within(columns());
            let rows = if matches!(name, "k" | "v") { &group.keys } else { &group.queries };
            for line in matrix(data, shape[1], rows, cut) {
                output::line(line)?;
            }
        }
        Ok(())
    }

    /// One row per query: `#` for a visible key, `.` for a masked one.
    fn print_mask(&self, group: &AttentionGroup, layer: &AttentionLayer) -> anyhow::Result<()> {
        const MAX_TOKENS: usize = 64;
        let (t, keys) = (group.queries.len(), group.keys.len());
        let axes = self.matrix(layer, 0, "weights").map_or(String::new(), |weights| tuple(&weights.axes));
        let of = if self.layout.groups.len() > 1 { format!(", {}", group.name) } else { String::new() };
        let title = format!(
            "mask  {}, of every head{of} {axes} ({t}, {keys}): # is visible, . is masked",
            group.mask
        );
        output::line(format!("\n{}", wrap(&title, columns(), 6)))?;
        // Without room for spaces, the signs stand side by side.
        let room = columns().saturating_sub(9);
        let gap = if 2 * keys <= room { " " } else { "" };
        if t.max(keys) > MAX_TOKENS || keys > room {
            return Ok(());
        }
        for i in 0..t {
            let seen = group.mask.visible(0, i, keys);
            let sign = |j: usize| if seen.contains(&j) { "#" } else { "." };
            let row: String = (0..keys).map(|j| format!("{gap}{}", sign(j))).collect();
            output::line(format!("    {i:>4} {row}"))?;
        }
        if group.mask == Mask::Finite {
            output::line(format!("    and {} is added to the scores above the diagonal", Mask::FINITE))?;
        }
        Ok(())
    }

    /// One JSON value per head; a single head includes all its elements.
    pub fn json(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for (group, layer) in self.layers() {
            for &head in &self.heads {
                let mut object = json!({
                    "layer": layer.number, "head": head, "label": layer.label, "kind": group.name,
                });
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
