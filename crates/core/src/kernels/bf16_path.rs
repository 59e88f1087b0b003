//! How this machine computes matrix products in bf16, and why.

use super::amx;
use super::isa::Isa;
use crate::Precision;

/// How matrix products in bf16 are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bf16Path {
    /// By AMX: 16 x 16 sums of 32 products each per instruction.
    Tiles,
    /// By AVX-512's dot products: 16 sums of two products each per instruction.
    DotProducts,
    /// As f32, from elements that are rounded to bf16 and widened again.
    Widened,
}

impl Bf16Path {
    /// The path of the instruction set in use.
    pub fn in_use() -> Self {
        Self::of(Isa::in_use(), has_fast_dot_products())
    }

    fn of(isa: Isa, fast_dot_products: bool) -> Self {
        match isa {
            Isa::Amx => Self::Tiles,
            Isa::Avx512Bf16 if fast_dot_products => Self::DotProducts,
            _ => Self::Widened,
        }
    }

    /// The path and the reason for it, as a clause.
    pub fn reason(self) -> String {
        let no_tiles = || match amx::detect() {
            Ok(()) => "a lower instruction set than amx is chosen".into(),
            Err(missing) => missing.reason(),
        };
        match self {
            Self::Tiles => "in AMX tiles".into(),
            Self::DotProducts => format!("by AVX-512's dot products: {}", no_tiles()),
            Self::Widened if Isa::in_use() == Isa::Avx512Bf16 => format!(
                "computed as f32, because this processor's AVX-512 is twice as fast with f32 as with bf16, and {}",
                no_tiles()
            ),
            Self::Widened if Isa::Avx512Bf16.is_available() => {
                "computed as f32, because an instruction set without bf16 is chosen".into()
            }
            Self::Widened if cfg!(target_arch = "x86_64") => {
                "computed as f32, because the processor has no bf16".into()
            }
            Self::Widened => "computed as f32, because m2g multiplies bf16 only on x86-64".into(),
        }
    }
}

impl Precision {
    /// Whether this machine multiplies this format with instructions of its own, faster than as f32.
    pub fn is_native(self) -> bool {
        self == Self::F32 || Bf16Path::in_use() != Bf16Path::Widened
    }
}

/// Whether AVX-512's dot products of bf16 are faster than multiply-adds of f32, if the processor has
/// them.
///
/// Zen 4 computes them twice as fast as f32. Intel's processors with AMX (since Sapphire Rapids)
/// compute one in the time of four multiply-adds of f32, which do the work of two: they leave bf16 to
/// the tiles, which a system or a virtual machine may hide. Of Intel's processors only Cooper Lake has
/// bf16 without tiles.
pub fn has_fast_dot_products() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::sync::OnceLock;
        static FAST: OnceLock<bool> = OnceLock::new();
        *FAST.get_or_init(|| {
            use std::arch::x86_64::__cpuid;
            let (vendor, version) = (__cpuid(0), __cpuid(1).eax);
            is_fast([vendor.ebx, vendor.edx, vendor.ecx], version)
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// [`has_fast_dot_products`] of a processor with the words of this vendor's name, and this version:
/// family and model.
#[cfg(target_arch = "x86_64")]
fn is_fast(vendor: [u32; 3], version: u32) -> bool {
    const INTEL: [u32; 3] = [0x756e_6547, 0x4965_6e69, 0x6c65_746e];
    const COOPER_LAKE: (u32, u32) = (6, 0x55);
    let (family, model) = (version >> 8 & 0xf, version >> 12 & 0xf0 | version >> 4 & 0xf);
    vendor != INTEL || (family, model) == COOPER_LAKE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instruction_set_has_its_path() {
        for isa in Isa::ALL {
            for fast in [false, true] {
                let want = match (isa, fast) {
                    (Isa::Amx, _) => Bf16Path::Tiles,
                    (Isa::Avx512Bf16, true) => Bf16Path::DotProducts,
                    _ => Bf16Path::Widened,
                };
                assert_eq!(Bf16Path::of(isa, fast), want, "{isa:?}, fast: {fast}");
            }
        }
        let path = Bf16Path::in_use();
        assert_eq!(Precision::Bf16.is_native(), path != Bf16Path::Widened);
        assert_eq!(path == Bf16Path::Tiles, path.reason() == "in AMX tiles");
        // Where nobody asks the processor, nothing is said about it.
        assert!(cfg!(target_arch = "x86_64") || !path.reason().contains("the processor"));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn intels_dot_products_are_slow_where_tiles_are_fast() {
        let words = |name: &[u8; 12]| {
            let word = |i| u32::from_le_bytes([name[i], name[i + 1], name[i + 2], name[i + 3]]);
            [word(0), word(4), word(8)]
        };
        let (intel, amd) = (words(b"GenuineIntel"), words(b"AuthenticAMD"));
        let sapphire_rapids = 0x000c_06f8;
        assert!(
            !is_fast(intel, 0x0008_06f8) && !is_fast(intel, sapphire_rapids),
            "Sapphire and Emerald Rapids"
        );
        assert!(is_fast(intel, 0x0005_065b), "Cooper Lake");
        assert!(is_fast(amd, 0x00a1_0f11), "Zen 4");
    }
}
