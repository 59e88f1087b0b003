//! The cost functions of the book.

use m2g_core::{Error, Float, Tape, Var};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::neuron::{sigmoid_prime, softmax};

/// The cost to minimise, which also determines the activation of the last layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// `1/2 |a - y|^2` over sigmoid outputs (chapter 1).
    Quadratic,
    /// `-sum [y ln a + (1 - y) ln(1 - a)]` over sigmoid outputs (chapter 3).
    CrossEntropy,
    /// `-ln a_y` over softmax outputs (chapter 3).
    LogLikelihood,
}

impl Cost {
    /// Records the mean cost for weighted inputs `z` of the last layer, `(B, N)`, and
    /// desired outputs `y`, `(B, N)`.
    pub(crate) fn forward<T: Float>(self, tape: &mut Tape<T>, z: Var, y: Var) -> Result<Var, Error> {
        match self {
            Self::Quadratic => {
                let a = tape.sigmoid(z)?;
                tape.quadratic_cost(a, y)
            }
            Self::CrossEntropy => tape.sigmoid_cross_entropy(z, y),
            Self::LogLikelihood => tape.softmax_cross_entropy(z, y),
        }
    }

    /// Records the outputs of the last layer, `(B, N)`.
    pub(crate) fn output<T: Float>(self, tape: &mut Tape<T>, z: Var) -> Result<Var, Error> {
        match self {
            Self::LogLikelihood => tape.softmax(z),
            _ => tape.sigmoid(z),
        }
    }

    /// The outputs `a` of the last layer for its weighted inputs `z`, `(B, N)`.
    pub(crate) fn activate<T: Float>(self, z: &Array2<T>) -> Array2<T> {
        match self {
            Self::LogLikelihood => softmax(z),
            _ => z.mapv(T::sigmoid),
        }
    }

    /// The error of the last layer for each example, `delta^L = dC/dz^L`, `(B, N)`
    /// (BP1). For the quadratic cost, it is [`cost_derivative`] times the derivative of
    /// the sigmoid; for the other two costs, that derivative cancels.
    pub(crate) fn delta<T: Float>(self, z: &Array2<T>, a: &Array2<T>, y: &Array2<T>) -> Array2<T> {
        match self {
            Self::Quadratic => cost_derivative(a, y) * sigmoid_prime(z),
            Self::CrossEntropy | Self::LogLikelihood => a - y,
        }
    }

    /// The mean cost over the examples.
    pub(crate) fn mean<T: Float>(self, z: &Array2<T>, a: &Array2<T>, y: &Array2<T>) -> T {
        let total: T = match self {
            Self::Quadratic => (a - y).mapv(|d| d * d / T::of(2.0)).sum(),
            Self::CrossEntropy => ndarray::Zip::from(z).and(y).fold(T::zero(), |sum, &z, &y| {
                sum + z.max(T::zero()) - z * y + (-z.abs()).exp_fast().ln_1p()
            }),
            Self::LogLikelihood => {
                let rows = z.outer_iter().zip(y.outer_iter());
                rows.map(|(z, y)| {
                    let max = z.fold(T::neg_infinity(), |m, &z| m.max(z));
                    let log_sum = z.mapv(|z| (z - max).exp_fast()).sum().ln();
                    z.iter().zip(y).map(|(&z, &y)| y * (log_sum - (z - max))).sum::<T>()
                })
                .sum()
            }
        };
        total / T::of(z.nrows() as f64)
    }
}

/// The book's `cost_derivative`: `dC/da = a - y` of the quadratic cost for each example
/// of a mini-batch, `(B, N)`.
pub fn cost_derivative<T: Float>(a: &Array2<T>, y: &Array2<T>) -> Array2<T> {
    a - y
}
