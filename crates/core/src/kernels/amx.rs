//! Intel's AMX (Advanced Matrix Extensions): eight tile registers of 16 rows of 64 bytes, and an
//! instruction that multiplies two tiles of bf16 and adds the product to a third of f32.
//!
//! A program has to ask the system for the use of the tiles, and each thread has to configure its own.
//! Stable Rust has no intrinsics for either, so the instructions are written as assembly: here those
//! that a thread begins and ends with, in [`matmul`](super::matmul) those that multiply.

use std::sync::OnceLock;

/// Why this process cannot use AMX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), allow(dead_code))]
pub enum Missing {
    /// The processor, or the virtual machine that it shows itself through, has no AMX with bf16.
    Processor,
    /// AVX-512 with bf16, which packs the factors.
    Avx512Bf16,
    /// The system does not save the tiles of a thread.
    System,
    /// The system refuses the permission, with this error number.
    Permission(i32),
}

impl Missing {
    /// The reason, as a clause.
    pub fn reason(self) -> String {
        match self {
            Self::Processor if cfg!(not(target_os = "linux")) => "m2g uses AMX tiles only on Linux".into(),
            Self::Processor => "the processor has no AMX tiles, or a virtual machine hides them".into(),
            Self::Avx512Bf16 => "AMX tiles are filled by AVX-512 with bf16, which is missing".into(),
            Self::System => "the operating system does not support AMX tiles".into(),
            Self::Permission(error) => format!("the operating system refuses AMX tiles (error {error})"),
        }
    }
}

/// Whether this process may use AMX. Asks the system for the permission once.
pub fn detect() -> Result<(), Missing> {
    static RESULT: OnceLock<Result<(), Missing>> = OnceLock::new();
    *RESULT.get_or_init(|| {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        return linux::detect();
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        return Err(Missing::Processor);
    })
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use linux::Tiles;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod linux {
    #![allow(unsafe_code)]
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::cell::RefCell;
    use std::marker::PhantomData;

    use super::Missing;

    /// Checks the processor, what the system saves, and the permission, in this order. Without the
    /// permission, the first tile instruction would end the process.
    pub fn detect() -> Result<(), Missing> {
        const LEAF_OF_PALETTES: u32 = 0x1d;
        const TILES_AND_BF16: u32 = 1 << 24 | 1 << 22;
        const OSXSAVE: u32 = 1 << 27;
        /// XTILECFG and XTILEDATA in XCR0.
        const SAVED: u64 = 1 << 17 | 1 << 18;
        if __cpuid(0).eax < LEAF_OF_PALETTES || __cpuid_count(7, 0).edx & TILES_AND_BF16 != TILES_AND_BF16 {
            return Err(Missing::Processor);
        }
        let palette = __cpuid_count(LEAF_OF_PALETTES, 1);
        let [bytes, row_bytes] = [palette.eax >> 16, palette.ebx & 0xffff];
        let [tiles, rows] = [palette.ebx >> 16, palette.ecx & 0xffff];
        if [bytes, row_bytes, tiles, rows] != [1024, 64, 8, 16] {
            return Err(Missing::Processor);
        }
        if !(is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512bf16")) {
            return Err(Missing::Avx512Bf16);
        }
        if __cpuid(1).ecx & OSXSAVE == 0 || xcr0() & SAVED != SAVED {
            return Err(Missing::System);
        }
        request_permission()
    }

    /// The registers that the system saves when it switches threads.
    fn xcr0() -> u64 {
        let (low, high): (u32, u32);
        // SAFETY: the caller has checked OSXSAVE.
        unsafe {
            asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high,
                options(nomem, nostack, preserves_flags));
        }
        u64::from(high) << 32 | u64::from(low)
    }

    /// For all threads of this process, also later ones.
    fn request_permission() -> Result<(), Missing> {
        const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
        const XTILEDATA: libc::c_ulong = 18;
        // SAFETY: changes nothing but what this process may use.
        match unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) } {
            0 => Ok(()),
            _ => Err(Missing::Permission(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))),
        }
    }

    /// The operand of `ldtilecfg`.
    #[repr(C, align(64))]
    struct TileConfig {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        bytes_per_row: [u16; 16],
        rows: [u8; 16],
    }

    /// All eight tiles whole: the edges of a matrix are padded with zeros.
    static WHOLE_TILES: TileConfig = TileConfig {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        bytes_per_row: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    /// The tiles of this thread: configured from `new` to `drop`.
    ///
    /// A thread has at most one at a time, because the end of a second one would take the tiles of the
    /// first. So no task of another product may run on the thread meanwhile: no call of rayon belongs
    /// between `new` and `drop`. The system need not save tiles that are released.
    #[derive(Debug)]
    pub struct Tiles(PhantomData<*const ()>);

    impl Tiles {
        /// # Panics
        /// If this process may not use AMX.
        pub fn new() -> Self {
            assert_eq!(super::detect(), Ok(()), "AMX");
            SIGNAL_STACK.with_borrow_mut(|stack| _ = stack.get_or_insert_with(SignalStack::enlarge));
            // SAFETY: AMX is there and permitted; palette 1 allows this configuration.
            unsafe {
                asm!("ldtilecfg [{}]", in(reg) &WHOLE_TILES, options(readonly, nostack, preserves_flags),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _);
            }
            Self(PhantomData)
        }
    }

    impl Drop for Tiles {
        fn drop(&mut self) {
            // SAFETY: AMX is there and permitted.
            unsafe {
                asm!("tilerelease", options(nomem, nostack, preserves_flags),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _);
            }
        }
    }

    thread_local!(static SIGNAL_STACK: RefCell<Option<SignalStack>> = const { RefCell::new(None) });

    /// Room for a signal handler of a thread with tiles.
    ///
    /// Rust's handler of stack overflows runs on a stack with just enough room for the registers that
    /// the system saves there. With tiles these fill it, so that a stack overflow would end the
    /// program without Rust's message.
    struct SignalStack(Vec<u8>);

    impl SignalStack {
        const BYTES: usize = 64 << 10;

        /// Replaces the thread's alternate stack, if it has one that is smaller.
        fn enlarge() -> Self {
            let mut room = Vec::<u8>::new();
            // SAFETY: all zeros is a `stack_t`. The new stack lives until `drop` has disabled it; the
            // thread is not on the old one, since no handler multiplies matrices.
            unsafe {
                let mut now: libc::stack_t = std::mem::zeroed();
                let known = libc::sigaltstack(std::ptr::null(), &mut now) == 0;
                if known && now.ss_flags == 0 && now.ss_size < Self::BYTES {
                    room.reserve_exact(Self::BYTES);
                    let ss_sp = room.as_mut_ptr().cast();
                    let new = libc::stack_t { ss_sp, ss_flags: 0, ss_size: Self::BYTES };
                    libc::sigaltstack(&new, std::ptr::null_mut());
                }
            }
            Self(room)
        }
    }

    impl Drop for SignalStack {
        fn drop(&mut self) {
            // SAFETY: all zeros is a `stack_t`; a stack that is still this one is disabled before its
            // memory is freed.
            unsafe {
                let mut now: libc::stack_t = std::mem::zeroed();
                let known = libc::sigaltstack(std::ptr::null(), &mut now) == 0;
                if known && self.0.capacity() > 0 && now.ss_sp == self.0.as_mut_ptr().cast() {
                    now.ss_flags = libc::SS_DISABLE;
                    libc::sigaltstack(&now, std::ptr::null_mut());
                }
            }
        }
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]
        use super::*;

        const CHILD: &str = "M2G_TEST_OVERFLOW_THE_STACK";

        #[allow(unconditional_recursion)]
        fn recurse(depth: u64) -> u64 {
            let frame = std::hint::black_box([depth; 100]);
            recurse(depth + 1) + frame[3]
        }

        #[test]
        fn a_stack_overflow_is_reported_in_a_thread_with_tiles() {
            if super::super::detect().is_err() {
                return;
            }
            if std::env::var_os(CHILD).is_some() {
                let _tiles = Tiles::new();
                // SAFETY: the tiles are configured.
                unsafe { asm!("tilezero tmm0", out("tmm0") _) };
                println!("{}", recurse(0));
                return;
            }
            let test = "a_stack_overflow_is_reported_in_a_thread_with_tiles";
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--nocapture", test])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("has overflowed its stack"), "{:?}: {stderr}", output.status);
        }

        #[test]
        fn a_thread_gets_a_larger_signal_stack_and_gives_it_back() {
            if super::super::detect().is_err() {
                return;
            }
            let size = || {
                // SAFETY: all zeros is a `stack_t`, and nothing is changed.
                unsafe {
                    let mut now: libc::stack_t = std::mem::zeroed();
                    libc::sigaltstack(std::ptr::null(), &mut now);
                    now.ss_size
                }
            };
            for _ in 0..3 {
                let thread = std::thread::spawn(move || {
                    let before = size();
                    drop(Tiles::new());
                    (before, size())
                });
                let (before, after) = thread.join().unwrap();
                assert_eq!(after, before.max(SignalStack::BYTES));
            }
        }
    }
}
