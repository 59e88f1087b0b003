//! GPT-2's vocabulary.

use std::sync::LazyLock;

use super::bpe::Bpe;

/// Its tokens: 256 bytes, 50,000 merges, and the end of a text.
pub(super) const VOCAB_SIZE: usize = 50_257;

/// The token between two texts.
const END_OF_TEXT: u32 = 50_256;

/// The merges, made once from the ranks that come with tiktoken.
pub(super) fn bpe() -> &'static Bpe {
    static BPE: LazyLock<Bpe> = LazyLock::new(|| {
        let ranks = tiktoken_rs::r50k_base().expect("GPT-2's ranks are part of this program");
        let token = |id| ranks.decode_bytes(&[id]).expect("GPT-2 has this id").into();
        Bpe::of_ranked_tokens((0..END_OF_TEXT).map(token).collect())
    });
    &BPE
}

/// The bytes of a token.
pub(super) fn token(id: u32) -> Option<&'static [u8]> {
    match id {
        END_OF_TEXT => Some(b"<|endoftext|>"),
        _ => bpe().token(id),
    }
}
