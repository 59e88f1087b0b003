//! The learner's `backprop` or `update_mini_batch` trains the network [784, 30, 10] on real digits,
//! beside the same training by the tape.

use m2g_core::data::mnist::LabelledImages;
use m2g_core::rng::{Streams, normal};
use m2g_exercises::given::{add_to_rows, sigmoid};
use m2g_exercises::{Matrix, Value};

use crate::compare::is_same;
use crate::error::LearnError;
use crate::exercise::Exercise;
use crate::exercises::digit_network::{Network, Parameters};
use crate::failure::Failure;
use crate::grade::Solver;

/// The sizes of the layers.
const SIZES: [usize; 3] = [784, 30, 10];
/// The examples of a mini-batch, and the learning rate, both the book's.
const MINI_BATCH: usize = 10;
const ETA: f64 = 3.0;

/// What an epoch, one pass over the training images, reached.
#[derive(Debug, Clone, Copy)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// The test images that the learner's network reads correctly.
    pub yours: usize,
    /// The test images that the core's network reads correctly.
    pub ours: usize,
}

/// How the two networks compare after the training.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// The largest difference of a weight or bias; NaN if one of them is.
    pub difference: f64,
    /// The first step, from 1, after which they differ by more than rounding.
    pub differs_from: Option<usize>,
    /// The test images that the learner's network reads correctly.
    pub right: usize,
}

/// Weights differ by rounding up to this.
const ROUNDING: f64 = 1e-6;

/// Trains both networks, from the same weights on the same mini-batches, and compares them.
///
/// # Errors
/// If the learner's program gives no answer, or one of another shape.
pub fn train(
    exercise: &Exercise,
    solver: &mut dyn Solver,
    (training, test): (&LabelledImages, &LabelledImages),
    steps: usize,
    report: &mut dyn FnMut(Epoch),
) -> Result<Comparison, LearnError> {
    let (x, y, _) = matrices(training);
    let (test_x, _, labels) = matrices(test);
    let (mut yours, mut ours) = (parameters(), parameters());
    let per_epoch = x.rows.div_ceil(MINI_BATCH).max(1);
    let right = |(biases, weights): &Parameters| {
        let mut a = test_x.clone();
        for (w, b) in weights.iter().zip(biases) {
            a = sigmoid(&add_to_rows(&a.matmul(&w.transpose()), b));
        }
        labels.iter().enumerate().filter(|&(i, &label)| largest(a.row(i)) == label).count()
    };
    let mut differs_from = None;
    for done in 1..=steps {
        let start = (done - 1) % per_epoch * MINI_BATCH;
        let rows = |m: &Matrix| {
            let end = (start + MINI_BATCH).min(m.rows);
            Matrix::new(end - start, m.cols, m.data[start * m.cols..end * m.cols].to_vec())
        };
        yours = learners_step(exercise, solver, network(yours, rows(&x), rows(&y)))?;
        let at = network(ours, rows(&x), rows(&y));
        ours = at.step(ETA, &at.gradient()?);
        let is_same = largest_difference(&yours, &ours) <= ROUNDING;
        differs_from = differs_from.or((!is_same).then_some(done));
        if done % per_epoch == 0 || done == steps {
            report(Epoch { epoch: done.div_ceil(per_epoch), yours: right(&yours), ours: right(&ours) });
        }
    }
    Ok(Comparison { difference: largest_difference(&yours, &ours), differs_from, right: right(&yours) })
}

/// The largest difference of two parameters; NaN if one of them is.
fn largest_difference(yours: &Parameters, ours: &Parameters) -> f64 {
    let biases = yours.0.iter().flatten().zip(ours.0.iter().flatten());
    let weights = yours.1.iter().flat_map(|w| &w.data).zip(ours.1.iter().flat_map(|w| &w.data));
    let differences = biases.chain(weights).map(|(a, b)| (a - b).abs());
    // `f64::max` would forget a NaN.
    differences.fold(0.0, |largest, x| if x.is_nan() || x > largest { x } else { largest })
}

/// Initial parameters, scaled as in chapter 3.
fn parameters() -> Parameters {
    let mut rng = Streams::new(1).stream("init", 0);
    let mut draw =
        |n: usize, deviation: f64| (0..n).map(|_| deviation * normal(&mut rng)).collect::<Vec<_>>();
    let biases = SIZES[1..].iter().map(|&n| draw(n, 1.0)).collect();
    let weight =
        |two: &[usize]| Matrix::new(two[1], two[0], draw(two[0] * two[1], (two[0] as f64).powf(-0.5)));
    (biases, SIZES.windows(2).map(weight).collect())
}

fn network((biases, weights): Parameters, x: Matrix, y: Matrix) -> Network {
    Network { weights, biases, x, y }
}

/// A step with the learner's program.
fn learners_step(
    exercise: &Exercise,
    solver: &mut dyn Solver,
    network: Network,
) -> Result<Parameters, LearnError> {
    let takes_the_step = exercise.inputs.contains(&"eta");
    let mut case = network.case();
    if takes_the_step {
        case.push(Value::Number(ETA));
    }
    let failed = |why| LearnError::Failed { name: exercise.name, why };
    let answer = solver.answer(&case).map_err(failed)?;
    let answer = parts(&answer, &network).ok_or_else(|| failed(Failure::WrongShape))?;
    match takes_the_step {
        true => Ok(answer),
        false => Ok(network.step(ETA, &answer)),
    }
}

/// The biases and the weights of an answer, if their shapes are those of the network.
fn parts(answer: &Value, network: &Network) -> Option<Parameters> {
    let zeros = |value: &Value| match value {
        Value::Numbers(xs) => Some(Value::Numbers(vec![0.0; xs.len()])),
        Value::Matrix(m) => Some(Value::Matrix(Matrix::zeros(m.rows, m.cols))),
        _ => None,
    };
    let Value::List(both) = answer else { return None };
    let [Value::List(biases), Value::List(weights)] = &both[..] else { return None };
    let expected = network.biases.iter().map(|b| Value::from(vec![0.0; b.len()]));
    let expected = expected.chain(network.weights.iter().map(|w| Matrix::zeros(w.rows, w.cols).into()));
    let actual = biases.iter().chain(weights).map(zeros).collect::<Option<Vec<_>>>()?;
    if !is_same(&Value::List(expected.collect()), &Value::List(actual)) {
        return None;
    }
    let numbers = |value: &Value| if let Value::Numbers(xs) = value { Some(xs.clone()) } else { None };
    let matrix = |value: &Value| match value {
        Value::Matrix(m) if m.data.len() == m.rows * m.cols => Some(m.clone()),
        _ => None,
    };
    Some((
        biases.iter().map(numbers).collect::<Option<_>>()?,
        weights.iter().map(matrix).collect::<Option<_>>()?,
    ))
}

/// Pixels `(B, 784)`, desired outputs `(B, 10)`, labels.
fn matrices(images: &LabelledImages) -> (Matrix, Matrix, Vec<usize>) {
    let pixels =
        (0..images.len()).flat_map(|i| images.image(i).iter().map(|&p| f64::from(p) / 255.0)).collect();
    let labels: Vec<usize> = images.labels.iter().map(|&label| usize::from(label)).collect();
    let y = Matrix::from_fn(images.len(), SIZES[2], |i, j| if labels[i] == j { 1.0 } else { 0.0 });
    (Matrix::new(images.len(), SIZES[0], pixels), y, labels)
}

/// The index of the largest number.
fn largest(row: &[f64]) -> usize {
    (0..row.len()).max_by(|&i, &j| row[i].total_cmp(&row[j])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exercise::Case;
    use crate::exercises::named;

    /// The right gradient, changed in the first weight of the first layer.
    struct Changed(&'static Exercise, fn(f64) -> f64);

    impl Solver for Changed {
        fn answer(&mut self, case: &Case) -> Result<Value, Failure> {
            let mut answer = self.0.expected(case).unwrap();
            if let Value::List(both) = &mut answer
                && let Value::List(weights) = &mut both[1]
                && let Value::Matrix(w) = &mut weights[0]
            {
                w.data[0] = self.1(w.data[0]);
            }
            Ok(answer)
        }
    }

    #[test]
    fn code_that_is_wrong_at_this_size_is_found_out() {
        let images = LabelledImages {
            images: (0..20 * SIZES[0]).map(|i| (i * i % 251) as u8).collect(),
            labels: (0..20).map(|i| i % 10).collect(),
            rows: 28,
            cols: 28,
        };
        let compare = |change, steps| {
            let exercise = named("backprop").unwrap();
            let solver = &mut Changed(exercise, change);
            train(exercise, solver, (&images, &images), steps, &mut |_| ()).unwrap()
        };
        let right = compare(|x| x, 2);
        assert!(right.differs_from.is_none() && right.difference < 1e-9, "{right:?}");
        let not_a_number = compare(|_| f64::NAN, 2);
        assert!(not_a_number.difference.is_nan() && not_a_number.differs_from == Some(1), "{not_a_number:?}");
        let wrong = compare(|x| x + 1.0, 2);
        assert!(wrong.difference > 0.1 && wrong.differs_from == Some(1), "{wrong:?}");
    }
}
