//! How a GPT knows where a token stands: the table of sines and cosines, and how alike
//! two positions are.

use std::path::Path;

use m2g_core::Tensor;
use m2g_core::nn::{Positions, sinusoidal};
use m2g_core::train::Model;
use m2g_gpt::Gpt;
use serde_json::json;

use super::values::nested;
use super::{draw, drawn};
use crate::plot::{Anchor, BLACK, Figure, tiles::Tile};

/// More positions than this are not drawn.
const MOST: usize = 256;

/// A table of positions, `(T, C)`, and the dot product of each two, `(T, T)`.
struct Table {
    name: &'static str,
    rows: Tensor<f32>,
    dot: Tensor<f32>,
}

impl Table {
    fn new(name: &'static str, rows: Tensor<f32>) -> Self {
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

/// Draws the sines and cosines of a model's size, and its own positions if it learned them.
pub fn show(gpt: &Gpt<f32>, out: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let config = gpt.config();
    let (t, c) = (config.block_size.min(MOST), config.n_embd);
    if t < config.block_size {
        eprintln!("the first {t} of {} positions are shown", config.block_size);
    }
    let mut tables = vec![Table::new("sin and cos", sinusoidal(0, t, c, config.positions_base))];
    match (config.positions, gpt.params().iter().find(|p| p.name == "wpe.weight")) {
        (_, Some(wpe)) => {
            let rows = Tensor::from_vec(&[t, c], wpe.value.data()[..t * c].to_vec())?;
            tables.push(Table::new("learned, wpe.weight", rows));
        }
        (Positions::Sinusoidal, _) => {}
        _ => {
            eprintln!("this model does not add positions to its tokens: the sin/cos table is for comparison")
        }
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
    drawn(out.unwrap_or(Path::new("")), object)
}

fn figure(tables: &[Table]) -> Figure {
    const SIDE: f64 = 400.0;
    const TOP: f64 = 40.0;
    let mut figure =
        Figure::new((2.0 * SIDE + 60.0) as usize, ((SIDE + TOP + 20.0) * tables.len() as f64) as usize);
    for (i, table) in tables.iter().enumerate() {
        let top = (SIDE + TOP + 20.0) * i as f64 + TOP;
        let parts = [
            (20.0, &table.rows, format!("{}: a row for each position", table.name)),
            (40.0 + SIDE, &table.dot, "dot product of each two".to_string()),
        ];
        for (left, numbers, title) in parts {
            let (rows, columns) = numbers.rows_cols();
            let tile = Tile::of_weights(numbers.data(), columns, title);
            figure.text((left, top - 8.0), tile.caption.as_str(), 11.0, Anchor::Start, BLACK);
            figure.image((left, top), SIDE / rows.max(columns).max(1) as f64, columns.max(1), tile.pixels);
        }
    }
    figure
}
