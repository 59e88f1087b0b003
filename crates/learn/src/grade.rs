//! Grades a program: the first case that it gets wrong, and why.

use m2g_core::Error;
use m2g_exercises::Value;

use crate::compare::{Difference, What, difference, part, shape};
use crate::evidence::{Relation, Tried};
use crate::exercise::{Case, Exercise};
use crate::failure::Failure;

/// Something that answers cases: the learner's program, or a function in a test.
pub trait Solver {
    /// The answer to a case.
    ///
    /// # Errors
    /// Why there is none.
    fn answer(&mut self, case: &Case) -> Result<Value, Failure>;

    /// What it printed while it answered the last case.
    fn printed(&self) -> String {
        String::new()
    }
}

/// What came out.
#[derive(Debug)]
pub enum Verdict {
    /// Every case is right.
    Passed {
        /// The number of cases.
        cases: usize,
        /// What the program printed, in all cases.
        printed: String,
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
    /// What the program printed in this case.
    pub printed: String,
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

/// The size of the step of finite differences.
const STEP: f64 = 1e-5;

/// Grades all cases of an exercise, up to the first that is wrong.
///
/// # Errors
/// If the core cannot compute a right answer.
pub fn grade(exercise: &Exercise, solver: &mut dyn Solver) -> Result<Verdict, Error> {
    let cases = exercise.all_cases();
    let mut all_printed = String::new();
    for (i, case) in cases.iter().enumerate() {
        let expected = exercise.expected(case)?;
        let shown = exercise.shown_answer(expected.clone());
        let answer = solver.answer(case);
        // Before the last case is tried: what that prints belongs to no case that is shown.
        let printed = solver.printed();
        let (problem, answer) = match answer {
            Err(failure) => (Problem::Failure(failure), None),
            Ok(actual) => match difference(&shown, &exercise.shown_answer(actual.clone())) {
                None => {
                    all_printed += &printed;
                    continue;
                }
                Some(difference) => (Problem::Difference(difference), Some(actual)),
            },
        };
        let last = cases.last().unwrap_or(case);
        let at_last = match &problem {
            _ if i + 1 == cases.len() => answer.clone(),
            Problem::Failure(failure) if !failure.is_panic() => None,
            _ => solver.answer(last).ok(),
        };
        let tried = Tried { exercise, before: &cases[..i], case, answer: answer.as_ref(), last, at_last };
        let mistake = tried.mistake()?;
        let (relation, slope) = match &problem {
            Problem::Difference(found) => (tried.relation(found)?, slope(exercise, case, found)?),
            Problem::Failure(_) => (None, None),
        };
        let input = |(name, value): (&&'static str, &Value)| (*name, exercise.shown(name, value.clone()));
        let inputs = exercise.inputs.iter().zip(case).map(input).collect();
        let finding = Finding { case: i, inputs, problem, printed, mistake, relation, slope };
        return Ok(Verdict::Failed(Box::new(finding)));
    }
    Ok(Verdict::Passed { cases: cases.len(), printed: all_printed })
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
    let slope = (above? - below?) / (2.0 * STEP);
    Ok(slope.is_finite().then_some(slope))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_exercises::given::attention_weights;
    use m2g_exercises::{Input, Matrix};

    use super::*;
    use crate::compare::is_same;
    use crate::exercises::named;

    /// A program whose matrices are the right ones, changed.
    pub(crate) struct Changed(pub(crate) &'static Exercise, pub(crate) fn(Matrix) -> Matrix);

    impl Solver for Changed {
        fn answer(&mut self, case: &Case) -> Result<Value, Failure> {
            match self.0.expected(case).unwrap() {
                Value::Matrix(m) => Ok(self.1(m).into()),
                other => Ok(other),
            }
        }
    }

    /// Answers by a function.
    struct By(&'static Exercise, fn(&Exercise, &Case) -> Value);

    impl Solver for By {
        fn answer(&mut self, case: &Case) -> Result<Value, Failure> {
            Ok(self.1(self.0, case))
        }
    }

    fn failed(name: &str, answer: fn(&Exercise, &Case) -> Value) -> Finding {
        let exercise = named(name).unwrap();
        match grade(exercise, &mut By(exercise, answer)).unwrap() {
            Verdict::Failed(finding) => *finding,
            Verdict::Passed { .. } => panic!("{name} passes"),
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
        let other = relation("bp4", |m| m.scale(0.7));
        assert!(matches!(other, Some(Relation::Multiple { size_of: None, .. })), "{other:?}");
        assert_eq!(relation("bp4", |m| m.map(|x| x + 1.0)), None);
    }

    #[test]
    fn a_factor_of_the_first_case_alone_is_a_coincidence() {
        // With two tokens, each row of ds is a multiple of (1, -1), so that any wrong dp scales dq.
        let transposed = failed("head_backward", |_, case| {
            let input = &mut Input::new(case.clone());
            let (q, k, v, dy) = (input.matrix(), input.matrix(), input.matrix(), input.matrix());
            let p = attention_weights(&q, &k);
            let product = v.matmul(&dy.transpose()).times(&p);
            let sum = |i: usize| product.row(i).iter().sum::<f64>();
            let ds = Matrix::from_fn(p.rows, p.cols, |i, j| product[(i, j)] - p[(i, j)] * sum(i));
            let scale = (q.cols as f64).powf(-0.5);
            let dq = ds.matmul(&k).scale(scale);
            (dq, ds.transpose().matmul(&q).scale(scale), p.transpose().matmul(&dy)).into()
        });
        assert_eq!((transposed.case, transposed.relation), (0, None));
    }

    #[test]
    fn a_factor_is_a_size_only_if_it_is_in_every_case() {
        // The first case has 4 examples, so that the same factor everywhere is a size by coincidence.
        let four = finding("bp4", |m| m.scale(4.0)).relation;
        assert_eq!(four, Some(Relation::Multiple { factor: 4.0, size_of: None }));
        let examples = failed("bp4", |exercise, case| match exercise.expected(case).unwrap() {
            Value::Matrix(m) => m.scale(shape(&case[0])[0] as f64).into(),
            other => panic!("{other:?}"),
        });
        let size_of = Some(("delta", 0));
        assert_eq!(examples.relation, Some(Relation::Multiple { factor: 4.0, size_of }));
    }

    #[test]
    fn a_mistake_gives_the_same_answers_to_all_cases() {
        fn by_mistake(exercise: &Exercise, case: &Case, name: &str) -> Value {
            let mistake = exercise.mistakes.iter().find(|mistake| mistake.name == name).unwrap();
            (mistake.answer)(&mut Input::new(case.clone()))
        }
        // Right in the last case only: a penalty of e^(1 - h/r), at most 1, is no missing penalty.
        let capped = failed("bleu", |exercise, case| match by_mistake(exercise, case, "no_brevity") {
            Value::Number(score) => {
                let [h, r] = [0, 1].map(|i| shape(&case[i])[0] as f64);
                (score * (1.0 - h / r).exp().min(1.0)).into()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!((capped.case, capped.mistake), (1, None));
        let missing = failed("bleu", |exercise, case| by_mistake(exercise, case, "no_brevity"));
        assert_eq!(missing.mistake, Some("no_brevity"));
        assert_eq!(failed("cross_entropy", |_, _| f64::NAN.into()).mistake, None);
        let one_less = failed("cross_attention", |exercise, case| {
            let mut case = case.clone();
            if let (Value::Matrix(k), Value::Count(n)) = (case[1].clone(), &mut case[3]) {
                *n = (*n + 1).min(k.rows);
            }
            exercise.expected(&case).unwrap()
        });
        assert_eq!(one_less.mistake, None);
        let twice = failed("bp1", |exercise, case| match exercise.expected(case).unwrap() {
            Value::Matrix(m) => m.scale(2.0).into(),
            other => panic!("{other:?}"),
        });
        assert_eq!(twice.relation, Some(Relation::Multiple { factor: 2.0, size_of: None }));
    }

    #[test]
    fn every_mistake_answers_every_case_and_one_of_them_wrongly() {
        for exercise in crate::exercises::ALL {
            let cases = exercise.all_cases();
            for mistake in exercise.mistakes {
                let wrong = cases.iter().filter(|case| {
                    let answer = (mistake.answer)(&mut Input::new((*case).clone()));
                    !is_same(&exercise.expected(case).unwrap(), &answer)
                });
                assert!(wrong.count() > 0, "{} {}", exercise.name, mistake.name);
            }
        }
    }

    #[test]
    fn only_what_the_shown_case_printed_is_kept() {
        struct Printing(usize);
        impl Solver for Printing {
            fn answer(&mut self, _: &Case) -> Result<Value, Failure> {
                self.0 += 1;
                Err(Failure::Panic { place: "here".into(), message: "no".into() })
            }
            fn printed(&self) -> String {
                format!("case {}", self.0)
            }
        }
        let mut solver = Printing(0);
        let Verdict::Failed(found) = grade(named("bp4").unwrap(), &mut solver).unwrap() else {
            panic!("passes")
        };
        assert_eq!((solver.0, &*found.printed), (2, "case 1"));
    }

    #[test]
    fn integers_that_belong_together_are_shown_together() {
        let found = failed("merges", |exercise, case| match exercise.expected(case).unwrap() {
            Value::List(mut parts) => {
                if let Value::Ids(pairs) = &mut parts[0] {
                    pairs.last_mut().into_iter().for_each(|token| *token += 1);
                }
                Value::List(parts)
            }
            other => panic!("{other:?}"),
        });
        let Problem::Difference(Difference { path, what: What::Number { index, .. } }) = found.problem else {
            panic!("{:?}", found.problem)
        };
        assert_eq!((path, index), (vec![0, 0], vec![1]));
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
    /// The exercise asks for the sigmoid and its slope: only the second can be checked by differences.
    #[test]
    fn what_is_no_gradient_has_no_slope() {
        let exercise = named("sigmoid").unwrap();
        let case = &exercise.all_cases()[0];
        let slope_of = |part: usize| {
            let (expected, actual) = (0.0, 1.0);
            let what = What::Number { index: vec![0, 0], expected, actual, wrong: 1, total: 1 };
            slope(exercise, case, &Difference { path: vec![part], what }).unwrap()
        };
        assert_eq!(slope_of(0), None);
        let Value::List(parts) = exercise.expected(case).unwrap() else { panic!("two matrices") };
        let Value::Matrix(prime) = &parts[1] else { panic!("a matrix") };
        assert!((slope_of(1).unwrap() - prime.data[0]).abs() < 1e-6);
    }
}
