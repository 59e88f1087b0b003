//! Both steps as two lanes, from the batch down to the update, with what they share joined.

use super::result::Comparison;
use super::step::{Function, Stage, Use};
use super::table::sentences;
use crate::output::percent;
use crate::plot::{Anchor, BLACK, Figure, GREY, Rgb};

/// Where the lanes begin, and how wide they are.
const LANES: [f64; 2] = [100.0, 560.0];
const WIDTH: f64 = 320.0;
/// The height of a function, and that of its box.
const ROW: f64 = 34.0;
const BOX: f64 = 26.0;
/// Where the batch stands, and below it the first function.
const BATCH: f64 = 92.0;
const TOP: f64 = BATCH + ROW;

/// What is shared, and what is not.
const SHARED: Rgb = [198, 221, 240];
const ONE: Rgb = [245, 222, 200];
/// What is not of the core.
const OWN: Rgb = [232, 232, 232];
/// The bar of the FLOPs.
const BAR: Rgb = [0, 114, 178];

/// Draws both steps.
pub fn figure(comparison: &Comparison) -> Figure {
    let labels = comparison.labels();
    let height = TOP + ROW * comparison.functions.len() as f64 + 50.0;
    let mut figure = Figure::new((LANES[1] + WIDTH + 30.0) as usize, height as usize);
    let title = format!("One training step of {} and of {}", labels[0], labels[1]);
    figure.text((20.0, 26.0), title, 15.0, Anchor::Start, BLACK);
    let legend = "joined: the same function of the core; the bar is its share of the step's FLOPs";
    figure.text((20.0, 46.0), legend, 11.0, Anchor::Start, BLACK);
    for ((label, model), x) in labels.iter().zip(&comparison.models).zip(LANES) {
        let text = format!("{label}: {} of {}", model.batch, model.data);
        figure.text((x, BATCH - 16.0), text, 12.0, Anchor::Start, BLACK);
        for own in model.own.iter().filter(|own| own.stage == Stage::Batch) {
            figure.rect((x, BATCH), (WIDTH, BOX), OWN);
            let name = own.function.rsplit("::").next().unwrap_or_default();
            let text = format!("{name}: code of its own");
            figure.text((x + 8.0, BATCH + 16.0), text, 12.0, Anchor::Start, BLACK);
        }
    }
    figure.text((20.0, BATCH + 17.0), Stage::Batch.name(), 12.0, Anchor::Start, BLACK);
    let mut stage = None;
    for (i, function) in comparison.functions.iter().enumerate() {
        let y = TOP + ROW * i as f64;
        if stage != Some(function.stage) {
            stage = Some(function.stage);
            figure.line(vec![(20.0, y - 4.0), (LANES[1] + WIDTH, y - 4.0)], GREY, 0.5);
            figure.text((20.0, y + 17.0), function.stage.name(), 12.0, Anchor::Start, BLACK);
        }
        if function.shared {
            let middle = y + BOX / 2.0;
            figure.line(vec![(LANES[0] + WIDTH, middle), (LANES[1], middle)], BAR, 2.0);
        }
        for (run, x) in function.runs.iter().zip(LANES) {
            if let Some(run) = run {
                draw(&mut figure, (x, y), function, run);
            }
        }
    }
    let summary = sentences(comparison).into_iter().next().unwrap_or_default();
    figure.text((20.0, height - 18.0), summary, 11.0, Anchor::Start, BLACK);
    figure
}

/// One function in a lane.
fn draw(figure: &mut Figure, (x, y): (f64, f64), function: &Function, run: &Use) {
    figure.rect((x, y), (WIDTH, BOX), if function.shared { SHARED } else { ONE });
    figure.rect((x, y + BOX - 3.0), (WIDTH * run.flops_share, 3.0), BAR);
    let calls = if run.calls == 1 { String::new() } else { format!(" x {}", run.calls) };
    figure.text((x + 8.0, y + 16.0), format!("{}{calls}", function.name), 12.0, Anchor::Start, BLACK);
    figure.text((x + WIDTH - 8.0, y + 16.0), percent(run.flops_share), 11.0, Anchor::End, BLACK);
}
