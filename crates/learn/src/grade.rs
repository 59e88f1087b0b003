//! Grades a program: the first case that it gets wrong, and why.

use m2g_core::Error;
use m2g_exercises::{Input, Value};

use crate::compare::{Difference, What, difference, elements, is_close, is_same, part, shape};
use crate::exercise::{Case, Exercise};
use crate::failure::Failure;

/// Something that answers cases: the learner's program, or a function in a test.
pub trait Solver {
    /// The answer to a case.
    ///
    /// # Errors
    /// Why there is none.
    fn answer(&mut self, case: &Case) -> Result<Value, Failure>;
}

/// What came out.
#[derive(Debug)]
pub enum Verdict {
    /// Every case is right.
    Passed {
        /// The number of cases.
        cases: usize,
    },
    /// A case is wrong.
    Failed(Box<Finding>),
}

/// The first wrong case.
#[derive(Debug)]
pub struct Finding {
    /// Its number, from 0.
    pub case: usize,
    /// The name and value of each argument.
    pub inputs: Vec<(&'static str, Value)>,
    /// What is wrong.
    pub problem: Problem,
    /// The typical mistake that gives the same numbers.
    pub mistake: Option<&'static str>,
    /// What all wrong numbers have in common.
    pub relation: Option<Relation>,
    /// At the first wrong number of a gradient: the slope by finite differences.
    pub slope: Option<f64>,
}

/// What is wrong with a case.
#[derive(Debug)]
pub enum Problem {
    /// There is no answer.
    Failure(Failure),
    /// The answer differs.
    Difference(Difference),
}

/// How a wrong part is related to the right one.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// It is the transpose.
    Transposed,
    /// Every sign is wrong.
    Negated,
    /// Every number is this many times the right one.
    Multiple {
        /// The factor.
        factor: f64,
        /// The argument and the axis whose size is the factor or its inverse.
        size_of: Option<(&'static str, usize)>,
    },
}

/// The size of the step of finite differences.
const STEP: f64 = 1e-5;

/// Grades all cases of an exercise, up to the first that is wrong.
///
/// # Errors
/// If the core cannot compute a right answer.
pub fn grade(exercise: &Exercise, solver: &mut dyn Solver) -> Result<Verdict, Error> {
    let cases = exercise.all_cases();
    for (i, case) in cases.iter().enumerate() {
        let expected = exercise.expected(case)?;
        let (problem, answer) = match solver.answer(case) {
            Err(failure) => (Problem::Failure(failure), None),
            Ok(actual) => match difference(&expected, &actual) {
                None => continue,
                Some(difference) => (Problem::Difference(difference), Some(actual)),
            },
        };
        let last = cases.last().unwrap_or(case);
        let at_last = match &problem {
            _ if i + 1 == cases.len() => answer.clone(),
            Problem::Failure(failure) if !failure.is_panic() => None,
            _ => solver.answer(last).ok(),
        };
        let mistake = at_last.and_then(|answer| mistake(exercise, last, &answer));
        let (relation, slope) = match (&problem, &answer) {
            (Problem::Difference(found), Some(answer)) => {
                (relation(exercise, case, &expected, answer, found), slope(exercise, case, found)?)
            }
            _ => (None, None),
        };
        let inputs = exercise.inputs.iter().copied().zip(case.iter().cloned()).collect();
        return Ok(Verdict::Failed(Box::new(Finding { case: i, inputs, problem, mistake, relation, slope })));
    }
    Ok(Verdict::Passed { cases: cases.len() })
}

/// The typical mistake that gives this answer to the last case.
fn mistake(exercise: &Exercise, last: &Case, answer: &Value) -> Option<&'static str> {
    let same = exercise.mistakes.iter().find(|m| is_same(&(m.answer)(&mut Input::new(last.clone())), answer));
    same.map(|mistake| mistake.name)
}

/// What the wrong part has in common with the right one.
fn relation(
    exercise: &Exercise,
    case: &Case,
    expected: &Value,
    actual: &Value,
    found: &Difference,
) -> Option<Relation> {
    let (expected, actual) = (part(expected, &found.path)?, part(actual, &found.path)?);
    if let (Value::Matrix(expected), Value::Matrix(actual)) = (expected, actual)
        && actual.rows.checked_mul(actual.cols) == Some(actual.data.len())
        && is_same(&Value::Matrix(expected.clone()), &Value::Matrix(actual.transpose()))
    {
        return Some(Relation::Transposed);
    }
    if !matches!(found.what, What::Number { .. }) {
        return None;
    }
    let (expected, actual) = (elements(expected), elements(actual));
    let largest = (0..expected.len()).max_by(|&i, &j| expected[i].abs().total_cmp(&expected[j].abs()))?;
    let factor = actual[largest] / expected[largest];
    let all = expected.iter().zip(&actual).all(|(e, a)| is_close(*a, factor * e));
    // A single number is a multiple of any other, and one of many zeros says nothing.
    let telling = expected.iter().filter(|e| e.abs() > 1e-9).count() > 1;
    if !all || !factor.is_finite() || factor == 0.0 {
        return None;
    }
    if is_close(factor, -1.0) && expected[largest] != 0.0 {
        return Some(Relation::Negated);
    }
    let size_of = exercise.inputs.iter().zip(case).find_map(|(name, value)| {
        let axes = shape(value);
        let fits = |&size: &usize| {
            size > 1 && (is_close(factor, size as f64) || is_close(factor, 1.0 / size as f64))
        };
        axes.iter().position(fits).map(|axis| (*name, axis))
    });
    (telling || size_of.is_some()).then_some(Relation::Multiple { factor, size_of })
}

/// The slope of the cost at the first wrong number, by central differences.
fn slope(exercise: &Exercise, case: &Case, found: &Difference) -> Result<Option<f64>, Error> {
    let (Some(gradient), What::Number { index, .. }) = (exercise.gradient, &found.what) else {
        return Ok(None);
    };
    let expected = exercise.expected(case)?;
    let cols = part(&expected, &found.path).and_then(|part| shape(part).last().copied()).unwrap_or(1);
    let at = index.iter().fold(0, |at, i| at * cols + i);
    let [above, below] = [STEP, -STEP].map(|step| gradient(case, &found.path, at, step));
    Ok(Some((above? - below?) / (2.0 * STEP)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_exercises::Matrix;

    use super::*;
    use crate::exercises::named;

    /// The right answer, changed.
    struct Changed(&'static Exercise, fn(Matrix) -> Matrix);

    impl Solver for Changed {
        fn answer(&mut self, case: &Case) -> Result<Value, Failure> {
            match self.0.expected(case).unwrap() {
                Value::Matrix(m) => Ok(self.1(m).into()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn finding(name: &str, change: fn(Matrix) -> Matrix) -> Finding {
        let exercise = named(name).unwrap();
        match grade(exercise, &mut Changed(exercise, change)).unwrap() {
            Verdict::Failed(finding) => *finding,
            Verdict::Passed { .. } => panic!("{name} passes"),
        }
    }

    #[test]
    fn what_all_wrong_numbers_have_in_common_is_found() {
        let relation = |name, change| finding(name, change).relation;
        assert_eq!(relation("batch", |m| m.transpose()), Some(Relation::Transposed));
        assert_eq!(relation("bp2", |m| m.scale(-1.0)), Some(Relation::Negated));
        let size_of = Some(("delta", 0));
        assert_eq!(relation("bp4", |m| m.scale(4.0)), Some(Relation::Multiple { factor: 4.0, size_of }));
        let other = relation("bp4", |m| m.scale(0.7));
        assert!(matches!(other, Some(Relation::Multiple { size_of: None, .. })), "{other:?}");
        assert_eq!(relation("bp4", |m| m.map(|x| x + 1.0)), None);
    }

    #[test]
    fn the_slope_is_that_of_the_right_gradient() {
        for name in ["bp1", "bp2", "bp4", "cross_entropy_gradient"] {
            let found = finding(name, |m| m.scale(3.0));
            let Problem::Difference(Difference { what: What::Number { expected, .. }, .. }) = found.problem
            else {
                panic!("{name}: {found:?}")
            };
            assert!((found.slope.unwrap() - expected).abs() < 1e-6, "{name}: {:?} {expected}", found.slope);
        }
    }
}
