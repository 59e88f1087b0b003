//! The errors of distortions, and the checks that raise them.

/// The longest side of an image: [`Elastic`](super::Elastic) keeps a table of side x side values.
pub(super) const MAX_SIDE_PIXELS: usize = 1024;

/// Why a [`Distort`](super::Distort) is invalid, or cannot be applied to images of this size.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DistortError {
    /// A range is NaN, negative or too large.
    #[error("distort: {name} is {value:?}; give a number from {low} to {high} ({unit})")]
    Range {
        /// The field: `shift`, `rotate`, `scale`, `shear`, `alpha` or `sigma`.
        name: &'static str,
        /// The value given.
        value: f32,
        /// The smallest value allowed.
        low: f32,
        /// The largest value allowed.
        high: f32,
        /// The unit of the value.
        unit: &'static str,
    },
    /// The images are empty or too large.
    #[error(
        "distort: images of {rows}x{cols} pixels cannot be distorted; \
         make each side 1 to {MAX_SIDE_PIXELS} pixels, or choose the distortion none"
    )]
    Size {
        /// Height in pixels.
        rows: usize,
        /// Width in pixels.
        cols: usize,
    },
    /// No distortion has this name.
    #[error("no distortion is called {0:?}; choose none, affine or elastic")]
    Name(String),
}

/// Refuses a `value` outside `low..=high`, NaN included.
pub(super) fn check_range(
    name: &'static str,
    value: f32,
    (low, high): (f32, f32),
    unit: &'static str,
) -> Result<(), DistortError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(DistortError::Range { name, value, low, high, unit })
}
