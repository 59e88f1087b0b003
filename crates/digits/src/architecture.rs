//! The architecture of a network.

use m2g_core::Precision;
use m2g_core::nn::Activation;
use serde::{Deserialize, Serialize};

use crate::Cost;

/// The distribution of the initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// Chapter 1: weights and biases are normal with standard deviation 1. With 784
    /// inputs the weighted sums are so large that neurons start saturated.
    Book,
    /// Chapter 3: weights have standard deviation 1 / sqrt(inputs), and biases have standard deviation 1. In a
    /// network of ReLU or GELU neurons, all weights are sqrt(2) times as large (He et al. 2015) and biases are 0.
    Scaled,
}

/// How the gradient is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backprop {
    /// By the four equations of [`crate::backprop`].
    ByHand,
    /// By the tape, as for every other model.
    Tape,
}

/// The layers of a network, its cost and initial weights, and how it is computed: dropout, the way to the gradient,
/// the precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// The number of neurons in each layer: inputs, hidden layers, outputs.
    pub sizes: Vec<usize>,
    /// The activation of the hidden neurons.
    pub activation: Activation,
    /// The cost to minimise, which also determines the activation of the output neurons.
    pub cost: Cost,
    /// The distribution of the initial weights.
    pub init: Initialisation,
    /// The probability that a hidden neuron is dropped in a training step.
    pub dropout: f64,
    /// How the gradient is computed.
    pub backprop: Backprop,
    /// The precision of the matrix products.
    pub precision: Precision,
    /// The seed of the initial weights.
    pub seed: u64,
}

impl Architecture {
    /// Sigmoid neurons, the quadratic cost, scaled initial weights, no dropout, and gradients
    /// computed by the tape in full precision.
    pub fn new(sizes: &[usize]) -> Self {
        Self {
            sizes: sizes.to_vec(),
            activation: Activation::Sigmoid,
            cost: Cost::Quadratic,
            init: Initialisation::Scaled,
            dropout: 0.0,
            backprop: Backprop::Tape,
            precision: Precision::F32,
            seed: 1,
        }
    }
}
