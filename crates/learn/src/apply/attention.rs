//! An op of the tape whose arithmetic is the learner's: causal attention by `head`, and its gradient
//! by `head_backward`.

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use m2g_core::ndarray::IxDyn;
use m2g_core::ops::{Backward, Differentiable, Forward, Op};
use m2g_core::{Shape, Tensor};
use m2g_exercises::{Matrix, Value};

use crate::failure::Failure;
use crate::grade::Solver;

/// The learner's programs of both exercises, and the first failure of one of them.
pub struct Programs {
    /// The program of `head`.
    pub head: Box<dyn Solver + Send>,
    /// The program of `head_backward`.
    pub backward: Box<dyn Solver + Send>,
    /// The exercise whose answer is missing, and why; its numbers are then 0.
    pub failed: Option<(&'static str, Failure)>,
}

/// `(B, T, 3C) -> (B, T, C)`: the learner's head for each sequence and each C / `n_head` columns.
///
/// `dQ`, `dK` and `dV` are what the learner's `head_backward` answers for the head's part of `dY`.
#[derive(Clone)]
pub struct LearnersAttention {
    /// The programs that compute.
    pub programs: Arc<Mutex<Programs>>,
    /// H: heads.
    pub n_head: usize,
}

impl Debug for LearnersAttention {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "LearnersAttention({} heads)", self.n_head)
    }
}

/// The sizes of a call.
#[derive(Clone, Copy)]
struct Sizes {
    t: usize,
    c: usize,
    d: usize,
}

impl LearnersAttention {
    fn sizes(&self, qkv: &Tensor<f64>) -> Sizes {
        let [.., t, three_c] = qkv.shape() else { return Sizes { t: 0, c: 0, d: 0 } };
        let c = three_c / 3;
        Sizes { t: *t, c, d: c / self.n_head }
    }

    /// The answers of one program to every head of every sequence: matrices `(T, D)`, none after a failure.
    fn ask(&self, backward: bool, sizes: Sizes, cases: impl Iterator<Item = Vec<Value>>) -> Vec<Vec<Matrix>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = Vec::new();
        for case in cases {
            if programs.failed.is_some() {
                answers.push(vec![]);
                continue;
            }
            let (name, solver, parts) = match backward {
                false => ("head", &mut programs.head, 1),
                true => ("head_backward", &mut programs.backward, 3),
            };
            match solver.answer(&case).and_then(|answer| matrices(answer, parts, sizes)) {
                Ok(answer) => answers.push(answer),
                Err(failure) => {
                    programs.failed = Some((name, failure));
                    answers.push(vec![]);
                }
            }
        }
        answers
    }
}

/// The matrices of an answer: `parts` of them, each `(T, D)`.
///
/// # Errors
/// [`Failure::WrongShape`] for another number or shape; [`Failure::NotFinite`] for NaN or infinity.
fn matrices(answer: Value, parts: usize, Sizes { t, d, .. }: Sizes) -> Result<Vec<Matrix>, Failure> {
    let all = match answer {
        Value::List(all) => all,
        one => vec![one],
    };
    let matrix = |value: Value| match value {
        Value::Matrix(m) if m.shape() == (t, d) && m.data.len() == t * d => Some(m),
        _ => None,
    };
    let all = all.into_iter().map(matrix).collect::<Option<Vec<Matrix>>>();
    let all = all.filter(|all| all.len() == parts).ok_or(Failure::WrongShape)?;
    match all.iter().flat_map(|m| &m.data).all(|x| x.is_finite()) {
        true => Ok(all),
        false => Err(Failure::NotFinite),
    }
}

/// Columns `start..start + d` of sequence `b` in a tensor with `width` columns.
fn part(data: &[f64], width: usize, Sizes { t, d, .. }: Sizes, b: usize, start: usize) -> Matrix {
    Matrix::from_fn(t, d, |i, j| data[(b * t + i) * width + start + j])
}

/// Q, K and V of a head of a sequence.
fn arguments(qkv: &[f64], sizes: Sizes, b: usize, h: usize) -> Vec<Value> {
    (0..3).map(|n| part(qkv, 3 * sizes.c, sizes, b, n * sizes.c + h * sizes.d).into()).collect()
}

/// Writes an answer into its columns, or zeros if there is none.
fn put(
    answer: Option<&Matrix>,
    out: &mut [f64],
    width: usize,
    Sizes { t, d, .. }: Sizes,
    b: usize,
    start: usize,
) {
    for i in 0..t {
        for j in 0..d {
            out[(b * t + i) * width + start + j] = answer.map_or(0.0, |m| m.data[i * d + j]);
        }
    }
}

impl Op<f64> for LearnersAttention {
    fn name(&self) -> &'static str {
        "learners_attention"
    }
    fn equation(&self, _: usize) -> &'static str {
        "Y = P V, P = softmax(mask(c Q K^T)), c = 1 / sqrt(D)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs {
            &[&[b, t, c]] if c % (3 * self.n_head) == 0 && c > 0 => Ok(IxDyn(&[b, t, c / 3])),
            _ => Err("expected Q, K and V side by side, (B, T, 3C), with C a multiple of the heads".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, f64>) {
        let qkv = io.input(0);
        let (sizes, sequences) = (self.sizes(qkv), qkv.shape()[0]);
        let heads = (0..sequences).flat_map(|b| (0..self.n_head).map(move |h| (b, h)));
        let answers = self.ask(false, sizes, heads.clone().map(|(b, h)| arguments(qkv.data(), sizes, b, h)));
        for ((b, h), answer) in heads.zip(&answers) {
            put(answer.first(), io.out, sizes.c, sizes, b, h * sizes.d);
        }
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        let (rows, t) = (inputs[0][0] * inputs[0][1], inputs[0][1]);
        (4 * rows * t * inputs[0][2] / 3) as u64
    }
}

impl Differentiable<f64> for LearnersAttention {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dQ = c dS K, dK = c dS^T Q, dV = P^T dY, dS = softmax'(dY V^T)"]
    }
    fn backward(&self, io: &mut Backward<'_, f64>) {
        let (qkv, dy) = (io.input(0), io.dy);
        let (sizes, sequences) = (self.sizes(qkv), qkv.shape()[0]);
        let heads = (0..sequences).flat_map(|b| (0..self.n_head).map(move |h| (b, h)));
        let answers = self.ask(
            true,
            sizes,
            heads.clone().map(|(b, h)| {
                let mut case = arguments(qkv.data(), sizes, b, h);
                case.push(part(dy.data(), sizes.c, sizes, b, h * sizes.d).into());
                case
            }),
        );
        io.input_grad(0, |dqkv| {
            for ((b, h), answer) in heads.zip(&answers) {
                for n in 0..3 {
                    put(answer.get(n), dqkv, 3 * sizes.c, sizes, b, n * sizes.c + h * sizes.d);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::Mask;
    use m2g_core::gradcheck::{check, constant};
    use m2g_core::ops::attention::AttentionOptions;

    use super::*;
    use crate::core_values::{gradients, run};
    use crate::exercise::{Case, Exercise};
    use crate::exercises::named;

    /// The right answers, by the core.
    struct Reference(&'static Exercise);

    impl Solver for Reference {
        fn answer(&mut self, case: &Case) -> Result<Value, Failure> {
            Ok(self.0.expected(case).unwrap())
        }
    }

    fn by_reference(n_head: usize) -> LearnersAttention {
        let program = |name: &str| Box::new(Reference(named(name).unwrap()));
        let programs = Programs { head: program("head"), backward: program("head_backward"), failed: None };
        LearnersAttention { programs: Arc::new(Mutex::new(programs)), n_head }
    }

    #[test]
    fn right_programs_are_attention_with_its_gradient() {
        let op = by_reference(2);
        check(&[&[2, 3, 12]], |tape, v| tape.record(op.clone(), v));
        let qkv = constant(&[2, 3, 12], 1.0);
        let ours = run(std::slice::from_ref(&qkv), |tape, v| {
            tape.attention(v[0], AttentionOptions::new(2, Mask::Causal))
        });
        let yours = run(&[qkv], |tape, v| tape.record(op.clone(), v)).unwrap();
        for (a, b) in yours.data().iter().zip(ours.unwrap().data()) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn a_program_that_fails_is_noted() {
        type Answer = fn() -> Result<Value, Failure>;
        struct Broken(Answer);
        impl Solver for Broken {
            fn answer(&mut self, _: &Case) -> Result<Value, Failure> {
                self.0()
            }
        }
        let wrong: [(Answer, Failure); 4] = [
            (|| Err(Failure::Gap), Failure::Gap),
            (|| Ok(Matrix::zeros(1, 2).into()), Failure::WrongShape),
            (|| Ok(Value::List(vec![])), Failure::WrongShape),
            (|| Ok(Matrix::new(2, 2, vec![f64::NAN; 4]).into()), Failure::NotFinite),
        ];
        for (answer, failure) in wrong {
            let op = by_reference(1);
            op.programs.lock().unwrap().head = Box::new(Broken(answer));
            let y = run(&[constant(&[1, 2, 6], 1.0)], |tape, v| tape.record(op.clone(), v)).unwrap();
            assert_eq!(y.data(), [0.0; 4]);
            assert_eq!(op.programs.lock().unwrap().failed, Some(("head", failure.clone())));

            let op = by_reference(1);
            op.programs.lock().unwrap().backward = Box::new(Broken(answer));
            let found = gradients(&[constant(&[1, 2, 6], 1.0)], |tape, v| {
                let y = tape.record(op.clone(), v)?;
                tape.mean(y)
            });
            assert_eq!(found.unwrap()[0].data(), [0.0; 12]);
            let noted = op.programs.lock().unwrap().failed.clone().unwrap();
            assert!(noted.0 == "head_backward" && (noted.1 == failure || noted.1 == Failure::WrongShape));
        }
    }
}
