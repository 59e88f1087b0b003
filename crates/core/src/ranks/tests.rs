//! Tests of ranks that are threads.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{Ranks, in_threads};
use crate::{Error, Tensor};

/// Runs `f` on each of `size` ranks.
fn on_each<R: Send>(size: usize, f: impl Fn(Ranks<f32>) -> R + Sync) -> Vec<R> {
    in_threads(size, f).unwrap()
}

#[test]
fn all_get_all_results_in_order() {
    for size in 1..4 {
        for result in on_each(size, |mut ranks| {
            let squares = ranks.map(7, |i| Ok([(i * i) as f64, -0.5])).unwrap();
            let texts = ranks.map_texts(5, |indices| Ok(indices.iter().map(|i| i.to_string()).collect()));
            (squares, texts.unwrap().concat())
        }) {
            assert_eq!(
                result.0.iter().map(|[square, _]| *square).collect::<Vec<_>>(),
                [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0]
            );
            assert_eq!(result.1, "01234");
        }
    }
}

#[test]
fn all_end_together() {
    let errors = on_each(3, |mut ranks| {
        let rank = ranks.rank();
        let failed = |i: usize| match i {
            4 => Err(Error::Ranks("four".into())),
            _ => Ok([0.0]),
        };
        let error = ranks.map(6, failed).unwrap_err().to_string();
        let stopped = ranks.map(6, |i| if i == 2 { Err(Error::Stopped) } else { Ok([0.0]) });
        assert!(matches!(stopped, Err(Error::Stopped)));
        let wrong = ranks.check_equal(&[("colour".into(), if rank == 2 { "red" } else { "blue" }.into())]);
        let agreed = ranks.agree(if rank == 0 { Err(Error::Ranks("first".into())) } else { Ok(()) });
        (error, wrong.unwrap_err().to_string(), agreed.unwrap_err().to_string())
    });
    assert_eq!(
        errors.iter().map(|e| &*e.0).collect::<Vec<_>>(),
        ["process 1: four", "four", "process 1: four"]
    );
    for (_, wrong, _) in &errors {
        assert!(wrong.starts_with("process 2 on this machine has another colour than process 0"), "{wrong}");
        assert!(wrong.contains("red instead of blue"), "{wrong}");
    }
    assert_eq!(
        errors.iter().map(|e| &*e.2).collect::<Vec<_>>(),
        ["first", "process 0: first", "process 0: first"]
    );
}

#[test]
fn a_lost_rank_ends_the_others() {
    let errors = on_each(3, |mut ranks| match ranks.rank() {
        1 => None,
        _ => Some(ranks.agree(Ok::<(), Error>(())).unwrap_err().to_string()),
    });
    for error in errors.into_iter().flatten() {
        assert!(error.contains("ended before the others"), "{error}");
    }
}

#[test]
fn a_gradient_that_comes_twice_or_not_at_all_is_named() {
    for wrong in [Some(0), Some(1), None] {
        let found = on_each(2, |mut ranks| {
            let layout = Arc::new(ranks.layout(&[2, 3], 2));
            let mut outbox = ranks.outbox(layout.clone(), Vec::new(), 0).unwrap();
            let mut grads = vec![Some(Tensor::zeros(&[2])), Some(Tensor::zeros(&[3]))];
            outbox.completed(1, &[1.0, 2.0, 3.0]);
            match wrong {
                Some(0) => {}
                Some(_) => outbox.completed(1, &[0.0; 3]),
                None => outbox.completed(0, &[4.0, 5.0]),
            }
            let (_, unexpected) = ranks.collect(outbox, &layout, &mut grads).unwrap();
            (
                unexpected,
                grads[1].as_ref().unwrap().data().to_vec(),
                grads[0].as_ref().unwrap().data().to_vec(),
            )
        });
        for (unexpected, last, first) in found {
            assert_eq!(unexpected, wrong);
            assert_eq!(last, [2.0, 4.0, 6.0]);
            assert!(wrong.is_some() || first == [8.0, 10.0]);
        }
    }
}
