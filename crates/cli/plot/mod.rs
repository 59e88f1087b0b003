//! Drawings: lists of shapes, saved as SVG or PNG.

pub mod confusion;
pub mod curves;
pub mod dots;
mod figure;
pub mod font;
mod png;
mod shapes;
mod svg;
pub mod tiles;
pub mod title;

pub use figure::Figure;
pub use shapes::{Anchor, BLACK, GREY, LINES, Rgb, WHITE};
