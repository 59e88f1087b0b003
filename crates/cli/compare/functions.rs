//! The core functions of two steps, side by side.

use m2g_core::trace::Record;
use serde::Serialize;

use super::source::{self, Place};
use super::stage::{Stage, staged};

/// The kind of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An op, recorded on the tape.
    Op,
    /// A routine that computes without the tape.
    Routine,
    /// A layer or a part of the step, which only calls other functions.
    Caller,
}

impl Kind {
    fn of(record: &Record) -> Self {
        match record.to {
            Some(_) => Self::Op,
            None if record.is_work() => Self::Routine,
            None => Self::Caller,
        }
    }
}

/// A core function and its use by each model.
#[derive(Debug, Clone, Serialize)]
pub struct Function {
    /// The stage of the step.
    pub stage: Stage,
    /// The short name.
    pub name: &'static str,
    /// Op, routine or caller.
    pub kind: Kind,
    /// The path of its type, or of the routine.
    pub function: &'static str,
    /// The equation or, backward, those of the gradients; empty for a routine.
    pub equation: String,
    /// The line of its definition.
    pub place: Option<Place>,
    /// Whether both models ran it.
    pub shared: bool,
    /// Its use by each model that ran it.
    pub runs: [Option<Use>; 2],
}

/// The use of a function by one model in one step.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Use {
    /// The number of calls.
    pub calls: u64,
    /// The FLOPs of all calls.
    pub flops: u64,
    /// Their share of the FLOPs of all core functions of the step, 0 to 1.
    pub flops_share: f64,
    /// The time of all calls in seconds.
    pub seconds: f64,
    /// Their share of the time of all core functions of the step, 0 to 1.
    pub seconds_share: f64,
    /// The shapes of the calls.
    pub shapes: Vec<Shapes>,
    /// The calling lines; for a backward function, those of the forward call.
    pub callers: Vec<Caller>,
}

/// The shapes of some calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shapes {
    /// The shapes that go in; backward, that of the output's gradient.
    pub inputs: Vec<Vec<usize>>,
    /// The shapes that come out; backward, those of the inputs' gradients.
    pub outputs: Vec<Vec<usize>>,
    /// The number of calls with these shapes.
    pub calls: u64,
}

/// A calling line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The line.
    pub place: Place,
    /// The number of calls from it.
    pub calls: u64,
}

/// A function of a model's own crate, which other models cannot share.
#[derive(Debug, Clone, Serialize)]
pub struct Own {
    /// The stage of the step.
    pub stage: Stage,
    /// The path of its type.
    pub function: &'static str,
    /// The line of its definition.
    pub place: Option<Place>,
    /// The number of calls.
    pub calls: u64,
    /// The time of all calls in seconds.
    pub seconds: f64,
}

/// The core functions of both steps, in the order of the step.
pub fn functions(steps: [&[Record]; 2]) -> Vec<Function> {
    let mut all: Vec<Function> = Vec::new();
    for (side, records) in steps.into_iter().enumerate() {
        let core: Vec<_> = staged(records).into_iter().filter(|(_, r)| is_core(r)).collect();
        let flops: u64 = core.iter().map(|(_, r)| r.flops).sum();
        let seconds: f64 = core.iter().map(|(_, r)| r.time.as_secs_f64()).sum();
        // A new function goes after all functions that this model ran before it in the stage.
        let mut after: Option<usize> = None;
        for (stage, record) in core {
            let path = source::plain(record.function);
            let at = all.iter().position(|f| f.stage == stage && f.function == path).unwrap_or_else(|| {
                let place = match after.filter(|&i| all[i].stage == stage) {
                    Some(i) => i + 1,
                    None => all.partition_point(|f| f.stage < stage),
                };
                all.insert(place, Function::new(stage, record));
                place
            });
            after = Some(at.max(after.filter(|&i| all[i].stage == stage).unwrap_or(0)));
            all[at].add(side, record);
        }
        for run in all.iter_mut().filter_map(|f| f.runs[side].as_mut()) {
            run.flops_share = share(run.flops as f64, flops as f64);
            run.seconds_share = share(run.seconds, seconds);
        }
    }
    all.iter_mut().for_each(|f| f.shared = f.runs.iter().all(Option::is_some));
    all
}

/// The functions of a model's own crate.
pub fn own(records: &[Record]) -> Vec<Own> {
    let mut all: Vec<Own> = Vec::new();
    for (stage, record) in staged(records).into_iter().filter(|(_, r)| !is_core(r)) {
        let function = source::plain(record.function);
        let at = all.iter().position(|o| o.stage == stage && o.function == function).unwrap_or_else(|| {
            let place = source::find(function, stage.part(record));
            all.push(Own { stage, function, place, calls: 0, seconds: 0.0 });
            all.len() - 1
        });
        all[at].calls += 1;
        all[at].seconds += record.time.as_secs_f64();
    }
    all
}

/// The calling line.
fn caller(record: &Record) -> Place {
    Place { file: record.caller.file().replace('\\', "/"), line: record.caller.line() as usize }
}

/// Whether the function is in the core.
fn is_core(record: &Record) -> bool {
    record.function.starts_with("m2g_core::")
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl Function {
    fn new(stage: Stage, record: &Record) -> Self {
        let function = source::plain(record.function);
        Self {
            stage,
            name: record.name,
            kind: Kind::of(record),
            function,
            equation: record.equations(),
            place: source::find(function, stage.part(record)),
            shared: false,
            runs: [None, None],
        }
    }

    /// Adds a call by the model with this index.
    fn add(&mut self, side: usize, record: &Record) {
        // Some calls may have no bias, or no gradient of data: the longest equation has them all.
        let equation = record.equations();
        if equation.len() > self.equation.len() {
            self.equation = equation;
        }
        self.runs[side].get_or_insert_default().add(record);
    }
}

impl Use {
    fn add(&mut self, record: &Record) {
        self.calls += 1;
        self.flops += record.flops;
        self.seconds += record.time.as_secs_f64();
        let owned = |shapes: Vec<&[usize]>| shapes.into_iter().map(<[usize]>::to_vec).collect::<Vec<_>>();
        let (inputs, outputs) = record.shapes();
        let (inputs, outputs) = (owned(inputs), owned(outputs));
        match self.shapes.iter_mut().find(|s| s.inputs == inputs && s.outputs == outputs) {
            Some(same) => same.calls += 1,
            None => self.shapes.push(Shapes { inputs, outputs, calls: 1 }),
        }
        let place = caller(record);
        match self.callers.iter_mut().find(|c| c.place == place) {
            Some(same) => same.calls += 1,
            None => self.callers.push(Caller { place, calls: 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::{Grads, Params, Tape, Tensor};

    use super::*;

    /// The records of a layer with an activation, forward and backward.
    fn step(activation: fn(&mut Tape<f32>, m2g_core::Var) -> m2g_core::Var) -> Vec<Record> {
        let mut params = Params::new();
        let w = params.add("w", Tensor::from_fn(&[3, 2], || 0.5_f32)).unwrap();
        let mut tape = Tape::new();
        tape.trace.switch(true);
        let x = tape.input(Tensor::from_fn(&[4, 2], || 1.0));
        let w = tape.param(&params, w);
        let z = tape.linear(x, w, None).unwrap();
        let a = activation(&mut tape, z);
        let loss = tape.mean(a).unwrap();
        tape.backward(loss, &mut Grads::new()).unwrap();
        tape.trace.take()
    }

    fn names(functions: &[Function]) -> Vec<(&'static str, &'static str, [bool; 2])> {
        let ran = |f: &Function| [f.runs[0].is_some(), f.runs[1].is_some()];
        functions.iter().map(|f| (f.stage.name(), f.name, ran(f))).collect()
    }

    #[test]
    fn functions_are_in_the_order_of_the_step() {
        let (tanh, relu) = (step(|tape, z| tape.tanh(z).unwrap()), step(|tape, z| tape.relu(z).unwrap()));
        let all = functions([&tanh, &relu]);
        let (both, left, right) = ([true; 2], [true, false], [false, true]);
        let want = [
            ("forward", "linear", both),
            ("forward", "relu", right),
            ("forward", "tanh", left),
            ("loss", "mean", both),
            ("backward", "Tape::backward", both),
            ("backward", "mean", both),
            ("backward", "relu", right),
            ("backward", "tanh", left),
            ("backward", "linear", both),
        ];
        assert_eq!(names(&all), want);
        assert!(all.iter().all(|f| f.shared == (f.runs[0].is_some() && f.runs[1].is_some())));
        // 2 * 4 * 3 * 2 operations forward, by hand.
        let linear = all[0].runs[0].as_ref().unwrap();
        assert_eq!((linear.calls, linear.flops), (1, 48));
        assert_eq!(
            linear.shapes,
            [Shapes { inputs: vec![vec![4, 2], vec![3, 2]], outputs: vec![vec![4, 3]], calls: 1 }]
        );
        assert_eq!(all[0].equation, "Y = X W^T", "no bias");
        // Backward, the other way round; the input is data, which has no gradient.
        let linear = all.last().unwrap();
        let backward = linear.runs[0].as_ref().unwrap();
        assert_eq!(
            backward.shapes,
            [Shapes { inputs: vec![vec![4, 3]], outputs: vec![vec![3, 2]], calls: 1 }]
        );
        assert_eq!(linear.equation, "dW = dY^T X");
        assert!(backward.callers[0].place.file.ends_with("compare/functions.rs"));
    }

    #[test]
    fn shares_sum_to_one() {
        let records = step(|tape, z| tape.sigmoid(z).unwrap());
        let all = functions([&records, &records]);
        for side in [0, 1] {
            let runs = || all.iter().filter_map(|f| f.runs[side].as_ref());
            assert!((runs().map(|r| r.flops_share).sum::<f64>() - 1.0).abs() < 1e-12);
            assert!((runs().map(|r| r.seconds_share).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!(functions([&[], &[]]).is_empty());
        let all = functions([&records, &[]]);
        assert!(all.len() == 7 && all.iter().all(|f| !f.shared));
    }
}
