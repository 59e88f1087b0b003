//! The record of a step, which `inspect`, `compare` and the profiler read.

use std::panic::Location;
use std::time::{Duration, Instant};

use ndarray::Dimension;

use crate::{Shape, Var};

/// The phases of a training step, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Fetches the examples.
    Batch,
    /// From the inputs to the loss.
    Forward,
    /// From the loss back to the parameters.
    Backward,
    /// Bounds the norm of the gradient.
    Clip,
    /// Updates the parameters.
    Update,
    /// Evaluates on held-out data.
    Evaluate,
}

/// One op or routine that ran, or a call of a layer or phase, whose ops follow: see [`Record::is_work`].
#[derive(Debug, Clone)]
pub struct Record {
    /// Its phase of the step.
    pub phase: Phase,
    /// The name of the op or routine.
    pub name: &'static str,
    /// The path of the op's type or of the routine, which also names its file. For a method
    /// `Type::method`, the path of its type.
    pub function: &'static str,
    /// The equation of a forward op in one line; empty for all others.
    pub equation: &'static str,
    /// The gradients that a backward op computes: the number of the forward op's input, and the equation. Empty for
    /// all others.
    pub gradients: Vec<(usize, &'static str)>,
    /// The line of code that called it.
    pub caller: &'static Location<'static>,
    /// The shapes of its inputs; for a backward op, those of the forward op.
    pub inputs: Vec<Shape>,
    /// Its inputs on the tape; empty for a routine.
    pub from: Vec<Var>,
    /// The shape of its output; for a backward op, that of the forward op.
    pub output: Shape,
    /// Its output on the tape; `None` for a routine.
    pub to: Option<Var>,
    /// Floating-point operations; a multiply-add counts as two.
    pub flops: u64,
    /// The minimum number of bytes read and written: every input and the output once.
    pub bytes: u64,
    /// The time it took; 0 for a layer or phase.
    pub time: Duration,
}

impl Record {
    /// Whether it computed something itself, unlike a layer or a phase, which calls others.
    pub fn is_work(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// The equation of an op or, of a backward op, those of the gradients that it computes; empty for all others.
    pub fn equations(&self) -> String {
        match self.is_backward_op() {
            true => self.gradients.iter().map(|(_, equation)| *equation).collect::<Vec<_>>().join("; "),
            false => self.equation.into(),
        }
    }

    /// The shapes that go in, and those that come out. The gradient of its forward op's output goes into a backward
    /// op, and the gradients of the inputs come out: of those that have one, unlike data.
    pub fn shapes(&self) -> (Vec<&[usize]>, Vec<&[usize]>) {
        let output = vec![self.output.slice()];
        match self.is_backward_op() {
            true => (output, self.gradients.iter().map(|(i, _)| self.inputs[*i].slice()).collect()),
            false => (self.inputs.iter().map(|shape| shape.slice()).collect(), output),
        }
    }

    fn is_backward_op(&self) -> bool {
        self.phase == Phase::Backward && self.to.is_some()
    }
}

/// Collects the records of a step while it is switched on.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    records: Vec<Record>,
    labels: Vec<(Var, String)>,
}

impl Trace {
    /// Starts or stops recording.
    pub fn switch(&mut self, on: bool) {
        self.on = on;
    }

    /// The current time, if it is recording.
    pub fn start(&self) -> Option<Instant> {
        self.on.then(Instant::now)
    }

    /// Adds the record that `make` returns for the time since `started`, if it is recording.
    pub fn finish(&mut self, started: Option<Instant>, make: impl FnOnce(Duration) -> Record) {
        if let Some(started) = started {
            self.records.push(make(started.elapsed()));
        }
    }

    /// Records a call of a function that only calls others: a layer, or a phase of the step. Its
    /// record has no work, so that none is counted twice.
    #[track_caller]
    pub fn enter(&mut self, phase: Phase, name: &'static str, function: &'static str) {
        if self.on {
            self.records.push(Record {
                phase,
                name,
                function,
                equation: "",
                gradients: Vec::new(),
                caller: Location::caller(),
                inputs: Vec::new(),
                from: Vec::new(),
                output: ndarray::IxDyn(&[]),
                to: None,
                flops: 0,
                bytes: 0,
                time: Duration::ZERO,
            });
        }
    }

    /// Names a value on the tape, such as `h.0.attn.q`, if it is recording.
    pub fn label(&mut self, var: Var, name: impl FnOnce() -> String) {
        if self.on {
            self.labels.push((var, name()));
        }
    }

    /// The names of values, in the order in which they were given.
    pub fn labels(&self) -> &[(Var, String)] {
        &self.labels
    }

    /// The first value with this name.
    pub fn labelled(&self, name: &str) -> Option<Var> {
        self.labels.iter().find(|(_, known)| known == name).map(|(var, _)| *var)
    }

    /// The records so far, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes the records out and drops the names.
    pub fn take(&mut self) -> Vec<Record> {
        self.labels.clear();
        // The next step probably has as many records.
        let room = Vec::with_capacity(self.records.len());
        std::mem::replace(&mut self.records, room)
    }
}
