//! Gradient clipping.

use crate::{Float, Grads};

/// The norm of `scale` times all gradients together, and the scale that reduces it to at most
/// `max` (Pascanu et al. 2013).
///
/// The gradients are not changed: [`Optimizer::update`](super::Optimizer::update) applies the
/// scale, which saves a pass over them.
pub fn clip_norm<T: Float>(grads: &Grads<T>, scale: f64, max: f64) -> (f64, f64) {
    let norm = scale * grads.norm();
    (norm, if norm > max { scale * max / norm } else { scale })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Params, Tape, Tensor};

    #[test]
    fn long_gradients_are_shortened_and_short_ones_are_kept() {
        let mut params = Params::new();
        let ids = ["a", "b"].map(|n| params.add(n, Tensor::<f64>::zeros(&[1])).unwrap());
        let (mut grads, mut tape) = (Grads::new(), Tape::new());
        for (id, g) in ids.into_iter().zip([3.0, 4.0]) {
            grads.add(id, Tensor::from_vec(&[1], vec![g]).unwrap(), &mut tape);
        }
        for (scale, max, want) in
            [(1.0, 10.0, (5.0, 1.0)), (1.0, 1.0, (5.0, 0.2)), (0.5, 10.0, (2.5, 0.5)), (0.5, 1.0, (2.5, 0.2))]
        {
            assert_eq!(clip_norm(&grads, scale, max), want);
        }
        let (norm, scale) = clip_norm(&grads, f64::NAN, 1.0);
        assert!(norm.is_nan() && scale.is_nan());
    }
}
