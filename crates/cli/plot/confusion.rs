//! Draws a confusion matrix.

use super::title::{Title, key};
use super::{Anchor, BLACK, Figure, Rgb, WHITE};

/// The colours of right and of wrong answers.
const RIGHT: Rgb = [0, 114, 178];
const WRONG: Rgb = [213, 94, 0];

/// Draws `counts[class][answer]`, each cell shaded by its share of the row, with the names of the classes.
pub fn confusion(title: &str, counts: &[Vec<usize>], names: &[String]) -> Figure {
    const CELL: f64 = 44.0;
    const LEFT: f64 = 60.0;
    const TOP: f64 = 70.0;
    let n = counts.len();
    let side = CELL * n as f64;
    let title = Title::new(title, 15.0, side.max(200.0));
    let top = TOP + title.extra_height();
    let width = (LEFT + side + 20.0).max(LEFT + 320.0);
    let mut figure = Figure::new(width as usize, (top + side + 45.0) as usize);
    title.draw(&mut figure, (LEFT, 24.0));
    figure.text(
        (LEFT, top - 24.0),
        "rows: the truth; columns: what the network said",
        12.0,
        Anchor::Start,
        BLACK,
    );
    let meanings = [(RIGHT, "right"), (WRONG, "wrong; a darker cell holds more of its row")];
    key(&mut figure, (LEFT, top + side + 28.0), &meanings);
    for (truth, row) in counts.iter().enumerate() {
        let y = top + CELL * truth as f64;
        let total = row.iter().sum::<usize>().max(1) as f64;
        figure.text((LEFT - 12.0, y + CELL / 2.0 + 5.0), &*names[truth], 13.0, Anchor::End, BLACK);
        for (said, &count) in row.iter().enumerate() {
            let x = LEFT + CELL * said as f64;
            let share = count as f64 / total;
            // Mistakes are rare; the square root makes them visible.
            let strength = if truth == said { share } else { (share * 4.0).sqrt().min(1.0) };
            let full: Rgb = if truth == said { RIGHT } else { WRONG };
            let fill = std::array::from_fn(|i| {
                (f64::from(WHITE[i]) * (1.0 - strength) + f64::from(full[i]) * strength) as u8
            });
            figure.rect((x + 0.5, y + 0.5), (CELL - 1.0, CELL - 1.0), fill);
            if count > 0 {
                let colour = if strength > 0.6 { WHITE } else { BLACK };
                let at = (x + CELL / 2.0, y + CELL / 2.0 + 5.0);
                figure.text(at, count.to_string(), 11.0, Anchor::Middle, colour);
            }
        }
    }
    for (class, name) in names.iter().enumerate() {
        let x = LEFT + CELL * (class as f64 + 0.5);
        figure.text((x, top - 6.0), &**name, 13.0, Anchor::Middle, BLACK);
    }
    figure
}
