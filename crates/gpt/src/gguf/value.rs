//! A value of a key: its type, and how it is read and written.

/// A value in a header. Lists hold values of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer of 8 to 64 bits, with or without a sign.
    Integer(i128),
    /// A float of 32 or 64 bits.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// A text.
    Text(String),
    /// A list of integers.
    Integers(Vec<i64>),
    /// A list of floats.
    Floats(Vec<f32>),
    /// A list of texts.
    Texts(Vec<String>),
}

impl Value {
    /// The value as a message shows it.
    pub fn shown(&self) -> String {
        match self {
            Self::Integer(n) => n.to_string(),
            // 0.0, which is no integer.
            Self::Float(x) => format!("{x:?}"),
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => format!("\"{}\"", text.escape_debug()),
            Self::Integers(list) => format!("a list of {} integers", list.len()),
            Self::Floats(list) => format!("a list of {} floats", list.len()),
            Self::Texts(list) => format!("a list of {} texts", list.len()),
        }
    }
}

/// The types of values, by their numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// An integer of this number of bytes; with a sign if the flag is set.
    Integer {
        /// Its bytes.
        bytes: usize,
        /// Whether it has a sign.
        signed: bool,
    },
    /// A float of this number of bytes.
    Float {
        /// Its bytes.
        bytes: usize,
    },
    /// One byte, 0 or 1.
    Flag,
    /// A length and UTF-8.
    Text,
    /// A type, a length and values.
    List,
}

impl Type {
    /// The type with this number; `None` if there is none.
    pub fn numbered(number: u32) -> Option<Self> {
        let integer = |bytes, signed| Some(Self::Integer { bytes, signed });
        match number {
            0 => integer(1, false),
            1 => integer(1, true),
            2 => integer(2, false),
            3 => integer(2, true),
            4 => integer(4, false),
            5 => integer(4, true),
            6 => Some(Self::Float { bytes: 4 }),
            7 => Some(Self::Flag),
            8 => Some(Self::Text),
            9 => Some(Self::List),
            10 => integer(8, false),
            11 => integer(8, true),
            12 => Some(Self::Float { bytes: 8 }),
            _ => None,
        }
    }

    /// The fewest bytes of a value.
    pub fn least_bytes(self) -> u64 {
        match self {
            Self::Integer { bytes, .. } | Self::Float { bytes } => bytes as u64,
            Self::Flag => 1,
            Self::Text => 8,
            Self::List => 12,
        }
    }
}

/// A value to write, with the type that llama.cpp expects of the key.
#[derive(Debug, Clone)]
pub enum Written<'a> {
    /// A number of 32 bits without a sign.
    U32(u32),
    /// A float of 32 bits.
    F32(f32),
    /// True or false.
    Flag(bool),
    /// A text.
    Text(&'a str),
    /// A list of texts.
    Texts(&'a [String]),
    /// A list of numbers of 32 bits with a sign.
    I32s(&'a [i32]),
    /// A list of floats of 32 bits.
    F32s(&'a [f32]),
}

impl Written<'_> {
    /// Appends the type and the value.
    pub fn write(&self, out: &mut Vec<u8>) {
        let typed = |out: &mut Vec<u8>, number: u32, bytes: &[u8]| {
            out.extend(number.to_le_bytes());
            out.extend(bytes);
        };
        let list = |out: &mut Vec<u8>, of: u32, length: usize| {
            typed(out, 9, &of.to_le_bytes());
            out.extend((length as u64).to_le_bytes());
        };
        match self {
            Self::U32(n) => typed(out, 4, &n.to_le_bytes()),
            Self::F32(x) => typed(out, 6, &x.to_le_bytes()),
            Self::Flag(flag) => typed(out, 7, &[u8::from(*flag)]),
            Self::Text(text) => {
                typed(out, 8, &[]);
                write_text(out, text);
            }
            Self::Texts(texts) => {
                list(out, 8, texts.len());
                texts.iter().for_each(|text| write_text(out, text));
            }
            Self::I32s(numbers) => {
                list(out, 5, numbers.len());
                numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
            }
            Self::F32s(numbers) => {
                list(out, 6, numbers.len());
                numbers.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
        }
    }
}

/// Appends a length and the text.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
