//! GPT-2's vocabulary.

use std::sync::LazyLock;

use super::bpe::Bpe;

/// 256 bytes, 50,000 merges, and the end of text.
pub(super) const VOCAB_SIZE: usize = 50_257;

/// The token between two texts.
pub(super) const END_OF_TEXT: u32 = 50_256;

/// The merges, built once from the ranks in tiktoken-rs.
pub(super) fn bpe() -> &'static Bpe {
    static BPE: LazyLock<Bpe> = LazyLock::new(|| {
        let ranks = tiktoken_rs::r50k_base().expect("GPT-2's ranks are part of this program");
        let token = |id| ranks.decode_bytes(&[id]).expect("GPT-2 has this id").into();
        Bpe::from_ranked_tokens((0..END_OF_TEXT).map(token).collect())
    });
    &BPE
}
