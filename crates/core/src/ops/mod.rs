//! The operations that a model is made of, one file each.
//!
//! A file reads from top to bottom: the mathematics, the method of [`Tape`](crate::Tape) that
//! records the op, `forward`, `backward`, and below them the gradient check. To
//! add an op, write its file and name it here.

pub mod add;
pub mod additive_scores;
pub mod argmax;
pub mod attention;
pub mod batched_matmul;
pub mod cached_attention;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
pub mod feed_forward;
pub mod gelu;
pub mod heads;
pub mod last;
pub mod layer_norm;
pub mod linear;
pub mod linear_residual;
pub mod masked_softmax;
pub mod matmul;
pub mod mean;
pub mod mul;
pub mod negative_distance;
pub mod packed_linear;
pub mod quadratic_cost;
pub mod reciprocal;
pub mod relu;
pub mod residual;
pub mod reverse;
pub mod rotary;
pub mod scale;
pub mod sigmoid;
pub mod sigmoid_cross_entropy;
pub mod softmax;
pub mod softmax_cross_entropy;
pub mod tanh;
pub mod unit;

use std::fmt::Debug;

use crate::pool::Pool;
use crate::tape::{Node, Var};
use crate::{Float, Precision, Shape, Tensor};

/// A function of tensors: its name, its equation, the shape it gives, its cost.
pub trait Op<T: Float>: Debug + Send + 'static {
    /// The name in the trace.
    fn name(&self) -> &'static str;

    /// The equation in one line.
    fn equation(&self) -> &'static str;

    /// The shape of the output, or the rule that the inputs' shapes break.
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String>;

    /// Computes the output: writes every number of `io.out`.
    fn forward(&self, io: &mut Forward<'_, T>);

    /// Floating-point operations of `forward`.
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64;

    /// Bytes that `forward` reads besides the inputs.
    fn own_bytes(&self) -> u64 {
        0
    }
}

/// An op with a derivative. Only such an op can stand between a parameter and a loss.
pub trait Differentiable<T: Float>: Op<T> {
    /// From the gradient of the loss with respect to the output, `io.dy`, the
    /// gradients with respect to the inputs: calls [`Backward::input_grad`] or
    /// [`Backward::pass`] for each input that has one.
    fn backward(&self, io: &mut Backward<'_, T>);

    /// Floating-point operations of `backward`, when every input wants its gradient.
    fn backward_flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        2 * self.flops(inputs, output)
    }
}

/// What `forward` works on.
#[derive(Debug)]
pub struct Forward<'a, T: Float> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) inputs: &'a [Var],
    pub(crate) saved: &'a mut Vec<Tensor<T>>,
    pub(crate) pool: &'a mut Pool<T>,
    /// How exactly to compute products.
    pub precision: Precision,
    /// The output's numbers: old ones on entry, all written on return.
    pub out: &'a mut [T],
}

impl<'a, T: Float> Forward<'a, T> {
    /// Input number `i`.
    pub fn input(&self, i: usize) -> &'a Tensor<T> {
        &self.nodes[self.inputs[i].0].value
    }

    /// Memory to work in, whose numbers are old ones; [`Forward::give_back`] returns it.
    pub(crate) fn scratch(&mut self, len: usize) -> Tensor<T> {
        self.pool.take(ndarray::IxDyn(&[len]))
    }

    /// Returns what [`Forward::scratch`] gave.
    pub(crate) fn give_back(&mut self, scratch: Tensor<T>) {
        self.pool.give(scratch);
    }

    /// A tensor to keep for `backward`, where it is [`Backward::saved`]. Its
    /// numbers are old ones.
    pub fn save(&mut self, shape: &[usize]) -> &mut [T] {
        self.saved.push(self.pool.take(ndarray::IxDyn(shape)));
        self.saved.last_mut().expect("just pushed").data_mut()
    }
}

/// What `backward` works on.
#[derive(Debug)]
pub struct Backward<'a, T: Float> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) inputs: &'a [Var],
    pub(crate) saved: &'a mut [Tensor<T>],
    pub(crate) grads: &'a mut [Option<Tensor<T>>],
    pub(crate) pool: &'a mut Pool<T>,
    /// How exactly to compute products.
    pub precision: Precision,
    /// The output that `forward` computed.
    pub y: &'a Tensor<T>,
    /// The gradient of the loss with respect to the output.
    pub dy: &'a Tensor<T>,
}

impl<'a, T: Float> Backward<'a, T> {
    /// Input number `i`.
    pub fn input(&self, i: usize) -> &'a Tensor<T> {
        &self.nodes[self.inputs[i].0].value
    }

    /// The tensor that `forward` saved as number `i`, whose numbers it shares.
    pub fn saved(&self, i: usize) -> Tensor<T> {
        self.saved[i].clone()
    }

    /// The same, to be written to; [`Backward::give_back`] returns its memory.
    pub(crate) fn take_saved(&mut self, i: usize) -> Tensor<T> {
        std::mem::replace(&mut self.saved[i], Tensor::zeros(&[0]))
    }

    /// Whether anybody wants the gradient of input `i`.
    pub(crate) fn wants_input_grad(&self, i: usize) -> bool {
        self.nodes[self.inputs[i].0].needs_grad
    }

    /// Gives input `i` its gradient: `write` fills a slice of the input's length,
    /// whose numbers are old ones. Does nothing if nobody wants that gradient.
    pub fn input_grad(&mut self, i: usize, write: impl FnOnce(&mut [T])) {
        let node = &self.nodes[self.inputs[i].0];
        if node.needs_grad {
            let mut dx = self.pool.take(node.value.dims());
            write(dx.data_mut());
            sum_into(&mut self.grads[self.inputs[i].0], dx, self.pool);
        }
    }

    /// [`Backward::input_grad`] for two inputs at once, for an op that computes both gradients
    /// together. `write` fills both slices even if only one gradient is needed.
    pub(crate) fn two_input_grads(&mut self, inputs: [usize; 2], write: impl FnOnce(&mut [T], &mut [T])) {
        let [mut first, mut second] = inputs.map(|i| self.pool.take(self.input(i).dims()));
        write(first.data_mut(), second.data_mut());
        for (i, dx) in inputs.into_iter().zip([first, second]) {
            match self.wants_input_grad(i) {
                true => sum_into(&mut self.grads[self.inputs[i].0], dx, self.pool),
                false => self.pool.give(dx),
            }
        }
    }

    /// Adds to the gradient of input `i`: `add` gets the sum of the gradients that
    /// came so far, or zeros. Spares a pass over the memory where that sum is large.
    pub fn add_to_input_grad(&mut self, i: usize, add: impl FnOnce(&mut [T])) {
        let node = &self.nodes[self.inputs[i].0];
        if node.needs_grad {
            let slot = &mut self.grads[self.inputs[i].0];
            let mut dx = slot.take().unwrap_or_else(|| {
                let mut zeros = self.pool.take(node.value.dims());
                crate::kernels::map::fill(zeros.data_mut(), T::zero());
                zeros
            });
            add(dx.data_mut());
            *slot = Some(dx);
        }
    }

    /// Memory to work in, whose numbers are old ones; [`Backward::give_back`] returns it.
    pub(crate) fn scratch(&mut self, len: usize) -> Tensor<T> {
        self.pool.take(ndarray::IxDyn(&[len]))
    }

    /// Returns what [`Backward::scratch`] or [`Backward::take_saved`] gave.
    pub(crate) fn give_back(&mut self, scratch: Tensor<T>) {
        self.pool.give(scratch);
    }

    /// Gives input `i` the output's gradient as it is, without a copy.
    pub fn pass(&mut self, i: usize) {
        if self.wants_input_grad(i) {
            sum_into(&mut self.grads[self.inputs[i].0], self.dy.clone(), self.pool);
        }
    }
}

/// `sum += more`, where nothing stands for zero. What is used twice gets the sum
/// of both gradients.
pub(crate) fn sum_into<T: Float>(sum: &mut Option<Tensor<T>>, mut more: Tensor<T>, pool: &mut Pool<T>) {
    let Some(mut old) = sum.take() else {
        *sum = Some(more);
        return;
    };
    // Adds in place into whichever of the two is not shared.
    if !old.is_unique() {
        std::mem::swap(&mut old, &mut more);
    }
    crate::kernels::map::update(old.data_mut(), more.data(), |a, b| a + b);
    pool.give(more);
    *sum = Some(old);
}

/// The shape of an op that takes inputs of one shape and gives the same.
pub(crate) fn same_shape(inputs: &[&[usize]]) -> Result<Shape, String> {
    match inputs {
        [first, rest @ ..] if rest.iter().all(|s| s == first) => Ok(ndarray::IxDyn(first)),
        _ => Err("the shapes must be the same".into()),
    }
}

/// How many numbers a shape has.
pub(crate) fn count(shape: &[usize]) -> u64 {
    shape.iter().product::<usize>() as u64
}
