//! Draws learning curves.

use super::title::Title;
use super::{Anchor, BLACK, Figure, GREY, LINES, Rgb, font};

/// A curve of a chart.
#[derive(Debug, Clone)]
pub struct Curve {
    /// The name in the legend.
    pub name: String,
    /// The points; values that are not finite are skipped.
    pub points: Vec<(f64, f64)>,
    /// The number of its colour; `None` takes the next one.
    pub colour: Option<usize>,
    /// Whether it is thin and pale, behind the others.
    pub faint: bool,
}

impl Curve {
    /// A curve in the next colour.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, colour: None, faint: false }
    }

    /// The curve in a colour by its number.
    pub fn coloured(self, colour: usize) -> Self {
        Self { colour: Some(colour), ..self }
    }

    /// The curve, thin and pale.
    pub fn faint(self) -> Self {
        Self { faint: true, ..self }
    }

    /// The points that can be drawn. A diverged cost would overflow the axis.
    fn finite(&self) -> Vec<(f64, f64)> {
        const LARGEST: f64 = 1e300;
        self.points.iter().copied().filter(|(x, y)| x.abs() < LARGEST && y.abs() < LARGEST).collect()
    }
}

/// The sizes of a chart in pixels: its plot, and the space around it.
const PLOT: (f64, f64) = (550.0, 290.0);
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 50.0;
/// The size of the numbers of an axis, and the most characters of one that is written without a power of ten.
const LABEL_SIZE: f64 = 11.0;
const MAX_LABEL: usize = 9;
/// The height of a row of the legend, and the size of its texts.
const LEGEND_ROW: f64 = 18.0;
const LEGEND_SIZE: f64 = 11.0;
/// The length of a line in the legend, with the space around it.
const LEGEND_LINE: f64 = 50.0;

/// Draws curves over one horizontal axis.
pub fn curves(title: &str, x_name: &str, curves: &[Curve]) -> Figure {
    let title = Title::new(title, 15.0, PLOT.0);
    let legend = places(curves, PLOT.0);
    let legend_top = 42.0 + title.extra_height();
    let top = legend_top + LEGEND_ROW * (legend.last().map_or(0, |place| place.1) + 1) as f64;
    let height = top + PLOT.1 + BOTTOM;
    let mut figure = Figure::new((LEFT + PLOT.0 + RIGHT) as usize, height as usize);
    let all: Vec<(f64, f64)> = curves.iter().flat_map(Curve::finite).collect();
    let x_ticks = ticks(all.iter().map(|p| p.0), 8);
    let y_ticks = ticks(all.iter().map(|p| p.1), 6);
    let (x0, x1) = (x_ticks[0], x_ticks[x_ticks.len() - 1]);
    let (y0, y1) = (y_ticks[0], y_ticks[y_ticks.len() - 1]);
    let px = |x: f64| LEFT + (x - x0) / (x1 - x0) * PLOT.0;
    let py = |y: f64| top + PLOT.1 - (y - y0) / (y1 - y0) * PLOT.1;

    title.draw(&mut figure, (LEFT, 24.0));
    for &x in &x_ticks {
        figure.line(vec![(px(x), py(y0)), (px(x), py(y1))], GREY, 0.5);
        figure.text((px(x), top + PLOT.1 + 18.0), label(x, x1 - x0), LABEL_SIZE, Anchor::Middle, BLACK);
    }
    for &y in &y_ticks {
        figure.line(vec![(px(x0), py(y)), (px(x1), py(y))], GREY, 0.5);
        let (text, size) = font::fit(&label(y, y1 - y0), LABEL_SIZE, LEFT - 12.0);
        figure.text((LEFT - 8.0, py(y) + 4.0), text, size, Anchor::End, BLACK);
    }
    figure.text((LEFT + PLOT.0 / 2.0, height - 10.0), x_name, 12.0, Anchor::Middle, BLACK);
    let colour = |i: usize| {
        let full = LINES[curves[i].colour.unwrap_or(i) % LINES.len()];
        if curves[i].faint { pale(full) } else { full }
    };
    let width = |curve: &Curve, width: f64| if curve.faint { width / 2.0 } else { width };
    for (i, (curve, (x, row))) in curves.iter().zip(legend).enumerate() {
        let (x, y) = (LEFT + x, legend_top + LEGEND_ROW * row as f64);
        figure.line(vec![(x, y), (x + 22.0, y)], colour(i), width(curve, 3.0));
        let (name, size) = font::fit(&curve.name, LEGEND_SIZE, PLOT.0 - LEGEND_LINE);
        figure.text((x + 28.0, y + 4.0), name, size, Anchor::Start, BLACK);
    }
    // Faint curves lie behind the others.
    let behind = (0..curves.len()).filter(|&i| curves[i].faint);
    for i in behind.chain((0..curves.len()).filter(|&i| !curves[i].faint)) {
        let points: Vec<(f64, f64)> = curves[i].finite().into_iter().map(|(x, y)| (px(x), py(y))).collect();
        if let [(x, y)] = points[..] {
            figure.rect((x - 2.5, y - 2.5), (5.0, 5.0), colour(i));
        }
        figure.line(points, colour(i), width(&curves[i], 2.0));
    }
    figure
}

/// A colour, halfway to white.
fn pale(colour: Rgb) -> Rgb {
    colour.map(|c| c / 2 + 127)
}

/// The position of each curve in the legend: horizontal offset and row.
fn places(curves: &[Curve], width: f64) -> Vec<(f64, usize)> {
    let (mut x, mut row) = (0.0, 0);
    let place = |curve: &Curve| {
        let needed = LEGEND_LINE + font::width(&curve.name, LEGEND_SIZE);
        if x > 0.0 && x + needed > width {
            (x, row) = (0.0, row + 1);
        }
        x += needed;
        (x - needed, row)
    };
    curves.iter().map(place).collect()
}

/// About `count` round tick values that enclose the values.
pub(super) fn ticks(values: impl Iterator<Item = f64>, count: usize) -> Vec<f64> {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = match high - low {
        _ if low > high => (0.0, 1.0),
        // A single value, or values that differ only by rounding.
        range if range <= 1e-12 * low.abs().max(1.0) => {
            let around = 0.5 * low.abs().max(1.0);
            (low - around, high + around)
        }
        _ => (low, high),
    };
    let rough = (high - low) / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough).unwrap_or(10.0 * power);
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last.max(first + 1)).map(|i| i as f64 * step).collect()
}

/// Formats a number with the decimals that a range of this size needs.
pub(super) fn label(value: f64, range: f64) -> String {
    let without_zeros = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    let decimals = 1.0 - range.log10().floor();
    // Zero up to rounding: 0, and not -0.
    let value = if value.abs() < 1e-3 * range { 0.0 } else { value };
    let plain = without_zeros(&format!("{value:.0$}", decimals.clamp(0.0, 15.0) as usize));
    if plain.len() <= MAX_LABEL || value == 0.0 {
        return plain;
    }
    // As many digits after the first as tell two ticks apart.
    let digits = (decimals + value.abs().log10().floor()).clamp(0.0, 15.0) as usize;
    let power = format!("{value:.digits$e}");
    let (mantissa, exponent) = power.split_once('e').unwrap_or((&power, "0"));
    let short = format!("{}e{exponent}", without_zeros(mantissa));
    // A power of ten says more only where it is shorter: not for 8.0530050001.
    if short.len() < plain.len() { short } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        assert_eq!(ticks([1.0, 30.0].into_iter(), 8), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(ticks([0.5].into_iter(), 4), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(std::iter::empty(), 4), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn labels_have_no_needless_zeros() {
        assert_eq!([label(0.95, 0.1), label(20.0, 30.0), label(0.0, 0.001)], ["0.95", "20", "0"]);
    }

    #[test]
    fn labels_of_any_range_differ_and_fit_beside_the_plot() {
        for power in -13..=20 {
            let range = 10_f64.powi(power);
            // Closer to a number than this, there is no room for its digits.
            let middles: &[f64] = if power < -10 { &[0.0] } else { &[0.0, 1.0, 8.05] };
            for middle in middles {
                let ticks = ticks([middle - range / 2.0, *middle, middle + 0.4 * range].into_iter(), 6);
                let whole = ticks[ticks.len() - 1] - ticks[0];
                let labels: Vec<String> = ticks.iter().map(|&tick| label(tick, whole)).collect();
                for (i, text) in labels.iter().enumerate() {
                    assert!(
                        !labels[..i].contains(text) && text != "-0",
                        "{range} around {middle}: {labels:?}"
                    );
                    let (text, size) = font::fit(text, LABEL_SIZE, LEFT - 12.0);
                    assert!(!text.contains('…') && font::width(&text, size) <= LEFT - 8.0, "{text}");
                }
            }
        }
        assert_eq!([label(4e17, 4e17), label(-3e-8, 1e-7), label(1234.0, 1e3)], ["4e17", "-3e-8", "1234"]);
    }

    #[test]
    fn degenerate_curves_do_not_panic() {
        let curve = |points: Vec<(f64, f64)>| Curve::new("x", points);
        curves("t", "x", &[curve(vec![]), curve(vec![(1.0, f64::NAN)]), curve(vec![(1.0, 2.0)])]);
        curves("t", "x", &[curve(vec![(1.0, 1e16)]), curve(vec![(1.0, f64::INFINITY)])]);
        curves("t", "x", &[]);
        let many: Vec<Curve> =
            (0..40).map(|i| curve(vec![(1.0, f64::from(i)), (2.0, 3.0)]).faint()).collect();
        curves(&"a long title ".repeat(30), "x", &many);
    }

    #[test]
    fn long_names_stay_in_the_legend() {
        let long = Curve::new("a-very-long-name-of-a-run-".repeat(10), vec![(1.0, 2.0), (2.0, 1.0)]);
        let svg = curves("t", "step", &[long.clone(), long.coloured(3).faint()]).svg();
        assert!(svg.contains('…') && !svg.contains(&"a-very-long-name-of-a-run-".repeat(10)));
    }
}
