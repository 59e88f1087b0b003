//! Shows positional encodings: the sin/cos table, the learned table, and the similarity of positions.

use std::path::Path;

use m2g_core::Tensor;
use m2g_core::inspect::nested;
use m2g_core::nn::sinusoidal;
use serde_json::json;

use super::draw;
use crate::plot::tiles::{Tile, WEIGHTS_KEY};
use crate::plot::title::key;
use crate::plot::{Anchor, BLACK, Figure, font};
use crate::terminal::lines::note;
use crate::{output, output_file};

/// The maximum number of positions to draw.
const MAX_POSITIONS: usize = 256;

/// How a model encodes positions.
pub struct PositionSettings {
    /// The longest sequence.
    pub block_size: usize,
    /// C.
    pub n_embd: usize,
    /// The base of the wavelengths of the sin/cos table.
    pub base: f64,
    /// The name and the values of each learned table, `(block_size, C)`.
    pub learned: Vec<(&'static str, Tensor<f32>)>,
    /// Whether the model adds positions to its tokens.
    pub added: bool,
}

/// A table of positions, `(T, C)`, and the dot products of its rows, `(T, T)`.
struct Table {
    name: String,
    rows: Tensor<f32>,
    dot: Tensor<f32>,
}

impl Table {
    fn new(name: String, rows: Tensor<f32>) -> Self {
        let (t, c) = rows.rows_cols();
        let row = |i: usize| &rows.data()[i * c..(i + 1) * c];
        let mut place = 0;
        let dot = Tensor::from_fn(&[t, t], || {
            let (i, j) = (place / t, place % t);
            place += 1;
            row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum()
        });
        Self { name, rows, dot }
    }
}

/// Draws the sin/cos table of the model's size, and the learned table if it has one.
pub fn show(settings: &PositionSettings, out: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let (t, c) = (settings.block_size.min(MAX_POSITIONS), settings.n_embd);
    if t < settings.block_size {
        note(&format!("showing the first {t} of {} positions", settings.block_size));
    }
    let mut tables = vec![Table::new("sin and cos".into(), sinusoidal(0, t, c, settings.base))];
    for (name, table) in &settings.learned {
        let rows = Tensor::from_vec(&[t, c], table.data()[..t * c].to_vec())?;
        tables.push(Table::new(format!("learned, {name}"), rows));
    }
    if !settings.added {
        note("this model does not add positions to its tokens; the sin/cos table is for comparison");
    }
    let object = json.then(|| {
        let table = |x: &Table| {
            json!({"name": x.name, "table": nested(&[t, c], x.rows.data()), "dot": nested(&[t, t], x.dot.data())})
        };
        json!({"event": "positions", "tables": tables.iter().map(table).collect::<Vec<_>>()})
    });
    if let Some(out) = out {
        draw::figure(out, &figure(&tables))?;
    }
    match (object, out) {
        (Some(object), _) => output::line(object),
        (None, Some(out)) => output_file::print_path(out),
        (None, None) => Ok(()),
    }
}

fn figure(tables: &[Table]) -> Figure {
    const SIDE: f64 = 400.0;
    const TOP: f64 = 40.0;
    const KEY: f64 = 20.0;
    let mut figure =
        Figure::new((2.0 * SIDE + 60.0) as usize, ((SIDE + TOP + 20.0) * tables.len() as f64 + KEY) as usize);
    key(&mut figure, (20.0, 20.0), &WEIGHTS_KEY);
    for (i, table) in tables.iter().enumerate() {
        let top = (SIDE + TOP + 20.0) * i as f64 + TOP + KEY;
        let parts = [
            (
                20.0,
                &table.rows,
                format!("{}: a row for each position, a column for each element", table.name),
            ),
            (40.0 + SIDE, &table.dot, "dot product of each pair of positions".to_string()),
        ];
        for (left, table, title) in parts {
            let (rows, columns) = table.rows_cols();
            let tile = Tile::of_weights(table.data(), columns, title);
            let (caption, size) = font::fit(&tile.caption, 11.0, SIDE);
            figure.text((left, top - 8.0), caption, size, Anchor::Start, BLACK);
            figure.image((left, top), SIDE / rows.max(columns).max(1) as f64, columns.max(1), tile.pixels);
        }
    }
    figure
}
