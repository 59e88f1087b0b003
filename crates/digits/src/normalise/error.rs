//! The errors of normalising a picture of a digit.

/// Why a picture could not be normalised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NormaliseError {
    /// The number of grey values is zero, or not width times height.
    #[error("a picture of {width} x {height} pixels cannot have {len} grey values")]
    Size {
        /// Pixels per row.
        width: usize,
        /// Rows.
        height: usize,
        /// Grey values given.
        len: usize,
    },
    /// Every pixel has the same value.
    #[error(
        "no digit found in the picture: all of it has one colour (grey level {level} of 255); \
         use a picture in which the digit differs clearly from its background"
    )]
    OneColour {
        /// This value.
        level: u8,
    },
    /// Nothing stands out clearly from the unevenness of the paper.
    #[error(
        "no digit found in the picture: nothing stands out clearly from the background \
         (by {difference:.0} of 255 grey levels); use more light or a thicker pen, or crop the \
         picture to the digit"
    )]
    TooFaint {
        /// The mean grey level of the supposed ink, minus that of the supposed paper.
        difference: f32,
    },
}
