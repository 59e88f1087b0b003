//! Compares an answer with the right one: shapes first, then number by number.

use m2g_exercises::Value;

/// Two numbers are equal if they differ by less than this, times the larger of 1 and their size.
const TOLERANCE: f64 = 1e-7;

/// The first difference between two values.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where it is in lists of values: the second matrix of the first list is `[0, 1]`.
    pub path: Vec<usize>,
    /// What differs.
    pub what: What,
}

/// What differs.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The values are of another type.
    Type,
    /// A matrix that claims more or fewer elements than it has.
    Broken {
        /// The shape that it claims.
        shape: [usize; 2],
        /// The elements that it has.
        elements: usize,
    },
    /// The shape.
    Shape {
        /// The right one.
        expected: Vec<usize>,
        /// The learner's.
        actual: Vec<usize>,
    },
    /// A number.
    Number {
        /// The index in the matrix.
        index: Vec<usize>,
        /// The right number.
        expected: f64,
        /// The learner's.
        actual: f64,
        /// How many numbers are wrong.
        wrong: usize,
        /// How many there are.
        total: usize,
    },
    /// A character of a text, or the end of one text.
    Text {
        /// The right text.
        expected: String,
        /// The learner's.
        actual: String,
    },
}

/// The first difference, if any. The shapes of all parts are compared before any number.
pub fn difference(expected: &Value, actual: &Value) -> Option<Difference> {
    let mut leaves = Vec::new();
    let shapes = collect(expected, actual, &mut Vec::new(), &mut leaves);
    shapes.err().or_else(|| leaves.into_iter().find_map(|leaf| numbers(&leaf)))
}

/// Whether two values are equal, up to rounding.
pub fn is_same(a: &Value, b: &Value) -> bool {
    difference(a, b).is_none()
}

/// The part of a value at a path.
pub fn part<'a>(value: &'a Value, path: &[usize]) -> Option<&'a Value> {
    match (value, path) {
        (value, []) => Some(value),
        (Value::List(list), [first, rest @ ..]) => part(list.get(*first)?, rest),
        _ => None,
    }
}

/// The shape of a value: of a number none, of a list its length.
pub fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Number(_) | Value::Count(_) => vec![],
        Value::Numbers(xs) => vec![xs.len()],
        Value::Matrix(m) => vec![m.rows, m.cols],
        Value::Ids(ids) => vec![ids.len()],
        Value::Text(text) => vec![text.chars().count()],
        Value::List(list) => vec![list.len()],
    }
}

/// Two values without parts of the same type and shape.
struct Leaf<'a> {
    path: Vec<usize>,
    expected: &'a Value,
    actual: &'a Value,
}

fn collect<'a>(
    expected: &'a Value,
    actual: &'a Value,
    path: &mut Vec<usize>,
    leaves: &mut Vec<Leaf<'a>>,
) -> Result<(), Difference> {
    let differ = |what: What| Err(Difference { path: path.clone(), what });
    if std::mem::discriminant(expected) != std::mem::discriminant(actual) {
        return differ(What::Type);
    }
    if let Value::Matrix(m) = actual
        && m.rows.checked_mul(m.cols) != Some(m.data.len())
    {
        return differ(What::Broken { shape: [m.rows, m.cols], elements: m.data.len() });
    }
    let is_text = matches!(expected, Value::Text(_));
    if shape(expected) != shape(actual) && !is_text {
        return differ(What::Shape { expected: shape(expected), actual: shape(actual) });
    }
    match (expected, actual) {
        (Value::List(expected), Value::List(actual)) => {
            for (i, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                path.push(i);
                collect(expected, actual, path, leaves)?;
                path.pop();
            }
        }
        _ => leaves.push(Leaf { path: path.clone(), expected, actual }),
    }
    Ok(())
}

/// The numbers of a value without parts.
pub fn elements(value: &Value) -> Vec<f64> {
    match value {
        Value::Number(x) => vec![*x],
        Value::Count(n) => vec![*n as f64],
        Value::Numbers(xs) => xs.clone(),
        Value::Matrix(m) => m.data.clone(),
        Value::Ids(ids) => ids.iter().map(|&id| id as f64).collect(),
        Value::Text(_) | Value::List(_) => vec![],
    }
}

/// Whether two numbers are equal, up to rounding.
pub fn is_close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < TOLERANCE * b.abs().max(1.0)
}

fn numbers(leaf: &Leaf) -> Option<Difference> {
    let differ = |what: What| Some(Difference { path: leaf.path.clone(), what });
    if let (Value::Text(expected), Value::Text(actual)) = (leaf.expected, leaf.actual) {
        let (expected, actual) = (expected.clone(), actual.clone());
        return if expected == actual { None } else { differ(What::Text { expected, actual }) };
    }
    let (expected, actual) = (elements(leaf.expected), elements(leaf.actual));
    let wrong: Vec<usize> = (0..expected.len()).filter(|&i| !is_close(actual[i], expected[i])).collect();
    let &first = wrong.first()?;
    let index = match leaf.expected {
        Value::Matrix(m) => vec![first / m.cols, first % m.cols],
        Value::Number(_) | Value::Count(_) => vec![],
        _ => vec![first],
    };
    let (expected, actual, total) = (expected[first], actual[first], expected.len());
    differ(What::Number { index, expected, actual, wrong: wrong.len(), total })
}

#[cfg(test)]
mod tests {
    use m2g_exercises::Matrix;

    use super::*;

    fn matrix(rows: usize, cols: usize, data: &[f64]) -> Value {
        Value::Matrix(Matrix::new(rows, cols, data.to_vec()))
    }

    #[test]
    fn shapes_come_before_numbers() {
        let right = Value::List(vec![matrix(1, 2, &[1.0, 2.0]), matrix(2, 1, &[1.0, 2.0])]);
        let wrong = Value::List(vec![matrix(1, 2, &[1.0, 3.0]), matrix(1, 2, &[1.0, 2.0])]);
        let what = What::Shape { expected: vec![2, 1], actual: vec![1, 2] };
        assert_eq!(difference(&right, &wrong), Some(Difference { path: vec![1], what }));
        assert_eq!(difference(&right, &right), None);
    }

    #[test]
    fn the_first_wrong_number_has_its_index() {
        let what = What::Number { index: vec![1, 0], expected: 3.0, actual: 5.0, wrong: 2, total: 4 };
        let found = difference(&matrix(2, 2, &[1.0, 2.0, 3.0, 4.0]), &matrix(2, 2, &[1.0, 2.0, 5.0, 5.0]));
        assert_eq!(found, Some(Difference { path: vec![], what }));
        let nan = difference(&Value::Number(1.0), &Value::Number(f64::NAN));
        assert!(matches!(nan, Some(Difference { what: What::Number { .. }, .. })), "{nan:?}");
        assert!(is_same(&Value::Number(f64::NEG_INFINITY), &Value::Number(f64::NEG_INFINITY)));
    }

    #[test]
    fn a_matrix_that_lies_about_its_shape_is_found() {
        let broken = Value::Matrix(Matrix { rows: usize::MAX, cols: 2, data: vec![1.0] });
        let found = difference(&matrix(1, 1, &[1.0]), &broken);
        assert!(
            matches!(found, Some(Difference { what: What::Broken { elements: 1, .. }, .. })),
            "{found:?}"
        );
        assert_eq!(difference(&Value::Number(1.0), &Value::Count(1)).map(|d| d.what), Some(What::Type));
    }
}
