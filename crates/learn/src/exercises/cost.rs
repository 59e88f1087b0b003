//! The quadratic cost: `C = 1/(2B) sum (a - y)^2`.

use m2g_exercises::Input;

use crate::core_values::run_on;
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "cost",
    sources: sources!("05_cost"),
    inputs: &["a", "y"],
    outputs: &["C"],
    cases: |random| {
        let sizes = [(1, 3), (4, 2), (3, 3)];
        sizes.map(|(b, n)| vec![random.matrix(b, n).into(), random.one_hot(b, n).into()]).into()
    },
    reference: |input| {
        let (a, y) = (input.matrix(), input.matrix());
        Ok(run_on(&[&a, &y], |tape, v| tape.quadratic_cost(v[0], v[1]))?.data[0].into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_half",
            answer: |input| {
                let (sum, b, _) = squares(input);
                (sum / b).into()
            },
        },
        Mistake { name: "no_mean", answer: |input| (squares(input).0 / 2.0).into() },
        Mistake {
            name: "mean_over_all",
            answer: |input| {
                let (sum, b, n) = squares(input);
                (sum / (2.0 * b * n)).into()
            },
        },
        Mistake { name: "sum_alone", answer: |input| squares(input).0.into() },
        Mistake {
            name: "mean_over_outputs",
            answer: |input| {
                let (sum, _, n) = squares(input);
                (sum / (2.0 * n)).into()
            },
        },
        Mistake {
            name: "not_squared",
            answer: |input| {
                let (a, y) = (input.matrix(), input.matrix());
                ((&a - &y).data.iter().sum::<f64>() / (2.0 * a.rows as f64)).into()
            },
        },
    ],
};

/// The sum of the squared differences, B and N.
fn squares(input: &mut Input) -> (f64, f64, f64) {
    let (a, y) = (input.matrix(), input.matrix());
    let sum = (&a - &y).data.iter().map(|d| d * d).sum();
    (sum, a.rows as f64, a.cols as f64)
}
