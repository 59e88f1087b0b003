//! Shows the attention of a model on a text, as an HTML page, a drawing or JSON.

use std::path::Path;

use anyhow::anyhow;
use base64::Engine;
use m2g_core::Mask;
use serde_json::{Value, json};

use super::draw;
use super::step::Step;
use super::values::nested;
use crate::plot::title::{Title, key};
use crate::plot::{Anchor, BLACK, Figure, GREY, Rgb, font};
use crate::terminal::notes;
use crate::{output, output_file};

/// The template of the page; the data replaces `DATA`.
const PAGE: &str = include_str!("attention.html");
/// The colour of masked weights.
const MASKED: Rgb = [228, 228, 228];

/// The attention weights of some layers and heads.
pub struct Attention {
    model: String,
    tokens: Vec<String>,
    mask: String,
    /// The range of keys that each query sees.
    rows: Vec<[usize; 2]>,
    maps: Vec<Map>,
    columns: usize,
}

/// The weights of one head, `(T, T)`.
struct Map {
    layer: usize,
    head: usize,
    weights: Vec<f32>,
}

impl Attention {
    /// The weights of these layers and heads.
    pub fn of(
        step: &Step,
        model: &str,
        mask: &Mask,
        tokens: Vec<String>,
        (layers, heads): (Vec<usize>, Vec<usize>),
    ) -> anyhow::Result<Self> {
        let t = tokens.len();
        let mut maps = Vec::new();
        for &layer in &layers {
            let var = step.labelled(&format!("h.{layer}.attn.weights"));
            let all =
                step.tape.value(var.ok_or_else(|| anyhow!("layer {layer} recorded no weights"))?).data();
            for &head in &heads {
                maps.push(Map { layer, head, weights: all[head * t * t..(head + 1) * t * t].to_vec() });
            }
        }
        let seen = |i| mask.visible(0, i, t);
        let rows = (0..t).map(|i| [seen(i).start, seen(i).end]).collect();
        Ok(Self { model: model.into(), tokens, mask: mask.to_string(), rows, maps, columns: heads.len() })
    }

    /// Draws to a file and prints its path. Without a file, or with `json`, prints all weights as JSON.
    pub fn show(&self, out: Option<&Path>, json: bool) -> anyhow::Result<()> {
        if let Some(out) = out {
            match draw::format(out)? {
                "html" => draw::bytes_to(out, self.page().as_bytes())?,
                _ => draw::figure(out, &self.figure())?,
            }
            notes::line(format_args!("each row of weights sums to 1 within {:.1e}", self.worst_sum()));
            if !json {
                return output_file::print_path(out);
            }
        }
        output::line(self.json())
    }

    /// The largest difference between the sum of a row and 1.
    fn worst_sum(&self) -> f64 {
        let rows = self.maps.iter().flat_map(|map| map.weights.chunks(self.tokens.len().max(1)));
        rows.map(|row| (row.iter().map(|&w| f64::from(w)).sum::<f64>() - 1.0).abs()).fold(0.0, f64::max)
    }

    fn json(&self) -> Value {
        let t = self.tokens.len();
        let map = |m: &Map| json!({"layer": m.layer, "head": m.head, "weights": nested(&[t, t], &m.weights)});
        json!({
            "event": "attention", "model": self.model, "tokens": self.tokens, "mask": self.mask,
            "worst_row_sum": self.worst_sum(), "heads": self.maps.iter().map(map).collect::<Vec<_>>(),
        })
    }

    /// The page with its data. Stores each visible weight in 16 bits, or in 8 bits if the page would
    /// be too large.
    fn page(&self) -> String {
        const MAX_16_BIT_WEIGHTS: usize = 650_000;
        let seen = self.rows.iter().map(|[start, end]| end - start).sum::<usize>() * self.maps.len();
        let bits = if seen <= MAX_16_BIT_WEIGHTS { 16 } else { 8 };
        let mut bytes = Vec::with_capacity(seen * bits / 8);
        for map in &self.maps {
            for (row, &[start, end]) in map.weights.chunks(self.tokens.len().max(1)).zip(&self.rows) {
                for w in &row[start..end] {
                    match bits {
                        16 => bytes.extend(((w * 65535.0).round() as u16).to_le_bytes()),
                        _ => bytes.push((w * 255.0).round() as u8),
                    }
                }
            }
        }
        let data = json!({
            "model": self.model, "tokens": self.tokens, "mask": self.mask, "rows": self.rows, "bits": bits,
            "columns": self.columns, "maps": self.maps.iter().map(|m| [m.layer, m.head]).collect::<Vec<_>>(),
            "weights": base64::engine::general_purpose::STANDARD.encode(bytes),
        });
        // The text of a script element must not contain "<".
        PAGE.replace("DATA", &data.to_string().replace('<', "\\u003c"))
    }

    fn figure(&self) -> Figure {
        let t = self.tokens.len().max(1);
        let single = self.maps.len() == 1;
        // Tokens name rows and columns where their letters can be read.
        let labelled = if single { t <= 64 } else { t <= 32 };
        let side = match single {
            true => 560.0,
            false if labelled => (9.0 * t as f64).max(130.0),
            false => 130.0,
        };
        let cell = side / t as f64;
        let label_size = (cell * 0.9).clamp(6.0, 10.0);
        let names: Vec<String> =
            self.tokens.iter().enumerate().map(|(i, token)| format!("{i} {token}")).collect();
        let longest = names.iter().map(|name| font::width(name, label_size)).fold(0.0, f64::max);
        let room = if labelled { longest.min(MAX_LABEL) + 8.0 } else { 0.0 };
        let step = side + 28.0;
        let rows = self.maps.len().div_ceil(self.columns.max(1));
        let width = (MARGIN + room + step * self.columns as f64).max(480.0);
        let title = format!("Attention of {}: rows attend to columns, mask {}", self.model, self.mask);
        let title = Title::new(&title, 13.0, width - 2.0 * MARGIN);
        let top = 78.0 + title.extra_height() + room;
        let mut figure = Figure::new(width as usize, (top + step * rows as f64) as usize);
        title.draw(&mut figure, (MARGIN, 20.0));
        weights_key(&mut figure, (MARGIN, 42.0 + title.extra_height()));
        for (i, map) in self.maps.iter().enumerate() {
            let (column, row) = (i % self.columns, i / self.columns);
            let x = MARGIN + room + step * column as f64;
            let y = top + step * row as f64;
            let pixel = |(place, &weight): (usize, &f32)| {
                let ([start, end], j) = (self.rows[place / t], place % t);
                if (start..end).contains(&j) { draw::shade(weight) } else { MASKED }
            };
            let name = format!("layer {} head {}", map.layer, map.head);
            let above = if row == 0 { room } else { 0.0 };
            figure.text((x, y - above - 4.0), name, 10.0, Anchor::Start, BLACK);
            let pixels = map.weights.iter().enumerate().map(pixel).collect();
            figure.image((x, y), cell, t, pixels);
            for (i, name) in names.iter().enumerate().filter(|_| labelled) {
                let middle = cell * (i as f64 + 0.5) + label_size * 0.35;
                let (text, size) = font::fit(name, label_size, MAX_LABEL);
                if column == 0 {
                    figure.text((x - 5.0, y + middle), text.as_str(), size, Anchor::End, BLACK);
                }
                if row == 0 {
                    figure.text_upward((x + middle, y - 4.0), text, size, BLACK);
                }
            }
        }
        figure
    }
}

/// The margin, and the length of the longest name of a token, in pixels.
const MARGIN: f64 = 14.0;
const MAX_LABEL: f64 = 80.0;

/// Draws the key of the weights; `at` is its upper left corner.
fn weights_key(figure: &mut Figure, (x, y): (f64, f64)) {
    const WIDTH: usize = 100;
    let pixels = (0..WIDTH).map(|i| draw::shade(i as f32 / (WIDTH - 1) as f32)).collect();
    figure.text((x, y + 9.0), "weight 0", 11.0, Anchor::Start, BLACK);
    let left = x + font::width("weight 0", 11.0) + 6.0;
    figure.rect((left - 1.0, y - 1.0), (WIDTH as f64 + 2.0, 12.0), GREY);
    figure.image(
        (left, y),
        1.0,
        WIDTH,
        std::iter::repeat_n(pixels, 10).flat_map(|row: Vec<Rgb>| row).collect(),
    );
    let right = left + WIDTH as f64 + 6.0;
    figure.text((right, y + 9.0), "1", 11.0, Anchor::Start, BLACK);
    key(figure, (right + 24.0, y + 9.0), &[(MASKED, "masked")]);
}
