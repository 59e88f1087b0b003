//! Gradient clipping.

use crate::kernels::map;
use crate::{Grads, Real};

/// Scales all gradients together so that their norm is at most `max`, and
/// returns the norm before (Pascanu et al. 2013).
pub fn clip_norm<T: Real>(grads: &mut Grads<T>, max: f64) -> f64 {
    let norm = grads.norm();
    if norm > max {
        let factor = T::of(max / norm);
        for grad in grads.iter_mut() {
            let data = grad.data_mut();
            map::in_place(data, |g| g * factor);
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Params, Tape, Tensor};

    #[test]
    fn long_gradients_are_shortened_and_short_ones_kept() {
        let mut params = Params::new();
        let ids = ["a", "b"].map(|n| params.add(n, Tensor::<f64>::zeros(&[1])).unwrap());
        let (mut grads, mut tape) = (Grads::new(), Tape::new());
        for (id, g) in ids.into_iter().zip([3.0, 4.0]) {
            grads.add(id, Tensor::from_vec(&[1], vec![g]).unwrap(), &mut tape);
        }
        assert_eq!(clip_norm(&mut grads, 10.0), 5.0);
        assert_eq!(clip_norm(&mut grads, 1.0), 5.0);
        assert!((grads.norm() - 1.0).abs() < 1e-12);
    }
}
