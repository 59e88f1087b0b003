//! The network of digits on the core's tape, for the exercises on backpropagation.

use m2g_core::{Error, Tape, Tensor, Var};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{gradients, tensor};
use crate::exercise::{Case, Random};

/// Sizes of the layers and of the mini-batch: BP2 is used once, never, twice; the last ones are equal.
const SIZES: [(&[usize], usize); 4] = [(&[4, 3, 2], 5), (&[3, 2], 1), (&[2, 4, 3, 2], 4), (&[3, 3, 3], 3)];

/// Networks with a mini-batch each: weights, biases, x, y.
pub fn cases(random: &mut Random) -> Vec<Case> {
    let case = |(sizes, b): &(&[usize], usize)| {
        let weights: Vec<Matrix> = sizes.windows(2).map(|two| random.matrix(two[1], two[0])).collect();
        let biases: Vec<Vec<f64>> = sizes[1..].iter().map(|&n| random.numbers(n)).collect();
        let x = random.matrix(*b, sizes[0]);
        let y = random.one_hot(*b, sizes[sizes.len() - 1]);
        vec![weights.into(), biases.into(), x.into(), y.into()]
    };
    SIZES.iter().map(case).collect()
}

/// Biases and weights, `(N)` and `(N, K)` of each layer; or the gradient with respect to them.
pub type Parameters = (Vec<Vec<f64>>, Vec<Matrix>);

/// The network and the mini-batch of a case.
pub struct Network {
    /// `(N, K)` of each layer.
    pub weights: Vec<Matrix>,
    /// `(N)` of each layer.
    pub biases: Vec<Vec<f64>>,
    /// `(B, K)`.
    pub x: Matrix,
    /// `(B, N)`.
    pub y: Matrix,
}

impl Network {
    /// Reads the arguments.
    pub fn of(input: &mut Input) -> Self {
        Self { weights: input.matrices(), biases: input.rows(), x: input.matrix(), y: input.matrix() }
    }

    /// The arguments.
    pub fn case(&self) -> Case {
        let Self { weights, biases, x, y } = self;
        vec![weights.clone().into(), biases.clone().into(), x.clone().into(), y.clone().into()]
    }

    /// The gradient of the mean cost: `dC/db` and `dC/dw` of each layer.
    pub fn gradient(&self) -> Result<Parameters, Error> {
        let found = gradients(&self.parameters()?, |tape, vars| self.cost_on(tape, vars))?;
        let (b, w) = found.split_at(self.biases.len());
        let b = b.iter().map(|b| b.data().to_vec()).collect();
        Ok((b, w.iter().map(crate::core_values::matrix).collect()))
    }

    /// The biases and weights after a step of size `eta` against a gradient.
    pub fn step(&self, eta: f64, (nabla_b, nabla_w): &Parameters) -> Parameters {
        let less =
            |(b, nabla): (&Vec<f64>, &Vec<f64>)| b.iter().zip(nabla).map(|(b, d)| b - eta * d).collect();
        let biases = self.biases.iter().zip(nabla_b).map(less).collect();
        (biases, self.weights.iter().zip(nabla_w).map(|(w, d)| w - &d.scale(eta)).collect())
    }

    /// The mean cost.
    pub fn cost(&self) -> Result<f64, Error> {
        let cost = crate::core_values::run(&self.parameters()?, |tape, vars| self.cost_on(tape, vars))?;
        Ok(cost.data()[0])
    }

    /// The biases, then the weights.
    fn parameters(&self) -> Result<Vec<Tensor<f64>>, Error> {
        let biases = self.biases.iter().map(|b| Tensor::from_vec(&[b.len()], b.clone()));
        biases.chain(self.weights.iter().map(tensor)).collect()
    }

    fn cost_on(&self, tape: &mut Tape<f64>, vars: &[Var]) -> Result<Var, Error> {
        let mut a = tape.input(tensor(&self.x)?);
        let (biases, weights) = vars.split_at(self.biases.len());
        for (&b, &w) in biases.iter().zip(weights) {
            let z = tape.linear(a, w, Some(b))?; // (B, K) -> (B, N)
            a = tape.sigmoid(z)?;
        }
        let y = tape.input(tensor(&self.y)?);
        tape.quadratic_cost(a, y)
    }
}

/// The cost after an element of the biases or weights has grown.
pub fn cost_after(case: &Case, path: &[usize], index: usize, step: f64) -> Result<f64, Error> {
    let mut case = case.clone();
    // The gradient has the biases first, the arguments the weights.
    if let [part, layer] = path
        && let Some(argument) = case.get_mut(1 - part)
    {
        crate::core_values::nudge(argument, &[*layer], index, step);
    }
    Network::of(&mut Input::new(case)).cost()
}
