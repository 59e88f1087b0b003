//! The errors of normalising a picture of a digit.

/// Why a picture could not be normalised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NormaliseError {
    /// The number of samples is zero, or does not match width times height.
    #[error("a picture of {width} x {height} pixels cannot have {len} samples")]
    Size {
        /// Pixels per row.
        width: usize,
        /// Rows.
        height: usize,
        /// Samples given.
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
    /// Nothing stands out clearly from the paper.
    #[error(
        "no digit found in the picture: nothing stands out clearly from the background \
         (by {difference:.0} of 255 grey levels); use more light or a thicker pen, or crop the \
         picture to the digit"
    )]
    TooFaint {
        /// The mean grey level of the supposed ink, minus that of the supposed paper.
        difference: f32,
    },
    /// The paper, or the light on it, varies about as much as the supposed ink differs from it.
    #[error(
        "no digit found in the picture: the background is too uneven (it varies by {deviation:.0} of \
         255 grey levels); use more even light, or crop the picture to the digit"
    )]
    Uneven {
        /// The standard deviation of the supposed paper, in grey levels.
        deviation: f32,
    },
    /// What stands out has not the shape of strokes.
    #[error(
        "no digit found in the picture: what stands out from the background is a patch, not the \
         stroke of a pen; crop the picture to the digit"
    )]
    NoStroke,
    /// What stands out is as small and as many as noise or print.
    #[error(
        "no digit found in the picture: {marks} marks stand out from the background, as in a text, \
         a texture or noise; crop the picture to the digit"
    )]
    TooMany {
        /// The number of marks.
        marks: usize,
    },
    /// The picture shows several digits; the caller expected one.
    #[error("the picture shows {digits} digits; crop it to one")]
    Several {
        /// The number of candidates.
        digits: usize,
    },
}
