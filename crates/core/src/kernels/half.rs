//! Half-precision floats: 1 bit sign, 5 bits exponent with bias 15, 10 bits fraction.

/// Widens a half-precision float. `f32` represents every such value exactly.
pub fn f16_to_f32(half: u16) -> f32 {
    let (sign, exponent, fraction) = (half >> 15, (half >> 10) & 0x1f, half & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: a multiple of 2^-24.
        0 => f32::from(fraction) / 16_777_216.0,
        // Infinity and NaN keep their fraction.
        0x1f => f32::from_bits(0x7f80_0000 | u32::from(fraction) << 13),
        _ => f32::from_bits((u32::from(exponent) + 112) << 23 | u32::from(fraction) << 13),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

/// The half-precision float nearest to `x`; of two that are equally near, the one with an even fraction.
/// From 65,520 on it is infinity.
pub fn f32_to_f16(x: f32) -> u16 {
    let (sign, magnitude) = ((x.to_bits() >> 16) as u16 & 0x8000, x.abs());
    let bits = magnitude.to_bits();
    let half = match magnitude {
        m if m.is_nan() => 0x7e00,
        m if m >= 65_520.0 => 0x7c00,
        // 2^-14 and above: normal. The fraction loses 13 bits; a carry rightly reaches the exponent.
        m if m >= 6.103_515_6e-5 => {
            let even = (bits >> 13) & 1;
            ((bits - (112 << 23) + 0xfff + even) >> 13) as u16
        }
        // A multiple of 2^-24; the product is exact.
        m => (m * 16_777_216.0).round_ties_even() as u16,
    };
    sign | half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_through_f32() {
        for half in 0..=u16::MAX {
            let x = f16_to_f32(half);
            match x.is_nan() {
                true => assert!(f16_to_f32(f32_to_f16(x)).is_nan()),
                false => assert_eq!(f32_to_f16(x), half, "{half:#06x}"),
            }
        }
    }

    #[test]
    fn values_between_two_halves_are_rounded_to_the_nearest() {
        for half in (0..0x7bff).step_by(7) {
            let (low, high) = (f16_to_f32(half), f16_to_f32(half + 1));
            let middle = (low + high) / 2.0;
            let even = if half % 2 == 0 { half } else { half + 1 };
            assert_eq!(f32_to_f16(middle), even, "{middle}");
            assert_eq!(f32_to_f16(middle.next_down()), half, "{middle}");
            assert_eq!(f32_to_f16(-middle.next_up()), 0x8000 | (half + 1), "{middle}");
        }
        assert_eq!([65_504.0, 65_519.9, 65_520.0, 1e30].map(f32_to_f16), [0x7bff, 0x7bff, 0x7c00, 0x7c00]);
        assert_eq!([1e-8_f32, 4e-8, -0.0].map(f32_to_f16), [0, 1, 0x8000]);
    }
}
