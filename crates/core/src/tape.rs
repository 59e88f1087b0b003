//! The tape: records the ops of one step in order, and runs them backward.
//!
//! A method such as [`Tape::linear`] computes its result immediately, and records the op and its
//! inputs. [`Tape::backward`] then walks this list from end to beginning: when it reaches an entry,
//! every use of the entry's value has already contributed to its gradient. That is all of
//! backpropagation (Nielsen, chapter 2; Rumelhart, Hinton and Williams 1986).

mod gradients;
mod inputs;
mod mode;
mod node;
pub mod op;

use std::panic::Location;

use crate::kernels::Kernels;
use crate::kernels::matmul::RowBits;
use crate::params::{Grads, ParamId, Params};
use crate::pool::Pool;
use crate::rng::DropoutKey;
use crate::trace::{Phase, Record, Trace};
use crate::{Error, Float, Precision, Tensor};
use inputs::{Inputs, Shapes, bytes};
use node::Node;
use op::{Backward, Differentiable, Forward, Op};

pub use crate::var::Var;

/// A position on the tape to return to: see [`Tape::rewind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(usize);

/// Where a value comes from.
#[derive(Debug)]
enum Origin<T: Float> {
    /// Data, or the output of an op that needs no gradient.
    Constant,
    Param(ParamId),
    Op {
        op: Box<dyn Recorded<T>>,
        inputs: Inputs,
        saved: Vec<Tensor<T>>,
        caller: &'static Location<'static>,
    },
}

/// An op on the tape, with the path of its type for the trace.
trait Recorded<T: Float>: Differentiable<T> {
    fn function(&self) -> &'static str;
}

impl<T: Float, O: Differentiable<T>> Recorded<T> for O {
    fn function(&self) -> &'static str {
        std::any::type_name::<O>()
    }
}

/// The record of one step: see the [module](self).
#[derive(Debug)]
pub struct Tape<T: Float> {
    nodes: Vec<Node<T>>,
    /// The origin of each node.
    origins: Vec<Origin<T>>,
    grads: Vec<Option<Tensor<T>>>,
    /// The value of each parameter that is on the tape.
    params: Vec<Option<Var>>,
    pool: Pool<T>,
    gradients: bool,
    keep_values: bool,
    /// Whether [`Tape::backward`] has freed the values it used.
    values_freed: bool,
    fused: bool,
    precision: Precision,
    row_bits: RowBits,
    dropout: Option<DropoutKey>,
    /// Asked before each op whether to stop.
    stop: Option<fn() -> bool>,
    /// The record of what ran while it was switched on.
    pub trace: Trace,
}

impl<T: Float> Default for Tape<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Tape<T> {
    /// An empty tape that records gradients, without dropout.
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            origins: Vec::new(),
            grads: Vec::new(),
            params: Vec::new(),
            pool: Pool::default(),
            gradients: true,
            keep_values: false,
            values_freed: false,
            fused: true,
            precision: Precision::F32,
            row_bits: RowBits::Free,
            dropout: None,
            stop: None,
            trace: Trace::default(),
        }
    }

    /// Records data.
    pub fn input(&mut self, value: Tensor<T>) -> Var {
        self.push(value, false, Origin::Constant)
    }

    /// Records data that `write` fills in; the next step reuses its memory. `write` must write every
    /// element: the initial contents are unspecified.
    pub fn input_with(&mut self, shape: &[usize], write: impl FnOnce(&mut [T])) -> Var {
        let mut value = self.pool.take(ndarray::IxDyn(shape));
        write(value.data_mut());
        self.input(value)
    }

    /// Records a parameter, without copying it. If it is on the tape already, with the same value and for the same
    /// [gradients](Tape::set_gradients), returns that value, so that it gets one gradient however often it is used.
    pub fn param(&mut self, params: &Params<T>, id: ParamId) -> Var {
        let value = &params.get(id).value;
        if let Some(Some(var)) = self.params.get(id.0) {
            let node = &self.nodes[var.0];
            if node.needs_grad == self.gradients && std::ptr::eq(node.value.data(), value.data()) {
                return *var;
            }
        }
        let var = self.push(value.clone(), self.gradients, Origin::Param(id));
        if self.params.len() <= id.0 {
            self.params.resize(id.0 + 1, None);
        }
        self.params[id.0] = Some(var);
        var
    }

    /// Records all parameters. [`Tape::rewind`] to the returned mark keeps them, so that many small
    /// steps with the same parameters need not record them again.
    pub fn record_params(&mut self, params: &Params<T>) -> Mark {
        (0..params.len()).for_each(|i| _ = self.param(params, ParamId(i)));
        Mark(self.nodes.len())
    }

    /// Describes the first value on the tape that holds NaN or infinity.
    pub(crate) fn first_not_finite(&self, params: &Params<T>) -> Option<String> {
        let mut values = self.nodes.iter().zip(&self.origins);
        let broken = values.find(|(node, _)| !T::Kernels::all_finite(node.value.data()));
        broken.map(|(_, origin)| match origin {
            Origin::Constant => "an input, or a value without parameters".into(),
            Origin::Param(id) => format!("the parameter {}", params.get(*id).name),
            Origin::Op { op, caller, .. } => format!("the output of {} called at {caller}", op.name()),
        })
    }

    /// The parameter whose value is `var`, if any.
    pub fn param_at(&self, var: Var) -> Option<ParamId> {
        match self.origins.get(var.0)? {
            Origin::Param(id) => Some(*id),
            _ => None,
        }
    }

    /// The value of `var`.
    ///
    /// # Panics
    /// If `var` is from before the last [`Tape::reset`].
    pub fn value(&self, var: Var) -> &Tensor<T> {
        &self.nodes[var.0].value
    }

    /// The only element of a value, such as a loss.
    ///
    /// # Panics
    /// If the value is empty, or `var` is from before the last [`Tape::reset`].
    pub fn read_loss(&self, loss: Var) -> T {
        self.value(loss).data()[0]
    }

    /// The gradient of `var` after [`Tape::backward`], if [`Tape::set_keep_values`] is on. That of a parameter
    /// is in the [`Grads`] instead.
    pub fn grad(&self, var: Var) -> Option<&Tensor<T>> {
        self.grads.get(var.0).and_then(Option::as_ref)
    }

    fn push(&mut self, value: Tensor<T>, needs_grad: bool, origin: Origin<T>) -> Var {
        self.nodes.push(Node { value, needs_grad });
        self.origins.push(origin);
        Var(self.nodes.len() - 1)
    }

    /// Records in the trace that a layer runs. `name` is that of the method, `Layer::forward`; `L`
    /// is the type of the layer.
    #[track_caller]
    pub(crate) fn enter<L>(&mut self, name: &'static str) {
        self.trace.enter(self.phase(), name, std::any::type_name::<L>());
    }

    /// Names a value in the trace, if it is recording, and returns the value.
    pub fn label(&mut self, var: Var, name: &str) -> Var {
        self.trace.label(var, || name.into());
        var
    }

    /// Whether parameters recorded now need gradients.
    pub(crate) fn wants_gradients(&self) -> bool {
        self.gradients
    }

    /// The phase of the ops that are recorded now.
    fn phase(&self) -> Phase {
        if self.gradients { Phase::Forward } else { Phase::Evaluate }
    }

    /// Computes an op and records it.
    ///
    /// # Errors
    /// [`Error::Shape`] if the op does not accept inputs of these shapes; [`Error::Stopped`] after
    /// [`Tape::set_stop`].
    #[track_caller]
    pub fn record<O: Differentiable<T>>(&mut self, op: O, inputs: &[Var]) -> Result<Var, Error> {
        let caller = Location::caller();
        let (value, saved) = self.compute(&op, std::any::type_name::<O>(), inputs, caller)?;
        if self.any_needs_grad(inputs) {
            let op = Box::new(op);
            Ok(self.push(value, true, Origin::Op { op, inputs: Inputs::new(inputs), saved, caller }))
        } else {
            Ok(self.push_constant(value, saved))
        }
    }

    /// Computes an op that has no derivative.
    ///
    /// # Errors
    /// [`Error::NoBackward`] if an input needs a gradient, which would silently
    /// end here; [`Error::Shape`] and [`Error::Stopped`] as for [`Tape::record`].
    #[track_caller]
    pub fn record_forward_only<O: Op<T>>(&mut self, op: O, inputs: &[Var]) -> Result<Var, Error> {
        let at = Location::caller();
        self.need_no_gradient(op.name(), inputs)?;
        let (value, saved) = self.compute(&op, std::any::type_name::<O>(), inputs, at)?;
        Ok(self.push_constant(value, saved))
    }

    /// Refuses inputs of `op` that need a gradient.
    ///
    /// # Errors
    /// [`Error::NoBackward`] if one of `inputs` needs a gradient, which the op would not pass on.
    #[track_caller]
    pub(crate) fn need_no_gradient(&self, op: &'static str, inputs: &[Var]) -> Result<(), Error> {
        let at = Location::caller();
        if self.any_needs_grad(inputs) { Err(Error::NoBackward { op, at }) } else { Ok(()) }
    }

    fn any_needs_grad(&self, inputs: &[Var]) -> bool {
        inputs.iter().any(|i| self.nodes[i.0].needs_grad)
    }

    /// Pushes an output that needs no gradient, and frees what the op saved for its backward pass.
    fn push_constant(&mut self, value: Tensor<T>, saved: Vec<Tensor<T>>) -> Var {
        saved.into_iter().for_each(|s| self.pool.give(s));
        self.push(value, false, Origin::Constant)
    }

    /// `function` is the path of the type of `op`. The op is a trait object so that this is compiled
    /// once, and not once per op.
    fn compute(
        &mut self,
        op: &dyn Op<T>,
        function: &'static str,
        inputs: &[Var],
        at: &'static Location<'static>,
    ) -> Result<(Tensor<T>, Vec<Tensor<T>>), Error> {
        if self.stop.is_some_and(|stop| stop()) {
            return Err(Error::Stopped);
        }
        let started = self.trace.start();
        let shapes = Shapes::of(&self.nodes, inputs);
        let shape = op.output_shape(shapes.as_slice()).map_err(|why| {
            let shapes = shapes.as_slice().iter().map(|s| s.to_vec()).collect();
            Error::Shape { op: op.name(), shapes, why, at }
        })?;
        let phase = self.phase();
        let mut out = self.pool.take(shape);
        let mut saved = Vec::new();
        op.forward(&mut Forward {
            nodes: &self.nodes,
            inputs,
            saved: &mut saved,
            pool: &mut self.pool,
            precision: self.precision,
            row_bits: self.row_bits,
            out: out.data_mut(),
        });
        self.trace.finish(started, |time| Record {
            phase,
            name: op.name(),
            function,
            equation: op.equation(inputs.len()),
            gradients: Vec::new(),
            caller: at,
            inputs: shapes.to_dims(),
            from: inputs.to_vec(),
            output: out.dims(),
            // The value is recorded next.
            to: Some(Var(self.nodes.len())),
            flops: op.flops(shapes.as_slice(), out.shape()),
            bytes: bytes::<T>(&shapes, out.len()) + op.own_bytes(),
            time,
        });
        Ok((out, saved))
    }

    /// Runs the tape backward from `loss` and adds the gradient of every parameter to `grads`. It frees the
    /// values it has used: for a second loss on the same tape, switch [`Tape::set_keep_values`] on.
    ///
    /// # Errors
    /// [`Error::NotALoss`] unless `loss` is a single element that depends on a parameter;
    /// [`Error::ValuesFreed`] if an earlier call has freed the values.
    #[track_caller]
    pub fn backward(&mut self, loss: Var, grads: &mut Grads<T>) -> Result<(), Error> {
        if self.values_freed {
            return Err(Error::ValuesFreed);
        }
        let node = &self.nodes[loss.0];
        if node.value.len() != 1 || !node.needs_grad {
            return Err(Error::NotALoss(node.value.shape().to_vec()));
        }
        let mut one = self.pool.take(node.value.dims());
        T::Kernels::fill(one.data_mut(), T::one());
        self.trace.enter(Phase::Backward, "Tape::backward", std::any::type_name::<Self>());
        // Those of an earlier loss, kept to be read, are no part of this gradient.
        self.grads.drain(..).flatten().for_each(|g| self.pool.give(g));
        self.grads.resize_with(self.nodes.len(), || None);
        self.values_freed = !self.keep_values;
        self.grads[loss.0] = Some(one);

        for i in (0..=loss.0).rev() {
            let Some(dy) = self.grads[i].take() else { continue };
            let (before, rest) = self.nodes.split_at_mut(i);
            let node = &mut rest[0];
            match &mut self.origins[i] {
                Origin::Constant => {}
                Origin::Param(id) => {
                    grads.add(*id, dy, self);
                    continue;
                }
                Origin::Op { op, inputs, saved, caller } => {
                    let started = self.trace.start();
                    op.backward(&mut Backward {
                        nodes: before,
                        inputs: inputs.as_slice(),
                        saved,
                        grads: &mut self.grads,
                        pool: &mut self.pool,
                        precision: self.precision,
                        y: &node.value,
                        dy: &dy,
                    });
                    self.trace.finish(started, |time| {
                        let shapes = Shapes::of(before, inputs.as_slice());
                        let (sizes, output) = (shapes.as_slice(), node.value.shape());
                        let wants_grad = |i: &usize| before[inputs.as_slice()[*i].0].needs_grad;
                        let (wanted, data): (Vec<_>, Vec<_>) = (0..sizes.len()).partition(wants_grad);
                        let not_done: u64 = data.iter().map(|&i| op.input_grad_flops(i, sizes, output)).sum();
                        let equations = op.gradient_equations();
                        let equation = |i: usize| equations.get(i).copied().unwrap_or_default();
                        Record {
                            phase: Phase::Backward,
                            name: op.name(),
                            function: op.function(),
                            equation: "",
                            gradients: wanted.into_iter().map(|i| (i, equation(i))).collect(),
                            caller,
                            inputs: shapes.to_dims(),
                            from: inputs.as_slice().to_vec(),
                            output: node.value.dims(),
                            to: Some(Var(i)),
                            flops: op.backward_flops(sizes, output) - not_done,
                            bytes: 2 * bytes::<T>(&shapes, node.value.len()),
                            time,
                        }
                    });
                    if !self.keep_values {
                        saved.drain(..).for_each(|s| self.pool.give(s));
                    }
                }
            }
            if self.keep_values {
                self.grads[i] = Some(dy);
            } else {
                // Every use of this value has run: its memory is free. The gradient is given back
                // last: it is still in the cache, and of buffers of equal size the pool hands out the
                // one that came back last.
                self.pool.give(std::mem::replace(&mut node.value, Tensor::zeros(&[0])));
                self.pool.give(dy);
            }
        }
        Ok(())
    }

    /// Clears the tape; the next step reuses its buffers.
    pub fn reset(&mut self) {
        self.rewind(Mark(0));
    }

    /// Removes everything recorded after the mark.
    pub fn rewind(&mut self, mark: Mark) {
        self.params.iter_mut().for_each(|place| *place = place.filter(|var| var.0 < mark.0));
        let first = mark.0.min(self.nodes.len());
        self.nodes.drain(first..).for_each(|node| self.pool.give(node.value));
        for origin in self.origins.drain(first..) {
            if let Origin::Op { saved, .. } = origin {
                saved.into_iter().for_each(|s| self.pool.give(s));
            }
        }
        self.grads.drain(..).flatten().for_each(|g| self.pool.give(g));
        self.values_freed = false;
    }

    /// A tensor from the tape's buffers, with unspecified contents.
    pub fn buffer(&mut self, shape: &[usize]) -> Tensor<T> {
        self.pool.take(ndarray::IxDyn(shape))
    }

    /// Returns a tensor's memory for the next step.
    pub fn recycle(&mut self, tensor: Tensor<T>) {
        self.pool.give(tensor);
    }

    /// The bytes of all buffers of the tape, including those in use.
    pub fn bytes(&self) -> usize {
        self.pool.elements() * T::BYTES
    }

    /// Swaps the buffers of two tapes. Two that are never used at the same time can so share their memory.
    pub(crate) fn swap_buffers(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.pool, &mut other.pool);
    }
}

#[cfg(test)]
mod tests;
