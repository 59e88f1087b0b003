//! Embedding: a row for the token plus a row for its position.

use m2g_exercises::{Input, Matrix, Value};

use super::cross_entropy::tokens;
use crate::core_values::{matrix, run, tensor};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "embedding",
    sources: sources!("19_embedding"),
    inputs: &["tokens", "wte", "wpe"],
    outputs: &["x"],
    cases: |random| {
        let case = |(t, v, c, positions)| {
            vec![random.ids(t, v).into(), random.matrix(v, c).into(), random.matrix(positions, c).into()]
        };
        let mut cases: Vec<_> = [(2, 5, 3, 4), (4, 3, 2, 4), (3, 3, 3, 3)].map(case).into();
        // A token at another place than its own number.
        cases[2][0] = vec![2, 0, 2].into();
        cases
    },
    reference: |input| {
        let (ids, wte, wpe) = (input.ids(), input.matrix(), input.matrix());
        let positions: Vec<usize> = (0..ids.len()).collect();
        let (ids, positions) = (tokens(&ids)?, tokens(&positions)?);
        let x = run(&[tensor(&wte)?, tensor(&wpe)?], |tape, v| {
            let token = tape.embedding(v[0], &ids)?;
            let position = tape.embedding(v[1], &positions)?;
            tape.add(token, position)
        })?;
        Ok(matrix(&x).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake { name: "no_positions", answer: |input| embed(input, |id, _| id, None) },
        Mistake { name: "position_of_token", answer: |input| embed(input, |id, _| id, Some(|id, _| id)) },
        Mistake { name: "token_of_position", answer: |input| embed(input, |_, t| t, Some(|_, t| t)) },
    ],
};

/// Looks rows up by the token and its place; without `position`, adds none.
fn embed(
    input: &mut Input,
    token: impl Fn(usize, usize) -> usize,
    position: Option<fn(usize, usize) -> usize>,
) -> Value {
    let (ids, wte, wpe) = (input.ids(), input.matrix(), input.matrix());
    let fits = |t: usize| {
        token(ids[t], t) < wte.rows && position.is_none_or(|position| position(ids[t], t) < wpe.rows)
    };
    if !(0..ids.len()).all(fits) {
        return STOPS;
    }
    let x = Matrix::from_fn(ids.len(), wte.cols, |t, c| {
        wte[(token(ids[t], t), c)] + position.map_or(0.0, |position| wpe[(position(ids[t], t), c)])
    });
    x.into()
}
