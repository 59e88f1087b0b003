//! The arithmetic of the element types: `f32` for training, `f64` for gradient checks.

use ndarray::NdFloat;
use safetensors::Dtype;

/// The element type of a tensor.
///
/// Tensors and kernels are generic over `T: Number`; the tape, ops, layers and models over
/// [`Float`](crate::Float), a number with its kernels. The types differ in `exp` and `tanh`: `f32` uses the
/// polynomials below, which the compiler vectorises; `f64` uses the functions of the standard library.
pub trait Number: NdFloat + Default + std::iter::Sum {
    /// The name of this type in a checkpoint.
    const DTYPE: Dtype;
    /// Size in bytes.
    const BYTES: usize;
    /// The nearest value of this type.
    fn of(x: f64) -> Self;
    /// The same integer.
    fn of_u8(x: u8) -> Self;
    /// The same value as `f64`.
    fn as_f64(self) -> f64;
    /// `e^x`; exactly 0 at minus infinity, NaN for NaN.
    fn exp_fast(self) -> Self;
    /// `self a + b`, rounded once: one instruction if the processor has it.
    fn fused_mul_add(self, a: Self, b: Self) -> Self;
    /// The hyperbolic tangent; NaN for NaN.
    fn tanh_fast(self) -> Self;
    /// Calls the implementation of `K` for this type.
    fn dispatch<K: PerType>(args: K::Args<Self>) -> K::Output<Self>;
    /// Appends the little-endian bytes of `xs`.
    fn to_le_bytes(xs: &[Self], out: &mut Vec<u8>);
    /// Reads elements from their little-endian bytes; `bytes` must have the size of `out`.
    fn from_le_bytes(bytes: &[u8], out: &mut [Self]);

    /// The logistic function, `1 / (1 + e^-x)`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::one() / (Self::one() + (-self).exp_fast())
    }
}

/// A function with an implementation for each element type, such as a kernel that uses other
/// instructions for `f32` than for `f64`. Generic code calls it with [`Number::dispatch`].
pub trait PerType {
    /// The arguments.
    type Args<T: Number>;
    /// The result.
    type Output<T: Number>;
    /// The implementation for `f32`.
    fn f32(args: Self::Args<f32>) -> Self::Output<f32>;
    /// The implementation for `f64`.
    fn f64(args: Self::Args<f64>) -> Self::Output<f64>;
}

impl Number for f32 {
    #[inline(always)]
    fn dispatch<K: PerType>(args: K::Args<f32>) -> K::Output<f32> {
        K::f32(args)
    }
    #[inline(always)]
    fn fused_mul_add(self, a: Self, b: Self) -> Self {
        f32::mul_add(self, a, b)
    }

    const DTYPE: Dtype = Dtype::F32;
    const BYTES: usize = 4;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn of_u8(x: u8) -> Self {
        f32::from(x)
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    /// `e^x = 2^n e^r` with `n = round(x / ln 2)` and `|r| <= ln 2 / 2`, where
    /// the Taylor polynomial of degree 7 is exact to the last bit or two.
    #[inline(always)]
    fn exp_fast(self) -> f32 {
        const LN_2_HIGH: f32 = 0.693_359_4; // 355 / 512, 9 bits, so that n * LN_2_HIGH is exact
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
        const ROUND: f32 = 12_582_912.0;
        let shifted = self.mul_add(std::f32::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, self));
        let p = r.mul_add(1.0 / 5040.0, 1.0 / 720.0);
        let p = p.mul_add(r, 1.0 / 120.0);
        let p = p.mul_add(r, 1.0 / 24.0);
        let p = p.mul_add(r, 1.0 / 6.0);
        let p = p.mul_add(r, 0.5);
        let p = p.mul_add(r, 1.0);
        let p = p.mul_add(r, 1.0);
        // Times 2^n: adds n to the exponent; the shift drops all of ROUND.
        let y = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
        let y = if self < -87.3 { 0.0 } else { y };
        // Infinity where e^x overflows; NaN stays NaN.
        if self <= 88.72 { y } else { self + f32::INFINITY }
    }

    /// `(1 - e^-2|x|) / (1 + e^-2|x|)` with the sign of `x`; near 0, where the numerator
    /// loses precision, the Taylor polynomial of degree 7.
    #[inline(always)]
    fn tanh_fast(self) -> f32 {
        let e = (-2.0 * self.abs()).exp_fast();
        let far = ((1.0 - e) / (1.0 + e)).copysign(self);
        let s = self * self;
        let near = s.mul_add(-17.0 / 315.0, 2.0 / 15.0).mul_add(s, -1.0 / 3.0).mul_add(s, 1.0) * self;
        if self.abs() < 0.2 { near } else { far }
    }

    fn to_le_bytes(xs: &[f32], out: &mut Vec<u8>) {
        out.extend(xs.iter().flat_map(|x| x.to_le_bytes()));
    }
    fn from_le_bytes(bytes: &[u8], out: &mut [f32]) {
        for (x, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *x = f32::from_le_bytes(*b);
        }
    }
}

impl Number for f64 {
    #[inline(always)]
    fn dispatch<K: PerType>(args: K::Args<f64>) -> K::Output<f64> {
        K::f64(args)
    }
    #[inline(always)]
    fn fused_mul_add(self, a: Self, b: Self) -> Self {
        f64::mul_add(self, a, b)
    }

    const DTYPE: Dtype = Dtype::F64;
    const BYTES: usize = 8;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn of_u8(x: u8) -> Self {
        f64::from(x)
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn exp_fast(self) -> f64 {
        self.exp()
    }
    #[inline(always)]
    fn tanh_fast(self) -> f64 {
        self.tanh()
    }
    fn to_le_bytes(xs: &[f64], out: &mut Vec<u8>) {
        out.extend(xs.iter().flat_map(|x| x.to_le_bytes()));
    }
    fn from_le_bytes(bytes: &[u8], out: &mut [f64]) {
        for (x, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *x = f64::from_le_bytes(*b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        for i in -8700..=8870 {
            let x = i as f32 / 100.0;
            let (got, want) = (f64::from(x.exp_fast()), f64::from(x).exp());
            assert!((got / want - 1.0).abs() < 3e-7, "exp({x}) = {got}, not {want}");
        }
        assert_eq!(f32::NEG_INFINITY.exp_fast(), 0.0);
        assert_eq!(f32::INFINITY.exp_fast(), f32::INFINITY);
        assert!(f32::NAN.exp_fast().is_nan());
        assert!(f32::from_bits(0x7fc0_0001).exp_fast().is_nan());
        assert_eq!([f32::MIN.exp_fast(), f32::MAX.exp_fast()], [0.0, f32::INFINITY]);
        assert_eq!(0.0_f32.exp_fast(), 1.0);
    }

    #[test]
    fn tanh_is_accurate() {
        for i in -20_000..=20_000 {
            let x = i as f32 / 1000.0;
            let (got, want) = (f64::from(x.tanh_fast()), f64::from(x).tanh());
            assert!((got - want).abs() <= 2e-6 * want.abs(), "tanh({x}) = {got}, not {want}");
        }
        assert_eq!(f32::INFINITY.tanh_fast(), 1.0);
        assert!(f32::NAN.tanh_fast().is_nan());
    }

    #[test]
    fn bytes_round_trip() {
        let xs = [1.5_f32, -0.0, f32::MIN_POSITIVE];
        let mut bytes = Vec::new();
        Number::to_le_bytes(&xs, &mut bytes);
        let mut back = [0.0; 3];
        Number::from_le_bytes(&bytes, &mut back);
        assert_eq!(xs.map(f32::to_bits), back.map(f32::to_bits));
    }
}
