//! The shapes of a figure.

/// A colour: red, green, blue.
pub type Rgb = [u8; 3];

/// Black, for text.
pub const BLACK: Rgb = [30, 30, 30];
/// Grey, for axes and grids.
pub const GREY: Rgb = [205, 205, 205];
/// White.
pub const WHITE: Rgb = [255, 255, 255];
/// Line colours that colour-blind readers can tell apart (Okabe and Ito 2008).
pub const LINES: [Rgb; 8] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [30, 30, 30],
    [190, 180, 20],
];

/// The alignment of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The text starts at its position.
    Start,
    /// The text is centred at its position.
    Middle,
    /// The text ends at its position.
    End,
}

/// A shape, in pixels from the upper left corner.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Rect { at: (f64, f64), size: (f64, f64), fill: Rgb },
    Line { points: Vec<(f64, f64)>, colour: Rgb, width: f64 },
    Text { at: (f64, f64), text: String, size: f64, anchor: Anchor, colour: Rgb, upward: bool },
    Image { at: (f64, f64), scale: f64, width: usize, pixels: Vec<Rgb> },
}

/// Shapes on a white background.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    pub width: usize,
    pub height: usize,
    pub shapes: Vec<Shape>,
}
