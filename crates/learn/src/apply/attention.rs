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
    /// Why an answer is missing; its numbers are then 0.
    pub failed: Option<Failure>,
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

    /// The answers of one program to every head of every sequence.
    fn ask(&self, backward: bool, cases: impl Iterator<Item = Vec<Value>>) -> Vec<Option<Value>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = Vec::new();
        for case in cases {
            if programs.failed.is_some() {
                answers.push(None);
                continue;
            }
            let solver = if backward { &mut programs.backward } else { &mut programs.head };
            match solver.answer(&case) {
                Ok(answer) => answers.push(Some(answer)),
                Err(failure) => {
                    programs.failed = Some(failure);
                    answers.push(None);
                }
            }
        }
        answers
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

/// Writes an answer of the right shape into its columns.
fn put(
    answer: Option<&Value>,
    out: &mut [f64],
    width: usize,
    Sizes { t, d, .. }: Sizes,
    b: usize,
    start: usize,
) {
    let answer = match answer {
        Some(Value::Matrix(m)) if m.shape() == (t, d) && m.data.len() == t * d => Some(m),
        _ => None,
    };
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
    fn equation(&self) -> &'static str {
        "Y = softmax(mask(Q K^T / sqrt(D))) V"
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
        let answers = self.ask(false, heads.clone().map(|(b, h)| arguments(qkv.data(), sizes, b, h)));
        for ((b, h), answer) in heads.zip(&answers) {
            put(answer.as_ref(), io.out, sizes.c, sizes, b, h * sizes.d);
        }
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        let (rows, t) = (inputs[0][0] * inputs[0][1], inputs[0][1]);
        (4 * rows * t * inputs[0][2] / 3) as u64
    }
}

impl Differentiable<f64> for LearnersAttention {
    fn backward(&self, io: &mut Backward<'_, f64>) {
        let (qkv, dy) = (io.input(0), io.dy);
        let (sizes, sequences) = (self.sizes(qkv), qkv.shape()[0]);
        let heads = (0..sequences).flat_map(|b| (0..self.n_head).map(move |h| (b, h)));
        let answers = self.ask(
            true,
            heads.clone().map(|(b, h)| {
                let mut case = arguments(qkv.data(), sizes, b, h);
                case.push(part(dy.data(), sizes.c, sizes, b, h * sizes.d).into());
                case
            }),
        );
        io.input_grad(0, |dqkv| {
            for ((b, h), answer) in heads.zip(&answers) {
                let parts = match answer {
                    Some(Value::List(parts)) => &parts[..],
                    _ => &[],
                };
                for n in 0..3 {
                    put(parts.get(n), dqkv, 3 * sizes.c, sizes, b, n * sizes.c + h * sizes.d);
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
    use crate::core_values::run;
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
        struct Broken;
        impl Solver for Broken {
            fn answer(&mut self, _: &Case) -> Result<Value, Failure> {
                Err(Failure::Gap)
            }
        }
        let op = by_reference(1);
        op.programs.lock().unwrap().head = Box::new(Broken);
        let y = run(&[constant(&[1, 2, 6], 1.0)], |tape, v| tape.record(op.clone(), v)).unwrap();
        assert_eq!(y.data(), [0.0; 4]);
        assert_eq!(op.programs.lock().unwrap().failed, Some(Failure::Gap));
    }
}
