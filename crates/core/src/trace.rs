//! What ran in a step: the list from which `inspect`, `compare` and the profiler
//! are made.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::{Shape, Var};

/// The part of a training step, in the order of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Fetching the examples.
    Batch,
    /// From the inputs to the loss.
    Forward,
    /// From the loss back to the parameters.
    Backward,
    /// Bounding the gradient's norm.
    Clip,
    /// Changing the parameters.
    Update,
    /// Measuring on data that is not trained on.
    Evaluate,
}

/// One thing that ran.
#[derive(Debug, Clone)]
pub struct Record {
    /// When in the step.
    pub phase: Phase,
    /// The name of the op or routine.
    pub name: &'static str,
    /// The path of the op's type or of the routine, which also names its file. Of a method,
    /// whose name is `Type::method`, the path of its type.
    pub function: &'static str,
    /// The op's equation in one line; empty for a routine.
    pub equation: &'static str,
    /// The line that called it.
    pub caller: &'static Location<'static>,
    /// The shapes of its inputs.
    pub inputs: Vec<Shape>,
    /// Where its inputs stand on the tape; empty for a routine.
    pub from: Vec<Var>,
    /// The shape of its output.
    pub output: Shape,
    /// Where its output stands on the tape; a routine has none.
    pub to: Option<Var>,
    /// Floating-point operations; a multiplication and an addition are two.
    pub flops: u64,
    /// Bytes read and written at least: every input and the output once.
    pub bytes: u64,
    /// How long it took.
    pub time: Duration,
}

impl Record {
    /// Whether it worked itself: not so a layer or a part of the step, which calls others.
    pub fn is_work(&self) -> bool {
        !self.inputs.is_empty()
    }
}

/// The records of a step, kept while it is switched on.
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

    /// Whether it records.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The time now, if it records.
    pub fn start(&self) -> Option<Instant> {
        self.on.then(Instant::now)
    }

    /// Adds the record that `make` describes, if `started` says that it records.
    pub fn finish(&mut self, started: Option<Instant>, make: impl FnOnce(Duration) -> Record) {
        if let Some(started) = started {
            self.records.push(make(started.elapsed()));
        }
    }

    /// Notes that a function was called that is no op but calls others: a layer, or a part
    /// of the step. Its work is theirs, and is not counted twice.
    #[track_caller]
    pub fn enter(&mut self, phase: Phase, name: &'static str, function: &'static str) {
        if self.on {
            self.records.push(Record {
                phase,
                name,
                function,
                equation: "",
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

    /// Gives a value on the tape a name, such as `h.0.attn.q`, if it records.
    pub fn label(&mut self, var: Var, name: impl FnOnce() -> String) {
        if self.on {
            self.labels.push((var, name()));
        }
    }

    /// The names that values have, in the order in which they were given.
    pub fn labels(&self) -> &[(Var, String)] {
        &self.labels
    }

    /// The records so far, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes the records out, and forgets the names.
    pub fn take(&mut self) -> Vec<Record> {
        self.labels.clear();
        // The next step is probably as long.
        let room = Vec::with_capacity(self.records.len());
        std::mem::replace(&mut self.records, room)
    }
}
