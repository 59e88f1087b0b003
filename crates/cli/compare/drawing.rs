//! Draws both steps as two columns, from the batch to the update, with shared functions joined.

use super::functions::{Function, Use};
use super::result::Comparison;
use super::stage::Stage;
use super::table::sentences;
use crate::output::percent;
use crate::plot::{Anchor, BLACK, Figure, GREY, Rgb, font};

/// The left edges of the columns, and their width.
const COLUMNS_LEFT: [f64; 2] = [100.0, 560.0];
const COLUMN_WIDTH: f64 = 320.0;
/// The height of a row, and of the box inside.
const ROW_HEIGHT: f64 = 34.0;
const BOX_HEIGHT: f64 = 26.0;
/// The top edges of the batch and of the first function.
const BATCH_TOP: f64 = 92.0;
const TOP: f64 = BATCH_TOP + ROW_HEIGHT;

/// The colours of functions that both models ran, and of those that only one ran.
const SHARED: Rgb = [198, 221, 240];
const ONLY_ONE: Rgb = [245, 222, 200];
/// The colour of functions outside the core.
const OWN: Rgb = [232, 232, 232];
/// The colour of the FLOPs bar.
const BAR: Rgb = [0, 114, 178];

/// Draws both steps.
pub fn figure(comparison: &Comparison) -> Figure {
    let labels = comparison.labels();
    let height = TOP + ROW_HEIGHT * comparison.functions.len() as f64 + 50.0;
    let mut figure = Figure::new((COLUMNS_LEFT[1] + COLUMN_WIDTH + 30.0) as usize, height as usize);
    let title = format!("One training step of {} and of {}", labels[0], labels[1]);
    let (title, size) = font::fit(&title, 15.0, COLUMNS_LEFT[1] + COLUMN_WIDTH - 20.0);
    figure.text((20.0, 26.0), title, size, Anchor::Start, BLACK);
    let legend = "joined: the same core function; the bar is its share of the FLOPs of the step";
    figure.text((20.0, 46.0), legend, 11.0, Anchor::Start, BLACK);
    for ((label, model), x) in labels.iter().zip(&comparison.models).zip(COLUMNS_LEFT) {
        let text = format!("{label}: {} of {}", model.batch, model.data);
        let (text, size) = font::fit(&text, 12.0, COLUMN_WIDTH + 100.0);
        figure.text((x, BATCH_TOP - 16.0), text, size, Anchor::Start, BLACK);
        for own in model.own.iter().filter(|own| own.stage == Stage::Batch) {
            figure.rect((x, BATCH_TOP), (COLUMN_WIDTH, BOX_HEIGHT), OWN);
            let name = own.function.rsplit("::").next().unwrap_or_default();
            let text = format!("{name}: outside the core");
            figure.text((x + 8.0, BATCH_TOP + 16.0), text, 12.0, Anchor::Start, BLACK);
        }
    }
    figure.text((20.0, BATCH_TOP + 17.0), Stage::Batch.name(), 12.0, Anchor::Start, BLACK);
    let mut stage = None;
    for (i, function) in comparison.functions.iter().enumerate() {
        let y = TOP + ROW_HEIGHT * i as f64;
        if stage != Some(function.stage) {
            stage = Some(function.stage);
            figure.line(vec![(20.0, y - 4.0), (COLUMNS_LEFT[1] + COLUMN_WIDTH, y - 4.0)], GREY, 0.5);
            figure.text((20.0, y + 17.0), function.stage.name(), 12.0, Anchor::Start, BLACK);
        }
        if function.shared {
            let middle = y + BOX_HEIGHT / 2.0;
            figure.line(vec![(COLUMNS_LEFT[0] + COLUMN_WIDTH, middle), (COLUMNS_LEFT[1], middle)], BAR, 2.0);
        }
        for (run, x) in function.runs.iter().zip(COLUMNS_LEFT) {
            if let Some(run) = run {
                draw(&mut figure, (x, y), function, run);
            }
        }
    }
    let summary = sentences(comparison, &labels).into_iter().next().unwrap_or_default();
    let (summary, size) = font::fit(&summary, 11.0, COLUMNS_LEFT[1] + COLUMN_WIDTH - 20.0);
    figure.text((20.0, height - 18.0), summary, size, Anchor::Start, BLACK);
    figure
}

/// Draws one function.
fn draw(figure: &mut Figure, (x, y): (f64, f64), function: &Function, run: &Use) {
    figure.rect((x, y), (COLUMN_WIDTH, BOX_HEIGHT), if function.shared { SHARED } else { ONLY_ONE });
    figure.rect((x, y + BOX_HEIGHT - 3.0), (COLUMN_WIDTH * run.flops_share, 3.0), BAR);
    let calls = if run.calls == 1 { String::new() } else { format!(" x {}", run.calls) };
    figure.text((x + 8.0, y + 16.0), format!("{}{calls}", function.name), 12.0, Anchor::Start, BLACK);
    figure.text((x + COLUMN_WIDTH - 8.0, y + 16.0), percent(run.flops_share), 11.0, Anchor::End, BLACK);
}
