//! What the wrong answers of a program have in common: a typical mistake, or a relation to the right ones.

use m2g_core::Error;
use m2g_exercises::{Input, Value};

use crate::compare::{Difference, What, elements, is_close, is_same, part, shape};
use crate::exercise::{Case, Exercise};

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

/// What the program answered: what one case shows by coincidence, another one refutes.
pub struct Tried<'a> {
    /// The exercise.
    pub exercise: &'a Exercise,
    /// The cases that it got right.
    pub before: &'a [Case],
    /// The first case that it got wrong.
    pub case: &'a Case,
    /// Its answer, if there is one.
    pub answer: Option<&'a Value>,
    /// The last case.
    pub last: &'a Case,
    /// The answer to it, if it was tried.
    pub at_last: Option<Value>,
}

impl Tried<'_> {
    /// The typical mistake that gives the same answers to all these cases.
    ///
    /// # Errors
    /// If the core cannot compute a right answer.
    pub fn mistake(&self) -> Result<Option<&'static str>, Error> {
        let Some(at_last) = &self.at_last else { return Ok(None) };
        let tried = [Some((self.last, at_last)), self.answer.map(|answer| (self.case, answer))];
        let tried: Vec<(&Case, &Value)> = tried.into_iter().flatten().collect();
        // Everything that is not a number looks the same.
        if tried.iter().all(|(_, answer)| says_nothing(answer)) {
            return Ok(None);
        }
        let right = self.before.iter().map(|case| self.exercise.expected(case));
        let right = right.collect::<Result<Vec<Value>, Error>>()?;
        let all = self.before.iter().zip(&right).chain(tried);
        let all: Vec<(&Case, &Value)> = all.collect();
        let same = self.exercise.mistakes.iter().find(|mistake| {
            let answer = |case: &Case| (mistake.answer)(&mut Input::new(case.clone()));
            all.iter().all(|(case, answered)| is_same(&answer(case), answered))
        });
        Ok(same.map(|mistake| mistake.name))
    }

    /// What the wrong part has in common with the right one.
    ///
    /// # Errors
    /// If the core cannot compute a right answer.
    pub fn relation(&self, found: &Difference) -> Result<Option<Relation>, Error> {
        let Some(answer) = self.answer else { return Ok(None) };
        let expected = self.exercise.expected(self.case)?;
        let (Some(expected), Some(actual)) = (part(&expected, &found.path), part(answer, &found.path)) else {
            return Ok(None);
        };
        if let (Value::Matrix(expected), Value::Matrix(actual)) = (expected, actual)
            && actual.rows.checked_mul(actual.cols) == Some(actual.data.len())
            && is_same(&Value::Matrix(expected.clone()), &Value::Matrix(actual.transpose()))
        {
            return Ok(Some(Relation::Transposed));
        }
        if !matches!(found.what, What::Number { .. }) {
            return Ok(None);
        }
        let Some(factor) = factor(expected, actual) else { return Ok(None) };
        // A factor by coincidence is none in the last case.
        let Some(at_last) = self.factor_at_last(found)? else { return Ok(None) };
        let expected = elements(expected);
        if is_close(factor, -1.0) && expected.iter().any(|e| *e != 0.0) {
            return Ok(Some(Relation::Negated));
        }
        let size_of = self.size(factor, at_last);
        // A single number is a multiple of any other, and one of many zeros says nothing.
        let telling = expected.iter().filter(|e| e.abs() > 1e-9).count() > 1;
        Ok((telling || size_of.is_some()).then_some(Relation::Multiple { factor, size_of }))
    }

    /// How many times the right one the same part of the answer to the last case is.
    fn factor_at_last(&self, found: &Difference) -> Result<Option<f64>, Error> {
        let expected = self.exercise.expected(self.last)?;
        let actual = self.at_last.as_ref().and_then(|answer| part(answer, &found.path));
        let both = part(&expected, &found.path).zip(actual);
        Ok(both.and_then(|(expected, actual)| factor(expected, actual)))
    }

    /// The argument and the axis whose size, or its inverse, is the factor in every case.
    fn size(&self, here: f64, at_last: f64) -> Option<(&'static str, usize)> {
        let right = self.before.iter().map(|case| (case, 1.0));
        let factors: Vec<(&Case, f64)> = right.chain([(self.case, here), (self.last, at_last)]).collect();
        let size = |case: &Case, input: usize, axis: usize| case.get(input).map(|v| shape(v)[axis] as f64);
        let is_size = |input: usize, axis: usize, power: i32| {
            let fits = |size: f64, factor: f64| is_close(factor, size.powi(power));
            size(self.case, input, axis).is_some_and(|size| size > 1.0)
                && factors.iter().all(|(case, f)| size(case, input, axis).is_some_and(|s| fits(s, *f)))
        };
        let axes =
            self.case.iter().enumerate().flat_map(|(i, v)| (0..shape(v).len()).map(move |axis| (i, axis)));
        let fits = |&(input, axis): &(usize, usize)| is_size(input, axis, 1) || is_size(input, axis, -1);
        let (input, axis) = { axes }.find(fits)?;
        Some((*self.exercise.inputs.get(input)?, axis))
    }
}

/// Whether an answer has numbers, and none of them is one.
fn says_nothing(answer: &Value) -> bool {
    let mut leaves = Vec::new();
    numbers_in(answer, &mut leaves);
    !leaves.is_empty() && leaves.iter().all(|x| x.is_nan())
}

fn numbers_in(value: &Value, all: &mut Vec<f64>) {
    match value {
        Value::List(list) => list.iter().for_each(|value| numbers_in(value, all)),
        value => all.extend(elements(value)),
    }
}

/// How many times the right numbers the others are, if it is the same for all.
fn factor(expected: &Value, actual: &Value) -> Option<f64> {
    let (expected, actual) = (elements(expected), elements(actual));
    let largest = (0..expected.len()).max_by(|&i, &j| expected[i].abs().total_cmp(&expected[j].abs()))?;
    let factor = actual.get(largest)? / expected[largest];
    let all = expected.iter().zip(&actual).all(|(e, a)| is_close(*a, factor * e));
    (all && expected.len() == actual.len() && factor.is_finite() && factor != 0.0).then_some(factor)
}
