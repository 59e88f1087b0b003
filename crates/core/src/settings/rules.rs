//! Rules for the values of settings.

/// Above 0, and finite.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn positive(x: &f64) -> Result<(), &'static str> {
    if x.is_finite() && *x > 0.0 { Ok(()) } else { Err("it must be a number above 0") }
}

/// 0 or above, and finite.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn not_negative(x: &f64) -> Result<(), &'static str> {
    if x.is_finite() && *x >= 0.0 { Ok(()) } else { Err("it must be a number, 0 or above") }
}

/// At least 0 and below 1, such as a probability or a decay rate.
///
/// # Errors
/// The rule, if `x` breaks it.
pub fn below_one(x: &f64) -> Result<(), &'static str> {
    if (0.0..1.0).contains(x) { Ok(()) } else { Err("it must be at least 0 and below 1") }
}

/// At least 1.
///
/// # Errors
/// The rule, if `n` breaks it.
pub fn at_least_one<T: From<u8> + PartialOrd>(n: &T) -> Result<(), &'static str> {
    if *n >= T::from(1) { Ok(()) } else { Err("it must be at least 1") }
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
