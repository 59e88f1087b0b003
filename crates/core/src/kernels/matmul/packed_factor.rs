//! A right factor that is packed once for many products: the weights of a model that nobody trains.

use std::any::Any;
use std::fmt;

use crate::Precision;
use crate::kernels::aligned::Aligned;

/// B, `(inner, n)`, in the order in which the innermost loop reads it for products of one precision.
///
/// A product packs B each time. With many rows this costs little. Where a few rows meet the same weights again
/// and again, as in each step of a translation, it takes about as long as multiplying them.
pub struct PackedFactor {
    /// `(inner, n)`.
    pub(super) shape: (usize, usize),
    /// The precision of the products that read it.
    pub(super) precision: Precision,
    /// The columns of a panel, or of a strip.
    pub(super) width: usize,
    pub(super) factors: Factors,
}

/// Factors of the type that the instruction set in use multiplies, [`Aligned`]. They lie panel by panel, each
/// padded to its whole width, or strip by strip for tiles; the inner dimension is not cut.
pub(super) type Factors = Box<dyn Any + Send + Sync>;

impl fmt::Debug for PackedFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedFactor({:?}, {:?})", self.shape, self.precision)
    }
}

impl PackedFactor {
    /// The factors, if they have this type and lie in panels of `width` columns.
    pub(super) fn factors<F: Copy + Default + 'static>(&self, width: usize) -> Option<&[F]> {
        let factors = self.factors.downcast_ref::<Aligned<F>>()?;
        (self.width == width).then(|| factors.as_slice())
    }
}
