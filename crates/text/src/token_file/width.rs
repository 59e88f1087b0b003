//! Bytes per token.

use byteorder::{ByteOrder, LittleEndian};
use serde::{Deserialize, Serialize};

/// The integer type that stores a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// 16 bits, for at most 65,536 tokens.
    U16,
    /// 32 bits.
    U32,
}

impl Width {
    /// The narrowest type that holds the ids of a vocabulary.
    pub fn of(vocab_size: usize) -> Self {
        if vocab_size <= 1 << 16 { Self::U16 } else { Self::U32 }
    }

    /// Bytes per token.
    pub fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }

    /// Fills `ids` with the tokens in `bytes`, which has [`Width::bytes`] for each of them.
    pub(super) fn decode(self, bytes: &[u8], ids: &mut [u32]) {
        match self {
            Self::U16 => {
                for (id, two) in ids.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *id = u32::from(u16::from_le_bytes(*two));
                }
            }
            Self::U32 => LittleEndian::read_u32_into(bytes, ids),
        }
    }
}
