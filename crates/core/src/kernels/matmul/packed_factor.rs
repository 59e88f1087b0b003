//! A right factor that is packed once for many products, such as the weights of a model that only translates.

use std::any::Any;
use std::fmt;

use crate::Precision;
use crate::kernels::aligned::Aligned;

/// B, `(inner, n)`, in the order in which the innermost loop reads it for products of one precision.
///
/// A product otherwise packs B each time, or, with few rows, transposes its output. With many rows this costs little.
/// With few, as in the steps of a translation, it takes up to as long as the multiplication.
pub struct PackedFactor {
    /// `(inner, n)`.
    pub(super) shape: (usize, usize),
    /// The precision of the products that read it.
    pub(super) precision: Precision,
    /// The columns of a panel, or of a strip.
    pub(super) width: usize,
    pub(super) factors: Factors,
}

/// [`Aligned`] factors, of the type that the instruction set in use multiplies: all of the first panel, padded to its
/// whole width, then all of the second, and so on. For tiles, strips take the place of panels.
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
