//! Lines, boxes, text and matrices in an SVG that is light or dark as its reader's screen is.

use std::fmt::Write as _;

/// The language of the words in a picture.
#[derive(Clone, Copy, PartialEq)]
pub enum Language {
    English,
    Spanish,
}

/// A picture under construction. The origin is at the top left; sizes are pixels.
pub struct Canvas {
    pub language: Language,
    width: f64,
    height: f64,
    title: &'static str,
    body: String,
}

/// The colours of a light and of a dark screen; `ink` is black or white.
const STYLE: &str = "\
text{font:14px system-ui,sans-serif;fill:#1f2328}.small{font-size:12px}.bold{font-weight:600}\
.mono{font-family:ui-monospace,monospace}.paper{fill:#fff}.quiet{fill:#59636e}\
.ink,.grey,.blue,.red,.green{fill:none;stroke-width:1.6}.thin{stroke-width:1}.thick{stroke-width:3}\
.dash{stroke-dasharray:5 4}.ink{stroke:#1f2328}.grey{stroke:#afb8c1}.blue{stroke:#0969da}.red{stroke:#bc4c00}\
.green{stroke:#1a7f37}.ink-fill{fill:#1f2328}.grey-fill{fill:#afb8c1}.blue-fill{fill:#0969da}\
.red-fill{fill:#bc4c00}.green-fill{fill:#1a7f37}.pale{fill-opacity:.18}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.quiet{fill:#9198a1}.ink{stroke:#e6edf3}\
.grey{stroke:#4a525c}.blue{stroke:#58a6ff}.red{stroke:#f0883e}.green{stroke:#3fb950}.ink-fill{fill:#e6edf3}\
.grey-fill{fill:#4a525c}.blue-fill{fill:#58a6ff}.red-fill{fill:#f0883e}.green-fill{fill:#3fb950}}";

/// A coordinate with at most one decimal.
pub fn px(x: f64) -> String {
    let text = format!("{x:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.into() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Canvas {
    pub fn new(language: Language) -> Self {
        Self { language, width: 640.0, height: 240.0, title: "", body: String::new() }
    }

    /// Sets the size and what a screen reader says.
    pub fn start(&mut self, width: f64, height: f64, english: &'static str, spanish: &'static str) {
        (self.width, self.height, self.title) = (width, height, self.say(english, spanish));
    }

    /// The text in the picture's language.
    pub fn say<T>(&self, english: T, spanish: T) -> T {
        match self.language {
            Language::English => english,
            Language::Spanish => spanish,
        }
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.path(&[from, to], class);
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if i == 0 { "M" } else { "L" }, px(*x), px(*y));
        }
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{d}\"/>");
    }

    /// A line with a head at its end. The class of its stroke is the first word of `class`.
    pub fn arrow(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1e-9);
        let (ux, uy) = (dx / length, dy / length);
        let neck = (to.0 - 8.0 * ux, to.1 - 8.0 * uy);
        self.line(from, neck, class);
        let fill = class.split(' ').next().unwrap_or("ink");
        let points = [to, (neck.0 - 4.0 * uy, neck.1 + 4.0 * ux), (neck.0 + 4.0 * uy, neck.1 - 4.0 * ux)];
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", px(*x), px(*y))).collect();
        let _ = writeln!(self.body, "<polygon class=\"{fill}-fill\" points=\"{}\"/>", points.join(" "));
    }

    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        let [x, y, width, height] = [x, y, width, height].map(px);
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"2\"/>"
        );
    }

    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        let [x, y, radius] = [x, y, radius].map(px);
        let _ = writeln!(self.body, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>");
    }

    /// Text that begins here.
    pub fn text(&mut self, at: (f64, f64), text: &str) {
        self.styled(at, "start", "", text);
    }

    /// Text around this point.
    pub fn centred(&mut self, at: (f64, f64), text: &str) {
        self.styled(at, "middle", "", text);
    }

    /// Text with an anchor (`start`, `middle`, `end`) and classes.
    pub fn styled(&mut self, (x, y): (f64, f64), anchor: &str, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
        let (x, y) = (px(x), px(y));
        let _ = writeln!(self.body, "<text{class}{anchor} x=\"{x}\" y=\"{y}\">{}</text>", escaped(text));
    }

    /// A box with text in its middle.
    pub fn labelled(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str, text: &str) {
        self.rect((x, y), (width, height), class);
        self.centred((x + width / 2.0, y + height / 2.0 + 5.0), text);
    }

    /// An empty matrix of `rows` and `columns`; `colour` fills it palely.
    pub fn matrix(&mut self, (x, y): (f64, f64), (rows, columns): (usize, usize), cell: f64, colour: &str) {
        let (width, height) = (columns as f64 * cell, rows as f64 * cell);
        self.rect((x, y), (width, height), &format!("{colour}-fill pale"));
        for i in 0..=rows {
            let y = y + i as f64 * cell;
            self.line((x, y), (x + width, y), &format!("{colour} thin"));
        }
        for j in 0..=columns {
            let x = x + j as f64 * cell;
            self.line((x, y), (x, y + height), &format!("{colour} thin"));
        }
    }

    /// Strengthens a part of a matrix at (x, y).
    pub fn mark(
        &mut self,
        (x, y): (f64, f64),
        rows: [usize; 2],
        columns: [usize; 2],
        cell: f64,
        colour: &str,
    ) {
        let at = (x + columns[0] as f64 * cell, y + rows[0] as f64 * cell);
        let size = ((columns[1] - columns[0]) as f64 * cell, (rows[1] - rows[0]) as f64 * cell);
        self.rect(at, size, &format!("{colour}-fill pale"));
        self.rect(at, size, &format!("{colour} thick"));
    }

    /// A matrix in colours: blue above 0, red below, the stronger the larger. With `decimals`, its
    /// numbers as well.
    pub fn heat(&mut self, (x, y): (f64, f64), cell: (f64, f64), rows: &[Vec<f64>], decimals: Option<usize>) {
        let finite = rows.iter().flatten().filter(|v| v.is_finite());
        let largest = finite.fold(1e-9_f64, |largest, v| largest.max(v.abs()));
        for (i, row) in rows.iter().enumerate() {
            for (j, &v) in row.iter().enumerate() {
                let at = (x + j as f64 * cell.0, y + i as f64 * cell.1);
                let colour = if v < 0.0 { "red" } else { "blue" };
                let opacity = if v.is_finite() { 0.85 * (v / largest).abs() } else { 0.0 };
                let [left, top, width, height] = [at.0, at.1, cell.0, cell.1].map(px);
                let _ = writeln!(
                    self.body,
                    "<rect class=\"{colour}-fill\" fill-opacity=\"{opacity:.2}\" x=\"{left}\" y=\"{top}\" \
                     width=\"{width}\" height=\"{height}\"/>"
                );
                if let Some(decimals) = decimals {
                    let text = if v.is_finite() { format!("{v:.decimals$}") } else { "−∞".into() };
                    let middle = (at.0 + cell.0 / 2.0, at.1 + cell.1 / 2.0 + 4.0);
                    self.styled(middle, "middle", "small", &text.replace('-', "−"));
                }
            }
        }
        let size = (rows.first().map_or(0, Vec::len) as f64 * cell.0, rows.len() as f64 * cell.1);
        self.rect((x, y), size, "grey thin");
    }

    /// The finished file.
    pub fn finish(self) -> String {
        let Self { width, height, title, body, .. } = self;
        let (width, height) = (px(width), px(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n",
            escaped(title)
        )
    }
}

/// Axes: where a point of the data is on the canvas.
pub struct Axes {
    pub x: (f64, f64),
    pub y: (f64, f64),
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Axes {
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let across = (x - self.x.0) / (self.x.1 - self.x.0);
        let up = (y - self.y.0) / (self.y.1 - self.y.0);
        (self.left + across * self.width, self.top + (1.0 - up) * self.height)
    }

    /// Draws the frame and these ticks.
    pub fn draw(&self, c: &mut Canvas, xs: &[f64], ys: &[f64], labels: (&str, &str)) {
        c.rect((self.left, self.top), (self.width, self.height), "grey thin");
        let bottom = self.top + self.height;
        for &x in xs {
            let (at, _) = self.at(x, 0.0);
            c.line((at, bottom), (at, bottom + 4.0), "grey thin");
            c.styled((at, bottom + 18.0), "middle", "small quiet", &tick(x));
        }
        for &y in ys {
            let (_, at) = self.at(0.0, y);
            c.line((self.left - 4.0, at), (self.left, at), "grey thin");
            c.styled((self.left - 7.0, at + 4.0), "end", "small quiet", &tick(y));
        }
        c.styled((self.left + self.width / 2.0, bottom + 36.0), "middle", "small", labels.0);
        c.styled((self.left, self.top - 8.0), "start", "small", labels.1);
    }

    /// A curve through (x, y) points.
    pub fn curve(&self, c: &mut Canvas, points: impl IntoIterator<Item = (f64, f64)>, class: &str) {
        let points: Vec<_> = points.into_iter().map(|(x, y)| self.at(x, y)).collect();
        c.path(&points, class);
    }

    /// A level line.
    pub fn level(&self, c: &mut Canvas, y: f64, class: &str) {
        c.line(self.at(self.x.0, y), self.at(self.x.1, y), class);
    }
}

fn tick(x: f64) -> String {
    format!("{x}").replace('-', "−")
}

/// `n + 1` numbers from `from` to `to`.
pub fn span(from: f64, to: f64, n: usize) -> impl Iterator<Item = f64> {
    (0..=n).map(move |i| from + (to - from) * i as f64 / n as f64)
}
