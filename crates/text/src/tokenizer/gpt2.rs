//! GPT-2's vocabulary (Radford et al. 2019).

use std::sync::LazyLock;

use super::bpe::Bpe;
use super::byte_letters;

/// 256 bytes, 50,000 merges, and the end of text.
pub(super) const VOCAB_SIZE: usize = 50_257;

/// The sizes of GPT-2's vocabulary: as published, and filled up to a multiple of 64 as nanoGPT does.
pub const GPT2_SIZES: [usize; 2] = [VOCAB_SIZE, 50_304];

/// The token between two texts.
pub(super) const END_OF_TEXT: u32 = 50_256;

/// The merges in order, as OpenAI published them with GPT-2 (`vocab.bpe`, MIT licence): for each, the
/// ids of the left and the right token, as little-endian `u16`. Merge `i` forms token `256 + i`.
static MERGES: &[u8] = include_bytes!("../../data/gpt2.merges");

/// The vocabulary, built once. Ids 0 to 255 are the bytes, in the order of their letters.
pub(super) fn bpe() -> &'static Bpe {
    static BPE: LazyLock<Bpe> = LazyLock::new(|| {
        let mut tokens: Vec<Box<[u8]>> = byte_letters::in_order().map(|byte| Box::from([byte])).collect();
        for &[a0, a1, b0, b1] in MERGES.as_chunks().0 {
            let [left, right] = [[a0, a1], [b0, b1]].map(|id| usize::from(u16::from_le_bytes(id)));
            tokens.push([&tokens[left][..], &tokens[right][..]].concat().into());
        }
        Bpe::from_ranked_tokens(tokens)
    });
    &BPE
}
