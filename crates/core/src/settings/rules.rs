//! Rules for the values of settings.

use crate::Error;
use crate::nn::Positions;

/// Above 0, and finite.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn positive(x: &f64) -> Result<(), &'static str> {
    match *x {
        f64::INFINITY => Err("it must be a finite number above 0"),
        x if x > 0.0 => Ok(()),
        _ => Err("it must be a number above 0"),
    }
}

/// Above 0 as a number of 32 bits, with which models compute, and finite.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn positive_f32(x: &f64) -> Result<(), &'static str> {
    match *x > 0.0 && *x < f64::from(f32::MIN_POSITIVE) {
        true => Err("it must be at least 1.2e-38, about the smallest number of 32 bits"),
        false => positive(x),
    }
}

/// 0 or above, and finite.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn not_negative(x: &f64) -> Result<(), &'static str> {
    match *x {
        f64::INFINITY => Err("it must be a finite number, 0 or above"),
        x if x >= 0.0 => Ok(()),
        _ => Err("it must be a number, 0 or above"),
    }
}

/// 0 or above, and finite as a number of 32 bits, with which models compute.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn not_negative_f32(x: &f64) -> Result<(), &'static str> {
    match (*x as f32).is_infinite() && x.is_finite() {
        true => Err("it must be at most 3.4e38, the largest number of 32 bits"),
        false => not_negative(x),
    }
}

/// At least 0 and below 1, such as a probability or a decay rate.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn below_one(x: &f64) -> Result<(), &'static str> {
    if (0.0..1.0).contains(x) { Ok(()) } else { Err("it must be at least 0 and below 1") }
}

/// Not empty, such as the name of data.
///
/// # Errors
/// The rule, if `text` breaks it.
pub fn not_empty(text: &str) -> Result<(), &'static str> {
    if text.is_empty() { Err("it must not be empty: give the name or the path of data") } else { Ok(()) }
}

/// At least 1.
///
/// # Errors
/// The rule, if `n` breaks it.
pub fn at_least_one<T: From<u8> + PartialOrd>(n: &T) -> Result<(), &'static str> {
    if *n >= T::from(1) { Ok(()) } else { Err("it must be at least 1") }
}

/// The most batches of a step. Their tokens, or the indices of their examples, are in memory together.
const MAX_BATCHES: usize = 1 << 20;

/// A step has few enough batches: `gradient_accumulation_steps` in each of its `shards`.
///
/// # Errors
/// [`Error::Setting`] if there are too many.
pub fn batches_of_a_step(gradient_accumulation_steps: usize, shards: usize) -> Result<(), Error> {
    if gradient_accumulation_steps.saturating_mul(shards) <= MAX_BATCHES {
        return Ok(());
    }
    Err(Error::Setting {
        name: "gradient_accumulation_steps",
        value: format!("{gradient_accumulation_steps} with shards {shards}"),
        rule: "times `shards` it must be at most 1048576, the most batches of a step",
    })
}

/// The heads of a model of this width have one width, which rotary positions cut into pairs. `name` is the setting of
/// the model's width.
///
/// # Errors
/// [`Error::Setting`] if they do not.
pub fn heads(name: &'static str, width: usize, n_head: usize, positions: Positions) -> Result<(), Error> {
    let rule = if !width.is_multiple_of(n_head) {
        "it must be a multiple of `n_head`, because all heads have the same width"
    } else if positions == Positions::Rotary && !(width / n_head).is_multiple_of(2) {
        "divided by `n_head` it must be even, because rotary positions rotate pairs of channels"
    } else {
        return Ok(());
    };
    Err(Error::Setting { name, value: format!("{width} with n_head {n_head}"), rule })
}

/// A model can have a vocabulary of this size.
///
/// # Errors
/// [`Error::Setting`] if it cannot.
pub fn vocabulary(vocab_size: usize) -> Result<(), Error> {
    if (1..=1 << 24).contains(&vocab_size) {
        return Ok(());
    }
    let rule = "it must be from 1 to 16777216";
    Err(Error::Setting { name: "vocab_size", value: vocab_size.to_string(), rule })
}

/// A rule that accepts the values in a range: `within!(1..=1000)`.
#[macro_export]
macro_rules! within {
    ($low:literal..=$high:literal) => {
        |value| {
            if ($low..=$high).contains(value) {
                Ok(())
            } else {
                Err(concat!("it must be from ", $low, " to ", $high))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_one_width_and_rotary_positions_pairs() {
        let refused =
            |positions, n_head| heads("c", 30, n_head, positions).map_err(|error| error.to_string());
        for (positions, n_head, why) in [
            (Positions::Learned, 4, "c is 30 with n_head 4: it must be a multiple of"),
            (Positions::Rotary, 10, "c is 30 with n_head 10: divided by"),
        ] {
            assert!(refused(positions, n_head).is_err_and(|error| error.starts_with(why)), "{why}");
        }
        assert_eq!([refused(Positions::Learned, 10), refused(Positions::Rotary, 5)], [Ok(()), Ok(())]);
        assert!([1, 1 << 24].iter().all(|&v| vocabulary(v).is_ok()));
        assert!([0, (1 << 24) + 1].iter().all(|&v| vocabulary(v).is_err()));
    }

    #[test]
    fn infinity_is_called_so() {
        assert_eq!(positive(&f64::INFINITY), Err("it must be a finite number above 0"));
        for rule in [not_negative, not_negative_f32] {
            assert_eq!(rule(&f64::INFINITY), Err("it must be a finite number, 0 or above"));
            assert_eq!(rule(&f64::NAN), Err("it must be a number, 0 or above"));
            assert_eq!(rule(&-1.0), Err("it must be a number, 0 or above"));
            assert_eq!([rule(&0.0), rule(&1e38)], [Ok(()); 2]);
        }
        assert_eq!([positive(&0.0), positive(&f64::NAN)], [Err("it must be a number above 0"); 2]);
        assert_eq!([positive(&1e300), not_negative(&1e300)], [Ok(()); 2]);
        assert_eq!(positive_f32(&f64::INFINITY), positive(&f64::INFINITY));
        assert_eq!([positive_f32(&0.0), positive_f32(&f64::NAN)], [positive(&0.0); 2]);
        assert_eq!([positive_f32(&1.2e-38), positive_f32(&1e300)], [Ok(()); 2]);
        assert!(positive_f32(&1e-38).is_err_and(|rule| rule.starts_with("it must be at least 1.2e-38")));
        assert!(not_negative_f32(&1e39).is_err_and(|rule| rule.starts_with("it must be at most 3.4e38")));
    }
}
