//! Damages files: flips bits, cuts, repeats and mixes parts, and writes numbers that are often wrong.

use rand::rand_core::Rng;

use m2g_core::rng::{ChaCha8Rng, Streams, below};

use super::parsers::Parser;

/// The most changes to one input.
const MAX_CHANGES: u32 = 6;

/// The longest part that is removed, repeated or inserted.
const MAX_PART: usize = 64;

/// Inputs do not grow beyond this.
const MAX_BYTES: usize = 1 << 20;

/// Numbers that are often wrong, of up to 8 bytes.
const NUMBERS: [u64; 17] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x0fff_ffff_ffff_ffff,
    0x4000_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Texts that are often wrong in the place of a number or a word.
const WORDS: [&str; 20] = [
    "0",
    "-1",
    "1",
    "3",
    "1e999",
    "-1e-999",
    "1e30",
    "0.5",
    "65536",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"\\ud800\"",
    "[[1]]",
];

/// Makes damaged inputs for one parser. The same seed makes the same inputs.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    repair: fn(Vec<u8>) -> Vec<u8>,
    rng: ChaCha8Rng,
}

impl Mutator {
    pub fn new(parser: &Parser, seed: u64) -> Self {
        let rng = Streams::new(seed).stream(parser.name, 0);
        Self { seeds: (parser.seeds)(), repair: parser.repair, rng }
    }

    /// The next damaged file.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.seed().clone();
        for _ in 0..=self.below(MAX_CHANGES as usize - 1) {
            self.change(&mut input);
            input.truncate(MAX_BYTES);
        }
        // Most damage behind a checksum is refused by the checksum, and would test nothing else.
        if self.below(4) > 0 { (self.repair)(input) } else { input }
    }

    fn seed(&mut self) -> &Vec<u8> {
        let i = self.below(self.seeds.len());
        &self.seeds[i]
    }

    fn below(&mut self, n: usize) -> usize {
        below(&mut self.rng, n.max(1) as u32) as usize
    }

    /// A place in the input: mostly near its start, where headers are.
    fn place(&mut self, length: usize) -> usize {
        let range = match self.below(4) {
            0 => length,
            1 => length.min(4096),
            2 => length.min(512),
            _ => length.min(64),
        };
        self.below(range)
    }

    /// A part of the input: its start and its end.
    fn part(&mut self, length: usize) -> (usize, usize) {
        let start = self.place(length);
        (start, (start + 1 + self.below(MAX_PART)).min(length))
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        if input.is_empty() {
            input.push(self.rng.next_u32() as u8);
        }
        let at = self.place(input.len());
        match self.below(11) {
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = self.rng.next_u32() as u8,
            2 | 3 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let width = [1, 2, 4, 8][self.below(4)].min(input.len() - at);
                let (small, large) = (number.to_le_bytes(), number.to_be_bytes());
                match self.below(2) {
                    0 => input[at..at + width].copy_from_slice(&small[..width]),
                    _ => input[at..at + width].copy_from_slice(&large[8 - width..]),
                }
            }
            4 => {
                let end = self.below(input.len());
                input.truncate(end);
            }
            5 => {
                let (start, end) = self.part(input.len());
                input.drain(start..end);
            }
            6 => {
                let (start, end) = self.part(input.len());
                let copy = input[start..end].to_vec();
                let times = 1 + self.below(3);
                input.splice(at..at, copy.repeat(times));
            }
            7 => {
                let bytes: Vec<u8> = (0..1 + self.below(8)).map(|_| self.rng.next_u32() as u8).collect();
                input.splice(at..at, bytes);
            }
            8 => {
                let other = self.seed().clone();
                if !other.is_empty() {
                    let (start, end) = self.part(other.len());
                    input.splice(at..at, other[start..end].iter().copied());
                }
            }
            _ => self.change_word(input),
        }
    }

    /// Replaces a number or a word of a text.
    fn change_word(&mut self, input: &mut Vec<u8>) {
        let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+".contains(byte);
        let at = self.place(input.len());
        let Some(start) = input[at..].iter().position(in_word).map(|i| at + i) else { return };
        let end = input[start..].iter().position(|byte| !in_word(byte)).map_or(input.len(), |i| start + i);
        let word = WORDS[self.below(WORDS.len())];
        input.splice(start..end, word.bytes());
    }
}
