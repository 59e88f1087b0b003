//! The instruction sets that the kernels are compiled for, and those that this machine supports.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::subnormals::flushing_subnormals;
use crate::Error;

/// The instruction set of the kernels, decided once for the whole program.
static IN_USE: OnceLock<Isa> = OnceLock::new();

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 with bf16 and AMX tiles, which multiply bf16.
    Amx,
    /// AVX-512 with bf16 dot products.
    Avx512Bf16,
    /// 32 registers of 64 bytes.
    Avx512,
    /// 16 registers of 32 bytes, and multiply-adds.
    Avx2,
    /// AArch64: 32 registers of 16 bytes.
    Neon,
    /// The baseline of the target, such as SSE2 on x86-64.
    Plain,
}

impl Isa {
    /// All instruction sets, best first.
    pub const ALL: [Self; 6] =
        [Self::Amx, Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::Neon, Self::Plain];

    /// The instruction set that the kernels use: the best that this machine supports, unless
    /// [`use_instruction_set`] has chosen another.
    pub fn in_use() -> Self {
        *IN_USE.get_or_init(Self::best)
    }

    /// The best that this machine supports.
    fn best() -> Self {
        Self::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Plain)
    }

    /// Whether this machine supports this instruction set.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Avx512Bf16::is_available() && amx::detect().is_ok(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Avx512Bf16::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::is_available(),
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Plain => true,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The name to display.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "AVX-512 with bf16, and AMX tiles",
            Self::Avx512Bf16 => "AVX-512 with bf16",
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2 and FMA",
            Self::Neon => "NEON",
            Self::Plain if cfg!(target_arch = "x86_64") => "SSE2",
            Self::Plain => "scalar",
        }
    }

    /// The name to choose it by.
    fn key(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Plain => "baseline",
        }
    }
}

/// Makes the arithmetic of the kernels use an instruction set below the best: `amx`, `avx512-bf16`,
/// `avx512`, `avx2`, `neon` or `baseline`. A program calls it before it computes anything, to get the
/// bits of a machine that has no better one.
///
/// # Errors
/// [`Error::Setting`] if the name is unknown, this machine lacks the instruction set, or the
/// kernels have already used another.
pub fn use_instruction_set(name: &str) -> Result<(), Error> {
    let refused =
        |rule| Err(Error::Setting { name: "instruction_set", value: name.escape_debug().to_string(), rule });
    let Some(isa) = Isa::ALL.into_iter().find(|isa| isa.key() == name) else {
        return refused("it must be amx, avx512-bf16, avx512, avx2, neon or baseline");
    };
    if !isa.is_available() {
        return refused("this machine does not have it");
    }
    if *IN_USE.get_or_init(|| isa) != isa {
        return refused("another one is already in use");
    }
    Ok(())
}

/// The name of the instruction set that the kernels use on this machine.
pub fn instruction_set() -> &'static str {
    Isa::in_use().name()
}

/// The name of the best instruction set for the kernels that this machine supports.
pub fn best_instruction_set() -> &'static str {
    Isa::best().name()
}

/// The names of the instruction sets that matter to the kernels and that this processor supports.
pub fn available_instruction_sets() -> Vec<&'static str> {
    let found: &[(&str, bool)] = &[
        #[cfg(target_arch = "x86_64")]
        ("SSE2", std::is_x86_feature_detected!("sse2")),
        #[cfg(target_arch = "x86_64")]
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        #[cfg(target_arch = "x86_64")]
        ("FMA", std::is_x86_feature_detected!("fma")),
        #[cfg(target_arch = "x86_64")]
        ("AVX-512F", std::is_x86_feature_detected!("avx512f")),
        #[cfg(target_arch = "x86_64")]
        ("AVX512-BF16", std::is_x86_feature_detected!("avx512bf16")),
        #[cfg(target_arch = "x86_64")]
        ("AMX-BF16", amx::detect().is_ok()),
        #[cfg(target_arch = "aarch64")]
        ("NEON", std::arch::is_aarch64_feature_detected!("neon")),
    ];
    found.iter().filter(|(_, available)| *available).map(|(name, _)| *name).collect()
}

/// An [`Isa`] as a type, for loops that are compiled for one instruction set.
pub trait Compiled {
    /// Whether multiply-add is fused: it rounds once.
    const FUSED: bool;

    /// Runs `f` compiled for this instruction set. Only code that is inlined into `f` is compiled
    /// for it. Subnormal numbers are zero inside.
    ///
    /// # Panics
    /// If this machine does not support the instruction set.
    fn run<R>(f: impl FnOnce() -> R) -> R;
}

/// [`Isa::Plain`] as a type.
#[derive(Debug)]
pub struct Plain;

impl Compiled for Plain {
    const FUSED: bool = false;

    #[inline(always)]
    fn run<R>(f: impl FnOnce() -> R) -> R {
        flushing_subnormals(f)
    }
}

/// NEON, which every AArch64 machine has.
#[cfg(target_arch = "aarch64")]
#[derive(Debug)]
pub struct Neon;

#[cfg(target_arch = "aarch64")]
impl Compiled for Neon {
    const FUSED: bool = true;

    #[inline(always)]
    fn run<R>(f: impl FnOnce() -> R) -> R {
        flushing_subnormals(f)
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($(#[$doc:meta])* $name:ident: $features:literal = $($feature:tt),*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl $name {
            fn is_available() -> bool {
                static AVAILABLE: OnceLock<bool> = OnceLock::new();
                // The element-wise kernels need all that the first processors with AVX2 had beside it.
                *AVAILABLE.get_or_init(|| {
                    $(std::is_x86_feature_detected!($feature))&&* && pulp::x86::V3::try_new().is_some()
                })
            }
        }

        impl Compiled for $name {
            const FUSED: bool = true;

            #[inline(always)]
            #[allow(unsafe_code)]
            fn run<R>(f: impl FnOnce() -> R) -> R {
                #[target_feature(enable = $features)]
                fn compiled<R>(f: impl FnOnce() -> R) -> R {
                    f()
                }
                assert!(Self::is_available(), "this machine does not support {}", stringify!($name));
                flushing_subnormals(
                    #[inline(always)]
                    // SAFETY: the assertion has checked all features that `compiled` is compiled for.
                    || unsafe { compiled(f) },
                )
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86! {
    /// AVX2 and multiply-adds.
    Avx2: "avx2,fma" = "avx2", "fma"
}
#[cfg(target_arch = "x86_64")]
x86! {
    /// AVX-512.
    Avx512: "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl" =
        "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"
}
#[cfg(target_arch = "x86_64")]
x86! {
    /// AVX-512 with bf16.
    Avx512Bf16: "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16" =
        "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512bf16"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Else the element-wise kernels would be scalar beside matrix products in vectors.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_set_above_the_baseline_has_what_the_element_wise_kernels_need() {
        let vectors = pulp::x86::V3::try_new().is_some();
        assert!(Isa::ALL.into_iter().all(|isa| isa == Isa::Plain || vectors || !isa.is_available()));
    }

    #[test]
    fn an_instruction_set_is_chosen_by_its_name_and_only_once() {
        let error = |name: &str| use_instruction_set(name).unwrap_err().to_string();
        assert!(error("mmx").starts_with("instruction_set is mmx: it must be amx, avx512-bf16"));
        for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
            assert!(error(isa.key()).contains("does not have it"), "{isa:?}");
        }
        // Other tests of this process use the best.
        use_instruction_set(Isa::in_use().key()).unwrap();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available() && *isa != Isa::in_use()) {
            assert!(error(isa.key()).contains("already in use"), "{isa:?}");
        }
    }
}
