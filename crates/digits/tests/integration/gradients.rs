//! The two ways to compute a gradient, compared with each other and with finite differences.
#![allow(clippy::unwrap_used)]

use m2g_core::data::mnist::LabelledImages;
use m2g_core::gradcheck::{TOLERANCE, worst};
use m2g_core::nn::Activation;
use m2g_core::train::Model;
use m2g_core::{Float, Grads, Precision, Tape, Tensor, unit_interval};
use m2g_digits::{Architecture, Backprop, Cost, Initialisation, MiniBatch, Network};
use proptest::prelude::*;
use proptest::sample::select;

const ACTIVATIONS: [Activation; 4] =
    [Activation::Sigmoid, Activation::Tanh, Activation::Relu, Activation::Gelu];
const COSTS: [Cost; 3] = [Cost::Quadratic, Cost::CrossEntropy, Cost::LogLikelihood];

fn network<T: Float>(sizes: &[usize], activation: Activation, cost: Cost, backprop: Backprop) -> Network<T> {
    Network::build(Architecture { activation, cost, backprop, ..Architecture::new(sizes) }).unwrap()
}

/// `examples` images of pseudo-random pixels, each with one true class.
fn mini_batch<T: Float>(examples: usize, sizes: &[usize]) -> MiniBatch<T> {
    let (pixels, classes) = (sizes[0], sizes[sizes.len() - 1]);
    let x = (0..examples * pixels).map(|i| T::of((i as f64 * 0.7391).sin().abs())).collect();
    let y = (0..examples * classes)
        .map(|i| T::of(if i % classes == (i / classes * 7) % classes { 1.0 } else { 0.0 }))
        .collect();
    MiniBatch {
        x: Tensor::from_vec(&[examples, pixels], x).unwrap(),
        y: Tensor::from_vec(&[examples, classes], y).unwrap(),
    }
}

/// The loss of a network, and all its gradients in one list.
fn gradients<T: Float>(network: &Network<T>, batch: &MiniBatch<T>) -> (f64, Vec<f64>) {
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let loss = network.gradients(&mut tape, batch, &mut grads).unwrap();
    let list = network.params().iter().zip(grads.iter());
    (loss.as_f64(), list.flat_map(|(_, g)| g.unwrap().data().iter().map(|x| x.as_f64())).collect())
}

/// The largest difference between the gradients by hand and by tape, relative to the largest gradient.
fn disagreement<T: Float>(sizes: &[usize], examples: usize, activation: Activation, cost: Cost) -> f64 {
    let batch = mini_batch::<T>(examples, sizes);
    let (loss_a, a) = gradients(&network::<T>(sizes, activation, cost, Backprop::ByHand), &batch);
    let (loss_b, b) = gradients(&network::<T>(sizes, activation, cost, Backprop::Tape), &batch);
    let scale = a.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    assert_eq!(a.len(), b.len());
    let worst = a.iter().zip(&b).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    // The likelihood of the only class is 1: the loss and its gradients are 0.
    let relative = |difference: f64, size: f64| if difference == 0.0 { 0.0 } else { difference / size };
    relative(worst, scale).max(relative((loss_a - loss_b).abs(), loss_a.abs()))
}

#[test]
fn by_hand_and_by_tape_agree() {
    for activation in ACTIVATIONS {
        for cost in COSTS {
            for (sizes, examples) in
                [(&[784, 30, 10][..], 10), (&[20, 7, 5, 3], 4), (&[6, 1, 2], 1), (&[5, 3], 2)]
            {
                let f64s = disagreement::<f64>(sizes, examples, activation, cost);
                assert!(f64s < 1e-6, "{sizes:?} {activation:?} {cost:?}: {f64s} in f64");
                let f32s = disagreement::<f32>(sizes, examples, activation, cost);
                assert!(f32s < 1e-4, "{sizes:?} {activation:?} {cost:?}: {f32s} in f32");
            }
        }
    }
}

#[test]
fn both_agree_with_finite_differences() {
    let sizes = [9, 6, 4, 3];
    let batch = mini_batch::<f64>(5, &sizes);
    for activation in ACTIVATIONS {
        for cost in COSTS {
            let tape_network = network::<f64>(&sizes, activation, cost, Backprop::Tape);
            let mut params = tape_network.params().clone();
            let worst = worst(&mut params, |tape, params| {
                let mut network = tape_network.clone();
                *network.params_mut() = params.clone();
                network.loss(tape, &batch)
            })
            .unwrap();
            assert!(worst.error < TOLERANCE, "{activation:?} {cost:?}: {worst:?}");
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    // Large enough for the matrix products to use a second thread.
    let sizes = [784, 200, 10];
    let batch = mini_batch::<f32>(128, &sizes);
    for backprop in [Backprop::Tape, Backprop::ByHand] {
        let after = |threads| {
            m2g_core::threads::with_threads(threads, || {
                let mut network = network::<f32>(&sizes, Activation::Sigmoid, Cost::CrossEntropy, backprop);
                (0..3).for_each(|_| {
                    network.update_mini_batch(&batch, 0.5).unwrap();
                });
                let bits = network.params().iter().flat_map(|p| p.value.data().to_vec());
                bits.map(f32::to_bits).collect::<Vec<_>>()
            })
            .unwrap()
        };
        assert!(after(1) == after(2) && after(1) == after(5), "{backprop:?}");
    }
}

/// bf16 has 8 bits of precision, and the sums of products are exact to far more.
#[test]
fn gradients_in_bf16_are_close() {
    let sizes = [784, 60, 10];
    let gradients = |precision| {
        let activation = Activation::Relu;
        let architecture = Architecture { precision, activation, ..Architecture::new(&sizes) };
        gradients(&Network::<f32>::build(architecture).unwrap(), &mini_batch(16, &sizes))
    };
    let ((loss, exact), (rounded_loss, rounded)) = (gradients(Precision::F32), gradients(Precision::Bf16));
    let scale = exact.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let worst = exact.iter().zip(&rounded).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs())) / scale;
    assert!(worst > 1e-6 && worst < 0.02, "{worst}");
    assert!((loss - rounded_loss).abs() < 0.01 * loss, "{loss} {rounded_loss}");
}

#[test]
fn a_mini_batch_of_the_wrong_size_is_refused() {
    for backprop in [Backprop::Tape, Backprop::ByHand] {
        let mut network = network::<f32>(&[5, 3], Activation::Sigmoid, Cost::Quadratic, backprop);
        let error = network.update_mini_batch(&mini_batch(2, &[6, 3]), 1.0).unwrap_err().to_string();
        assert!(error.contains("[2, 6]"), "{error}");
    }
}

#[test]
fn impossible_networks_are_refused() {
    for sizes in [&[][..], &[5], &[5, 0, 3]] {
        assert!(Network::<f32>::new(sizes).is_err());
    }
    let dropout = Architecture { dropout: 0.5, backprop: Backprop::ByHand, ..Architecture::new(&[4, 3]) };
    let precision = Precision::Bf16;
    let bf16 = Architecture { precision, backprop: Backprop::ByHand, ..Architecture::new(&[4, 3]) };
    for architecture in [dropout, bf16] {
        let error = Network::<f32>::build(architecture).unwrap_err().to_string();
        assert!(error.contains("backprop = \"tape\""), "{error}");
    }
}

#[test]
fn chapter_1s_weights_are_larger_than_scaled_ones() {
    let largest = |init| {
        let network =
            Network::<f32>::build(Architecture { init, ..Architecture::new(&[784, 30, 10]) }).unwrap();
        let weights = network.layers().next().unwrap().0.data().to_vec();
        weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()))
    };
    assert!(largest(Initialisation::Book) > 3.0 && largest(Initialisation::Scaled) < 0.25);
}

#[test]
fn many_images_are_read_in_batches_with_the_bits_of_a_single_one() {
    // A last layer for which 1000 images take another kernel than 2500, unless the bits of rows are fixed.
    let network = Network::<f32>::new(&[9, 90, 10]).unwrap();
    for n in [1, 1000, 2500] {
        let images = (0..n * 9).map(|i| (i * 7 % 251) as u8).collect();
        let data = LabelledImages { images, labels: vec![0; n], rows: 3, cols: 3 };
        let mut x = Tensor::zeros(&[n, 9]);
        unit_interval(x.data_mut(), &data.images);
        assert!(network.read(&data).unwrap().0 == network.feedforward(&x).unwrap(), "{n} images");
    }
}

/// The bits of a network's outputs, an input's in each row.
fn output_bits(network: &Network<f32>, x: Vec<f32>) -> Vec<Vec<u32>> {
    let pixels = network.architecture().sizes[0];
    let y = network.feedforward(&Tensor::from_vec(&[x.len() / pixels, pixels], x).unwrap()).unwrap();
    y.data().chunks(y.shape()[1]).map(|row| row.iter().map(|y| y.to_bits()).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 4).max(1)))]

    #[test]
    fn by_hand_and_by_tape_agree_for_any_network(
        sizes in prop::collection::vec(1..40_usize, 2..6), examples in 1..20_usize,
        activation in select(ACTIVATIONS.to_vec()), cost in select(COSTS.to_vec()),
    ) {
        let in_f64 = disagreement::<f64>(&sizes, examples, activation, cost);
        let in_f32 = disagreement::<f32>(&sizes, examples, activation, cost);
        prop_assert!(in_f64 < 1e-9 && in_f32 < 1e-3, "{} in f64, {} in f32", in_f64, in_f32);
    }

    #[test]
    fn permuting_the_images_permutes_the_answers(
        sizes in prop::collection::vec(1..40_usize, 2..5), examples in 1..70_usize, turn: usize,
        activation in select(ACTIVATIONS.to_vec()), cost in select(COSTS.to_vec()),
    ) {
        let network = network::<f32>(&sizes, activation, cost, Backprop::Tape);
        let images: Vec<Vec<f32>> = mini_batch::<f32>(examples, &sizes).x.data().chunks(sizes[0]).map(Vec::from).collect();
        let mut moved = images.clone();
        moved.rotate_left(turn % examples);
        moved.reverse();
        let mut expected = output_bits(&network, images.concat());
        expected.rotate_left(turn % examples);
        expected.reverse();
        prop_assert_eq!(output_bits(&network, moved.concat()), expected);
    }
}
