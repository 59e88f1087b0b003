//! Shows the attention of a model on a text, as an HTML page, a drawing or JSON.

use std::path::Path;

use anyhow::anyhow;
use base64::Engine;
use m2g_core::Error;
use m2g_core::inspect::{AttentionLayout, Step, nested};
use serde_json::{Value, json};

use super::draw;
use crate::plot::title::{Title, key};
use crate::plot::{Anchor, BLACK, Figure, GREY, Rgb, font};
use crate::terminal::notes;
use crate::{output, output_file};

/// The template of the page; the data replaces `DATA`.
static PAGE: &str = include_str!("attention.html");
/// The colour of masked weights.
const MASKED: Rgb = [228, 228, 228];

/// The attention weights of some layers and heads.
pub struct Attention {
    model: String,
    groups: Vec<Group>,
    /// The number of heads beside each other.
    columns: usize,
}

/// Heads in which the same tokens attend to the same tokens.
struct Group {
    name: &'static str,
    mask: String,
    queries: Vec<String>,
    keys: Vec<String>,
    /// The range of keys that each query sees.
    seen: Vec<[usize; 2]>,
    maps: Vec<Map>,
}

/// The weights of one head, `(T, T)`, or `(T, S)` in cross-attention.
struct Map {
    layer: usize,
    head: usize,
    title: String,
    weights: Vec<f32>,
}

impl Attention {
    /// The weights of these heads, of one block or of all.
    pub fn of(
        step: &Step,
        model: &str,
        layout: &AttentionLayout,
        block: Option<usize>,
        heads: &[usize],
    ) -> anyhow::Result<Self> {
        let mut groups = Vec::new();
        for group in &layout.groups {
            let (queries, keys) = (group.queries.clone(), group.keys.clone());
            let (t, s) = (queries.len(), keys.len());
            let mut maps = Vec::new();
            for layer in group.layers_of(block) {
                let var = step.labelled(&format!("{}.weights", layer.label));
                let all = step
                    .tape
                    .value(var.ok_or_else(|| anyhow!("{} recorded no weights", layer.label))?)
                    .data();
                maps.extend(heads.iter().map(|&head| Map {
                    layer: layer.number,
                    head,
                    title: layer.title.clone(),
                    weights: all[head * t * s..(head + 1) * t * s].to_vec(),
                }));
            }
            let visible = |i| group.mask.visible(0, i, s);
            let seen = (0..t).map(|i| [visible(i).start, visible(i).end]).collect();
            if !maps.is_empty() {
                let mask = group.mask.to_string();
                groups.push(Group { name: group.name, mask, queries, keys, seen, maps });
            }
        }
        Ok(Self { model: model.into(), groups, columns: heads.len() })
    }

    /// Draws to a file and prints its path. Without a file, or with `json`, prints all weights as JSON.
    pub fn show(&self, out: Option<&Path>, json: bool) -> anyhow::Result<()> {
        if let Some(out) = out {
            match draw::format(out)? {
                "html" => draw::bytes_to(out, self.page().as_bytes())?,
                _ => draw::figure(out, &self.figure())?,
            }
            match self.worst_sum() {
                worst if worst.is_nan() => notes::line(Error::NotFiniteResult("weights")),
                worst => notes::line(format_args!("each row of weights sums to 1 within {worst:.1e}")),
            }
            if !json {
                return output_file::print_path(out);
            }
        }
        output::line(self.json())
    }

    /// The largest difference between the sum of a row and 1; NaN if one is.
    fn worst_sum(&self) -> f64 {
        let rows = self
            .groups
            .iter()
            .flat_map(|group| group.maps.iter().flat_map(|map| map.weights.chunks(group.keys.len().max(1))));
        let errors = rows.map(|row| (row.iter().map(|&w| f64::from(w)).sum::<f64>() - 1.0).abs());
        // `f64::max` would drop NaN.
        errors.fold(0.0, |worst, error| if error > worst || error.is_nan() { error } else { worst })
    }

    /// All weights. `tokens` and `mask` are those of the first group.
    fn json(&self) -> Value {
        let map = |group: &Group, m: &Map| {
            json!({
                "layer": m.layer, "head": m.head, "kind": group.name, "title": m.title,
                "weights": nested(&[group.queries.len(), group.keys.len()], &m.weights),
            })
        };
        let heads = self.groups.iter().flat_map(|group| group.maps.iter().map(move |m| map(group, m)));
        let groups = self.groups.iter().map(|group| {
            json!({"kind": group.name, "mask": group.mask, "queries": group.queries, "keys": group.keys})
        });
        let first = self.groups.first();
        json!({
            "event": "attention", "model": self.model, "tokens": first.map(|group| &group.queries),
            "mask": first.map(|group| &group.mask), "groups": groups.collect::<Vec<_>>(),
            "worst_row_sum": self.worst_sum(), "heads": heads.collect::<Vec<_>>(),
        })
    }

    /// The page with its data. Stores each visible weight in 16 bits, or in 8 bits if the page would
    /// be too large.
    fn page(&self) -> String {
        const MAX_16_BIT_WEIGHTS: usize = 650_000;
        let visible = |group: &Group| {
            group.seen.iter().map(|[start, end]| end - start).sum::<usize>() * group.maps.len()
        };
        let seen = self.groups.iter().map(visible).sum::<usize>();
        let bits = if seen <= MAX_16_BIT_WEIGHTS { 16 } else { 8 };
        let mut bytes = Vec::with_capacity(seen * bits / 8);
        for group in &self.groups {
            for map in &group.maps {
                for (row, &[start, end]) in map.weights.chunks(group.keys.len().max(1)).zip(&group.seen) {
                    for w in &row[start..end] {
                        match bits {
                            16 => bytes.extend(((w * 65535.0).round() as u16).to_le_bytes()),
                            _ => bytes.push((w * 255.0).round() as u8),
                        }
                    }
                }
            }
        }
        let groups = self.groups.iter().map(|group| {
            json!({
                "name": group.name, "mask": group.mask, "queries": group.queries, "keys": group.keys,
                "seen": group.seen,
                "maps": group.maps.iter().map(|m| format!("{}, head {}", m.title, m.head)).collect::<Vec<_>>(),
            })
        });
        let data = json!({
            "model": self.model, "bits": bits, "columns": self.columns, "groups": groups.collect::<Vec<_>>(),
            "weights": base64::engine::general_purpose::STANDARD.encode(bytes),
        });
        // The text of a script element must not contain "<".
        PAGE.replace("DATA", &data.to_string().replace('<', "\\u003c"))
    }

    fn figure(&self) -> Figure {
        let single = self.groups.len() == 1 && self.groups[0].maps.len() == 1;
        let sizes: Vec<Size> = self.groups.iter().map(|group| Size::of(group, single)).collect();
        let columns = self.columns.max(1);
        let widest =
            sizes.iter().map(|size| size.room[0] + size.step()[0] * columns as f64).fold(0.0, f64::max);
        let width = (MARGIN + widest).max(480.0);
        let mask = match &self.groups[..] {
            [group] => format!(", mask {}", group.mask),
            _ => String::new(),
        };
        let title = format!("Attention of {}: rows attend to columns{mask}", self.model);
        let title = Title::new(&title, 13.0, width - 2.0 * MARGIN);
        let start = 56.0 + title.extra_height();
        let titles = if self.groups.len() > 1 { GROUP_TITLE + MAP_TITLE } else { MAP_TITLE };
        let rows = |group: &Group| group.maps.len().div_ceil(columns) as f64;
        let height = |(group, size): (&Group, &Size)| titles + size.room[1] + size.step()[1] * rows(group);
        let total = self.groups.iter().zip(&sizes).map(height).sum::<f64>();
        let mut figure = Figure::new(width as usize, (start + total) as usize);
        title.draw(&mut figure, (MARGIN, 20.0));
        weights_key(&mut figure, (MARGIN, 42.0 + title.extra_height()));
        let mut top = start;
        for (group, size) in self.groups.iter().zip(&sizes) {
            if self.groups.len() > 1 {
                let text = format!("{}, mask {}", group.name, group.mask);
                figure.text((MARGIN, top + 18.0), text, 12.0, Anchor::Start, BLACK);
            }
            group.draw(&mut figure, size, top + titles + size.room[1], columns);
            top += height((group, size));
        }
        figure
    }
}

/// The sizes of the maps of a group, in pixels.
struct Size {
    cell: f64,
    /// The width and height of a map.
    map: [f64; 2],
    /// The size of the names of tokens, and the room for those of rows and of columns.
    label: f64,
    room: [f64; 2],
}

impl Size {
    fn of(group: &Group, single: bool) -> Self {
        let (rows, columns) = (group.queries.len().max(1), group.keys.len().max(1));
        let most = rows.max(columns);
        // Tokens name rows and columns where their letters can be read.
        let labelled = if single { most <= 64 } else { most <= 32 };
        let side = match single {
            true => 560.0,
            false if labelled => (9.0 * most as f64).max(130.0),
            false => 130.0,
        };
        let cell = side / most as f64;
        let label = (cell * 0.9).clamp(6.0, 10.0);
        let longest = |tokens: &[String]| {
            let widths = names(tokens).into_iter().map(|name| font::width(&name, label));
            if labelled { widths.fold(0.0, f64::max).min(MAX_LABEL) + 8.0 } else { 0.0 }
        };
        let room = [longest(&group.queries), longest(&group.keys)];
        Self { cell, map: [cell * columns as f64, cell * rows as f64], label, room }
    }

    /// From one map to the next.
    fn step(&self) -> [f64; 2] {
        self.map.map(|side| side + 28.0)
    }
}

/// The tokens with their numbers.
fn names(tokens: &[String]) -> Vec<String> {
    tokens.iter().enumerate().map(|(i, token)| format!("{i} {token}")).collect()
}

impl Group {
    /// Draws the maps, the first row of them at `top`.
    fn draw(&self, figure: &mut Figure, size: &Size, top: f64, columns: usize) {
        let s = self.keys.len().max(1);
        let step = size.step();
        for (i, map) in self.maps.iter().enumerate() {
            let (column, row) = (i % columns, i / columns);
            let x = MARGIN + size.room[0] + step[0] * column as f64;
            let y = top + step[1] * row as f64;
            let pixel = |(place, &weight): (usize, &f32)| {
                let ([start, end], j) = (self.seen[place / s], place % s);
                if (start..end).contains(&j) { draw::shade(weight) } else { MASKED }
            };
            let name = format!("{} head {}", map.title, map.head);
            let above = if row == 0 { size.room[1] } else { 0.0 };
            let (name, letters) = font::fit(&name, 10.0, step[0] - 4.0);
            figure.text((x, y - above - 4.0), name, letters, Anchor::Start, BLACK);
            figure.image((x, y), size.cell, s, map.weights.iter().enumerate().map(pixel).collect());
            let middle = |i: usize| size.cell * (i as f64 + 0.5) + size.label * 0.35;
            if column == 0 && size.room[0] > 0.0 {
                for (i, name) in names(&self.queries).iter().enumerate() {
                    let (text, letters) = font::fit(name, size.label, MAX_LABEL);
                    figure.text((x - 5.0, y + middle(i)), text, letters, Anchor::End, BLACK);
                }
            }
            if row == 0 && size.room[1] > 0.0 {
                for (i, name) in names(&self.keys).iter().enumerate() {
                    let (text, letters) = font::fit(name, size.label, MAX_LABEL);
                    figure.text_upward((x + middle(i), y - 4.0), text, letters, BLACK);
                }
            }
        }
    }
}

/// The margin, and the length of the longest name of a token, in pixels.
const MARGIN: f64 = 14.0;
const MAX_LABEL: f64 = 80.0;
/// The height of the titles above the maps of a group, in pixels: that of a map, and that of the group.
const MAP_TITLE: f64 = 22.0;
const GROUP_TITLE: f64 = 20.0;

/// Draws the key of the weights; `at` is its upper left corner.
fn weights_key(figure: &mut Figure, (x, y): (f64, f64)) {
    const WIDTH: usize = 100;
    let row: Vec<Rgb> = (0..WIDTH).map(|i| draw::shade(i as f32 / (WIDTH - 1) as f32)).collect();
    figure.text((x, y + 9.0), "weight 0", 11.0, Anchor::Start, BLACK);
    let left = x + font::width("weight 0", 11.0) + 6.0;
    figure.rect((left - 1.0, y - 1.0), (WIDTH as f64 + 2.0, 12.0), GREY);
    figure.image((left, y), 1.0, WIDTH, row.repeat(10));
    let right = left + WIDTH as f64 + 6.0;
    figure.text((right, y + 9.0), "1", 11.0, Anchor::Start, BLACK);
    key(figure, (right + 24.0, y + 9.0), &[(MASKED, "masked")]);
}
