//! What ops do with values that no training should reach: huge logits, the logarithm of a probability that
//! rounds to 0, rows without a key. Each result is defined, and a gradient of a finite loss is finite.

#![allow(clippy::unwrap_used)]
use crate::ops::smoothed_cross_entropy::SmoothedTargets;
use crate::tokens::Tokens;
use crate::{Error, Grads, Mask, Params, Tape, Tensor, Var};

/// The loss of a tensor of this shape and its gradient.
fn loss_and_gradient(
    shape: &[usize],
    x: Vec<f32>,
    loss: impl FnOnce(&mut Tape<f32>, Var) -> Result<Var, Error>,
) -> (f32, Vec<f32>) {
    let mut params = Params::new();
    let id = params.add("x", Tensor::from_vec(shape, x).unwrap()).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let x = tape.param(&params, id);
    let loss = loss(&mut tape, x).unwrap();
    let value = tape.read_loss(loss);
    tape.backward(loss, &mut grads).unwrap();
    (value, grads.get(id).unwrap().data().to_vec())
}

fn target(id: u32) -> Tokens {
    Tokens::new([1, 1], vec![id]).unwrap()
}

#[test]
fn the_loss_of_huge_logits_is_their_difference() {
    let cases = [
        (vec![1e30, 0.0, -1e30], 0, 0.0, [0.0, 0.0, 0.0]),
        (vec![1e30, 0.0, -1e30], 1, 1e30, [1.0, -1.0, 0.0]),
        (vec![-1e30, -1e30, -1e30], 2, 3.0_f32.ln(), [1.0 / 3.0, 1.0 / 3.0, -2.0 / 3.0]),
        // A logit of minus infinity is a probability of 0.
        (vec![f32::NEG_INFINITY, 0.0, 0.0], 1, 2.0_f32.ln(), [0.0, -0.5, 0.5]),
    ];
    for (z, id, want, gradient) in cases {
        for (loss, dz) in token_losses(&z, id) {
            assert!((loss - want).abs() <= 1e-6 * want.abs().max(1.0), "{z:?}: {loss}");
            dz.iter().zip(gradient).for_each(|(g, want)| assert!((g - want).abs() < 1e-6, "{z:?}: {dz:?}"));
        }
    }
}

/// The loss of three logits and its gradient, by each op that computes it.
fn token_losses(z: &[f32], id: u32) -> [(f32, Vec<f32>); 3] {
    let smoothed = SmoothedTargets { tokens: target(id), padding: None, smoothing: 0.0, rows: None };
    let one_hot = (0..3).map(|j| if j == id { 1.0 } else { 0.0 }).collect();
    let one_hot = Tensor::from_vec(&[1, 3], one_hot).unwrap();
    [
        loss_and_gradient(&[1, 1, 3], z.to_vec(), |tape, z| tape.cross_entropy(z, &target(id))),
        loss_and_gradient(&[1, 1, 3], z.to_vec(), |tape, z| tape.smoothed_cross_entropy(z, smoothed)),
        loss_and_gradient(&[1, 3], z.to_vec(), |tape, z| {
            let y = tape.input(one_hot);
            tape.softmax_cross_entropy(z, y)
        }),
    ]
}

#[test]
fn the_loss_does_not_depend_on_what_all_logits_share() {
    // 127 and 128 are on both sides of the size from which the largest logit is kept apart.
    for offset in [0.0, 100.0, 127.0, 128.0, -128.0, 1e4, -1e6, 1e30] {
        for (loss, dz) in token_losses(&[offset; 3], 1) {
            assert!((loss - 3.0_f32.ln()).abs() < 1e-5, "{offset}: {loss}");
            assert!(
                (dz[0] - 1.0 / 3.0).abs() < 1e-5 && dz.iter().sum::<f32>().abs() < 3e-5,
                "{offset}: {dz:?}"
            );
        }
    }
}

#[test]
fn the_logarithm_of_a_probability_that_rounds_to_0_is_finite() {
    // e^-200 is 0 in single precision, but its logarithm is not computed from it.
    let (loss, dz) =
        loss_and_gradient(&[1, 1, 2], vec![0.0, -200.0], |tape, z| tape.cross_entropy(z, &target(1)));
    assert_eq!((loss, &dz[..]), (200.0, &[1.0, -1.0][..]));
    for (z, y, want) in [
        (-200.0, 1.0, 200.0),
        (200.0, 0.0, 200.0),
        (1e30, 1.0, 0.0),
        (-1e30, 1.0, 1e30),
        (f32::NEG_INFINITY, 0.0, 0.0),
        (f32::INFINITY, 1.0, 0.0),
    ] {
        let (loss, dz) = loss_and_gradient(&[1, 1], vec![z], |tape, z| {
            let y = tape.input(Tensor::from_vec(&[1, 1], vec![y]).unwrap());
            tape.sigmoid_cross_entropy(z, y)
        });
        assert!(loss == want && dz[0].is_finite(), "{z} {y}: {loss} {dz:?}");
    }
}

#[test]
fn a_query_without_a_key_gets_zeros_and_sends_no_gradient() {
    for mask in [Mask::Padding([0].into()), Mask::CausalPadding([0].into())] {
        let (loss, dx) = loss_and_gradient(&[1, 1, 2, 2], vec![1e30, -1e30, f32::MAX, 0.0], |tape, x| {
            let weights = tape.masked_softmax(x, mask)?;
            assert_eq!(tape.value(weights).data(), [0.0; 4]);
            tape.mean(weights)
        });
        assert_eq!((loss, &dx[..]), (0.0, &[0.0; 4][..]));
    }
}

#[test]
fn saturated_activations_and_constant_rows_are_finite() {
    type Op = fn(&mut Tape<f32>, Var) -> Result<Var, Error>;
    let ops: [(&str, Op); 5] = [
        ("sigmoid", |tape, x| tape.sigmoid(x)),
        ("tanh", |tape, x| tape.tanh(x)),
        ("gelu", |tape, x| tape.gelu(x)),
        ("softmax", |tape, x| tape.softmax(x)),
        ("l2_normalize", |tape, x| tape.l2_normalize(x)),
    ];
    for (name, op) in ops {
        for x in [
            vec![1e6, -1e6, 0.0],
            vec![1e30, -1e30, 0.0],
            vec![1e-30, 0.0, -1e-25],
            vec![0.0; 3],
            vec![1e-40, -0.0, 1e-45],
        ] {
            let (loss, dx) = loss_and_gradient(&[1, 3], x.clone(), |tape, x| {
                let y = op(tape, x)?;
                tape.mean(y)
            });
            assert!(loss.is_finite() && dx.iter().all(|g| g.is_finite()), "{name} {x:?}: {loss} {dx:?}");
        }
    }
    // A row without variance: the division is by the root of epsilon.
    let (loss, dx) = loss_and_gradient(&[1, 3], vec![5.0; 3], |tape, x| {
        let weight = tape.input(Tensor::from_vec(&[3], vec![1.0; 3]).unwrap());
        let y = tape.layer_norm(x, weight, None)?;
        assert_eq!(tape.value(y).data(), [0.0; 3]);
        tape.mean(y)
    });
    assert!(loss == 0.0 && dx.iter().all(|g| g.is_finite()), "{dx:?}");
}

#[test]
fn the_op_that_first_overflows_is_named() {
    let mut params = Params::<f32>::new();
    let id = params.add("x", Tensor::from_vec(&[1, 2], vec![0.0, 1.0]).unwrap()).unwrap();
    let mut tape = Tape::new();
    let x = tape.param(&params, id);
    let y = tape.reciprocal(x).unwrap();
    let loss = tape.mean(y).unwrap();
    assert_eq!(tape.read_loss(loss), f32::INFINITY);
    let named = tape.first_not_finite(&params).unwrap();
    assert!(named.starts_with("the output of reciprocal called at"), "{named}");
}

/// A batch without rows contributes 0 to each gradient, whatever the memory held before.
#[test]
fn no_rows_give_no_gradient() {
    let mut params = Params::<f32>::new();
    let b = params.add("b", Tensor::from_vec(&[4, 3], vec![1.0; 12]).unwrap()).unwrap();
    let w = params.add("w", Tensor::from_vec(&[3], vec![1.0; 3]).unwrap()).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    // The pool hands out memory that held NaN.
    for size in [3, 6, 12, 64] {
        let mut used = tape.buffer(&[size]);
        used.data_mut().fill(f32::NAN);
        tape.recycle(used);
    }
    let a = tape.input(Tensor::zeros(&[0, 4]));
    let (b_used, w_used) = (tape.param(&params, b), tape.param(&params, w));
    let y = tape.batched_matmul(a, b_used).unwrap(); // (0, 4) (4, 3) -> (0, 3)
    let y = tape.layer_norm(y, w_used, None).unwrap();
    let two = tape.input(Tensor::zeros(&[2, 0]));
    let y = tape.matmul(two, y).unwrap(); // (2, 0) (0, 3) -> (2, 3)
    let loss = tape.mean(y).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    for id in [b, w] {
        assert!(grads.get(id).unwrap().data().iter().all(|&g| g == 0.0), "{:?}", grads.get(id));
    }
}
