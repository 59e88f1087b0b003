//! The traits of an op, and the operands of its `forward` and `backward`.
//!
//! The tape runs ops only through these traits: the ops import the tape, and it imports no op.

use std::fmt::Debug;

use super::node::Node;
use crate::kernels::Kernels;
use crate::kernels::matmul::RowBits;
use crate::pool::Pool;
use crate::{Float, Precision, Shape, Tensor, Var};

/// A function of tensors: its name, equation, output shape and cost.
pub trait Op<T: Float>: Debug + Send + 'static {
    /// The name in the trace.
    fn name(&self) -> &'static str;

    /// The equation in one line. `inputs` is the number of inputs: some ops may have one more, such as a bias.
    fn equation(&self, inputs: usize) -> &'static str;

    /// The shape of the output, or the rule that the inputs' shapes break.
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String>;

    /// Computes the output: writes every element of `io.out`.
    fn forward(&self, io: &mut Forward<'_, T>);

    /// The number of floating-point operations of `forward`.
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64;

    /// The bytes that `forward` reads in addition to its inputs.
    fn own_bytes(&self) -> u64 {
        0
    }
}

/// An op with a derivative. Only such ops may lie between a parameter and a loss.
pub trait Differentiable<T: Float>: Op<T> {
    /// The equation of the gradient of each input, with the letters of the [equation](Op::equation): `dx` is the
    /// gradient of the loss with respect to `x`. Inputs that get none, such as the right answers, come last and have
    /// no equation; those of optional inputs are always listed.
    fn gradient_equations(&self) -> &'static [&'static str];

    /// Computes the gradients of the loss with respect to the inputs from the gradient with
    /// respect to the output, `io.dy`: calls [`Backward::input_grad`] or [`Backward::pass`] for
    /// each input that has a gradient.
    fn backward(&self, io: &mut Backward<'_, T>);

    /// The number of floating-point operations of `backward` if every input needs a gradient.
    fn backward_flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        2 * self.flops(inputs, output)
    }

    /// The operations of `backward` that fall away if input `i` needs no gradient, as where it is data. Counted for
    /// matrix products, beside which the rest is small.
    fn input_grad_flops(&self, _i: usize, _inputs: &[&[usize]], _output: &[usize]) -> u64 {
        0
    }
}

/// The operands of [`Op::forward`].
#[derive(Debug)]
pub struct Forward<'a, T: Float> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) inputs: &'a [Var],
    pub(crate) saved: &'a mut Vec<Tensor<T>>,
    pub(crate) pool: &'a mut Pool<T>,
    /// The precision of matrix products.
    pub precision: Precision,
    /// Whether the bits of a row may depend on the number of rows.
    pub(crate) row_bits: RowBits,
    /// The output: unspecified on entry, completely written on return.
    pub out: &'a mut [T],
}

impl<'a, T: Float> Forward<'a, T> {
    /// Input `i`.
    pub fn input(&self, i: usize) -> &'a Tensor<T> {
        &self.nodes[self.inputs[i].0].value
    }

    /// Input `i` of an op that may have fewer, such as a bias.
    pub(crate) fn optional_input(&self, i: usize) -> Option<&'a Tensor<T>> {
        self.inputs.get(i).map(|input| &self.nodes[input.0].value)
    }

    /// Scratch space with unspecified contents; [`Forward::give_back`] returns it.
    pub(crate) fn scratch(&mut self, len: usize) -> Tensor<T> {
        self.pool.take(ndarray::IxDyn(&[len]))
    }

    /// Returns the tensor of [`Forward::scratch`].
    pub(crate) fn give_back(&mut self, scratch: Tensor<T>) {
        self.pool.give(scratch);
    }

    /// Adds a tensor to keep for `backward`, which finds it with [`Backward::saved`], and returns its elements. Their
    /// contents are unspecified. An op that needs `out` at the same time writes them through `saved`.
    pub fn save(&mut self, shape: &[usize]) -> &mut [T] {
        self.saved.push(self.pool.take(ndarray::IxDyn(shape)));
        self.saved.last_mut().expect("just pushed").data_mut()
    }
}

/// The operands of [`Differentiable::backward`].
#[derive(Debug)]
pub struct Backward<'a, T: Float> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) inputs: &'a [Var],
    pub(crate) saved: &'a mut [Tensor<T>],
    pub(crate) grads: &'a mut [Option<Tensor<T>>],
    pub(crate) pool: &'a mut Pool<T>,
    /// The precision of matrix products.
    pub precision: Precision,
    /// The output that `forward` computed.
    pub y: &'a Tensor<T>,
    /// The gradient of the loss with respect to the output.
    pub dy: &'a Tensor<T>,
}

impl<'a, T: Float> Backward<'a, T> {
    /// Input `i`.
    pub fn input(&self, i: usize) -> &'a Tensor<T> {
        &self.nodes[self.inputs[i].0].value
    }

    /// The tensor that `forward` saved as number `i`; shares its storage.
    pub fn saved(&self, i: usize) -> Tensor<T> {
        self.saved[i].clone()
    }

    /// Takes [`Backward::saved`] tensor `i` to overwrite it; [`Backward::give_back`] returns its memory.
    pub(crate) fn take_saved(&mut self, i: usize) -> Tensor<T> {
        std::mem::replace(&mut self.saved[i], Tensor::zeros(&[0]))
    }

    /// Whether there is an input `i`, and it needs a gradient.
    pub(crate) fn wants_input_grad(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(|input| self.nodes[input.0].needs_grad)
    }

    /// Adds to the gradient of input `i` what this op contributes: `write` must write every element of a slice of
    /// the input's length, whose contents are unspecified. Does nothing if the input needs no gradient, or if there is
    /// none.
    pub fn input_grad(&mut self, i: usize, write: impl FnOnce(&mut [T])) {
        if self.wants_input_grad(i) {
            let mut dx = self.like_input(i);
            write(dx.data_mut());
            self.sum_into_input_grad(i, dx);
        }
    }

    /// A tensor of the shape of input `i` with unspecified contents.
    fn like_input(&mut self, i: usize) -> Tensor<T> {
        self.pool.take(self.nodes[self.inputs[i].0].value.dims())
    }

    fn sum_into_input_grad(&mut self, i: usize, dx: Tensor<T>) {
        sum_into(&mut self.grads[self.inputs[i].0], dx, self.pool);
    }

    /// [`Backward::input_grad`] for two inputs at once, for an op that computes both gradients
    /// together. `write` fills both slices even if only one gradient is needed.
    pub(crate) fn two_input_grads(&mut self, inputs: [usize; 2], write: impl FnOnce(&mut [T], &mut [T])) {
        let [mut first, mut second] = inputs.map(|i| self.like_input(i));
        write(first.data_mut(), second.data_mut());
        for (i, dx) in inputs.into_iter().zip([first, second]) {
            match self.wants_input_grad(i) {
                true => self.sum_into_input_grad(i, dx),
                false => self.pool.give(dx),
            }
        }
    }

    /// [`Backward::input_grad`] in place: `add` receives the sum of the gradients of input `i` so far, or zeros,
    /// and adds to it. This saves a pass over memory.
    pub fn add_to_input_grad(&mut self, i: usize, add: impl FnOnce(&mut [T])) {
        if self.wants_input_grad(i) {
            let mut dx = self.take_input_grad(i);
            add(dx.data_mut());
            self.grads[self.inputs[i].0] = Some(dx);
        }
    }

    /// The sum of the gradients of input `i` so far, or zeros.
    fn take_input_grad(&mut self, i: usize) -> Tensor<T> {
        self.grads[self.inputs[i].0].take().unwrap_or_else(|| {
            let mut zeros = self.like_input(i);
            T::Kernels::fill(zeros.data_mut(), T::zero());
            zeros
        })
    }

    /// Scratch space with unspecified contents; [`Backward::give_back`] returns it.
    pub(crate) fn scratch(&mut self, len: usize) -> Tensor<T> {
        self.pool.take(ndarray::IxDyn(&[len]))
    }

    /// Returns the tensor of [`Backward::scratch`] or [`Backward::take_saved`].
    pub(crate) fn give_back(&mut self, scratch: Tensor<T>) {
        self.pool.give(scratch);
    }

    /// Passes the output's gradient on to input `i`, without a copy.
    pub fn pass(&mut self, i: usize) {
        if self.wants_input_grad(i) {
            self.sum_into_input_grad(i, self.dy.clone());
        }
    }
}

/// `sum += more`, where `None` is zero: a value that is used twice gets the sum of both gradients.
pub(crate) fn sum_into<T: Float>(sum: &mut Option<Tensor<T>>, mut more: Tensor<T>, pool: &mut Pool<T>) {
    let Some(mut old) = sum.take() else {
        *sum = Some(more);
        return;
    };
    // Adds in place into whichever of the two is not shared.
    if !old.is_unique() {
        std::mem::swap(&mut old, &mut more);
    }
    T::Kernels::add_assign(old.data_mut(), more.data());
    pool.give(more);
    *sum = Some(old);
}
