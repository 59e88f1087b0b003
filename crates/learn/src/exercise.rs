//! What an exercise is: the cases it is graded on, the right answer by the core, typical mistakes.

use m2g_core::Error;
use m2g_core::rng::{ChaCha8Rng, Streams, below, normal};
use m2g_exercises::{Input, Matrix, Value};

/// The arguments of one call of the learner's function.
pub type Case = Vec<Value>;

/// An exercise. Its texts are in [`crate::texts`].
pub struct Exercise {
    /// The name by which one asks for it.
    pub name: &'static str,
    /// Its files.
    pub sources: Sources,
    /// The names of the arguments.
    pub inputs: &'static [&'static str],
    /// The names of the parts of the answer; one name if it has no parts.
    pub outputs: &'static [&'static str],
    /// The cases. The last one has equal sizes, so that a mistake in the shapes shows in its numbers.
    pub cases: fn(&mut Random) -> Vec<Case>,
    /// The right answer, by the core.
    pub reference: fn(&mut Input) -> Result<Value, Error>,
    /// If the answer is a gradient: the cost that it belongs to.
    pub gradient: Option<Gradient>,
    /// Lists of integers, inputs or outputs, in which several belong together: how many.
    pub groups: &'static [(&'static str, usize)],
    /// Mistakes that learners make, the most likely first.
    pub mistakes: &'static [Mistake],
}

/// The files of an exercise, as they are in the binary.
pub struct Sources {
    /// The name of the file in `src/bin`, without its extension: the name of the program.
    pub program: &'static str,
    /// The exercise, in English.
    pub task: &'static str,
    /// The code of the same file with the gap filled.
    pub solution: &'static str,
}

/// The files `notebooks-notes/exercises/src/bin/NAME.rs` and `.../solutions/NAME.rs`.
macro_rules! sources {
    ($name:literal) => {
        $crate::exercise::Sources {
            program: $name,
            task: include_str!(concat!("../../../../notebooks-notes/exercises/src/bin/", $name, ".rs")),
            solution: include_str!(concat!("../../../../notebooks-notes/exercises/solutions/", $name, ".rs")),
        }
    };
}
pub(crate) use sources;

/// The cost after element `index` of part `path` of the gradient's variable has grown by `step`; NaN for a part that
/// is no gradient.
pub type Gradient = fn(case: &Case, path: &[usize], index: usize, step: f64) -> Result<f64, Error>;

/// A typical mistake.
pub struct Mistake {
    /// Its name, under which the texts have its hint.
    pub name: &'static str,
    /// What a program with this mistake answers to a case: [`STOPS`] if the shapes do not fit there.
    pub answer: fn(&mut Input) -> Value,
}

/// In place of an answer: a program with the mistake panics.
pub const STOPS: Value = Value::List(Vec::new());

impl Exercise {
    /// The cases, the same each time.
    pub fn all_cases(&self) -> Vec<Case> {
        (self.cases)(&mut Random(Streams::new(1).stream(self.name, 0)))
    }

    /// An input or output as it is shown: integers that belong together are lists of their own.
    pub fn shown(&self, name: &str, value: Value) -> Value {
        match (value, self.groups.iter().find(|(grouped, _)| *grouped == name)) {
            (Value::Ids(ids), Some((_, size))) if ids.len() % size == 0 => {
                Value::List(ids.chunks(*size).map(|group| group.to_vec().into()).collect())
            }
            (value, _) => value,
        }
    }

    /// An answer as it is shown, part by part.
    pub fn shown_answer(&self, answer: Value) -> Value {
        match answer {
            Value::List(parts) if self.outputs.len() > 1 && parts.len() == self.outputs.len() => Value::List(
                self.outputs.iter().zip(parts).map(|(name, part)| self.shown(name, part)).collect(),
            ),
            answer => answer,
        }
    }

    /// The right answer to a case.
    ///
    /// # Errors
    /// If the core refuses the case.
    pub fn expected(&self, case: &Case) -> Result<Value, Error> {
        (self.reference)(&mut Input::new(case.clone()))
    }
}

/// Random arguments.
pub struct Random(ChaCha8Rng);

impl Random {
    /// Normally distributed numbers.
    pub fn numbers(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| normal(&mut self.0)).collect()
    }

    /// A matrix of normally distributed numbers.
    pub fn matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        Matrix::new(rows, cols, self.numbers(rows * cols))
    }

    /// A matrix with a single 1 in each row: the desired outputs of a classifier.
    pub fn one_hot(&mut self, rows: usize, cols: usize) -> Matrix {
        let classes = self.ids(rows, cols);
        Matrix::from_fn(rows, cols, |i, j| if classes[i] == j { 1.0 } else { 0.0 })
    }

    /// Random integers from 0 to below `limit`.
    pub fn ids(&mut self, n: usize, limit: usize) -> Vec<usize> {
        (0..n).map(|_| below(&mut self.0, limit.max(1) as u32) as usize).collect()
    }
}
