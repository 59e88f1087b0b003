//! How an exercise talks with the grader: cases come in on stdin, answers go out on stdout.
//!
//! A frame is a marker, a length in bytes and a list of [`Value`]s. What you print yourself stands
//! between the frames, on stdout or stderr; the grader shows it to you.

use std::io::{self, IsTerminal, Read, Write};

/// Begins a frame. No text that one prints contains it by chance.
pub const MARKER: &[u8; 8] = b"\x1em2g-v1\x1e";

/// What goes in and comes out of an exercise.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Number(f64),
    /// A row of numbers.
    Numbers(Vec<f64>),
    /// A matrix.
    Matrix(crate::Matrix),
    /// A count, or an index.
    Count(usize),
    /// Counts, or token ids.
    Ids(Vec<usize>),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
}

/// Answers every case of the grader with `exercise`.
pub fn answer<A: Into<Value>>(mut exercise: impl FnMut(&mut Input) -> A) {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout());
    if stdin.is_terminal() {
        eprintln!("This program waits for the grader: `m2g learn` compiles, runs and grades it.");
        return;
    }
    while let Some(values) = read_frame(&mut stdin) {
        let answer = exercise(&mut Input::new(values)).into();
        // The grader has what it wants to know.
        if stdout.write_all(&frame(&[answer])).and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}

/// The values of one case, in the order of the exercise's arguments.
pub struct Input(std::vec::IntoIter<Value>);

/// Methods that take the next argument, which has this type.
macro_rules! take {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $variant:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self) -> $type {
                match self.0.next() {
                    Some(Value::$variant(value)) => value,
                    other => panic!("the exercise reads {}, but the grader sent {other:?}: `main` must stay as it was", stringify!($name)),
                }
            }
        )*
    };
}

impl Input {
    /// The arguments of a case.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    take! {
        /// The next argument, one number.
        number: f64 = Number;
        /// The next argument, a row of numbers.
        numbers: Vec<f64> = Numbers;
        /// The next argument, a matrix.
        matrix: crate::Matrix = Matrix;
        /// The next argument, a count.
        count: usize = Count;
        /// The next argument, token ids.
        ids: Vec<usize> = Ids;
        /// The next argument, a text.
        text: String = Text;
        /// The next argument, a list.
        list: Vec<Value> = List;
    }

    /// The next argument, matrices.
    pub fn matrices(&mut self) -> Vec<crate::Matrix> {
        let mut list = Self::new(self.list());
        (0..list.0.len()).map(|_| list.matrix()).collect()
    }

    /// The next argument, rows of numbers.
    pub fn rows(&mut self) -> Vec<Vec<f64>> {
        let mut list = Self::new(self.list());
        (0..list.0.len()).map(|_| list.numbers()).collect()
    }
}

macro_rules! into_value {
    ($($type:ty: $value:ident => $result:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $result
            }
        })*
    };
}

into_value! {
    f64: x => Value::Number(x);
    usize: n => Value::Count(n);
    crate::Matrix: m => Value::Matrix(m);
    String: text => Value::Text(text);
    Vec<f64>: xs => Value::Numbers(xs);
    Vec<usize>: ids => Value::Ids(ids);
    Vec<char>: text => Value::Text(text.into_iter().collect());
    Vec<crate::Matrix>: list => Value::List(list.into_iter().map(Into::into).collect());
    Vec<Vec<f64>>: list => Value::List(list.into_iter().map(Into::into).collect());
    Vec<(usize, usize)>: pairs => Value::Ids(pairs.into_iter().flat_map(|(a, b)| [a, b]).collect());
}

impl<A: Into<Value>, B: Into<Value>> From<(A, B)> for Value {
    fn from((a, b): (A, B)) -> Self {
        Value::List(vec![a.into(), b.into()])
    }
}

impl<A: Into<Value>, B: Into<Value>, C: Into<Value>> From<(A, B, C)> for Value {
    fn from((a, b, c): (A, B, C)) -> Self {
        Value::List(vec![a.into(), b.into(), c.into()])
    }
}

/// The bytes of a frame.
pub fn frame(values: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    values.iter().for_each(|value| write(value, &mut body));
    [&MARKER[..], &(body.len() as u64).to_le_bytes(), &body].concat()
}

fn read_frame(stdin: &mut impl Read) -> Option<Vec<Value>> {
    let (mut marker, mut length) = ([0; MARKER.len()], [0; 8]);
    stdin.read_exact(&mut marker).ok()?;
    stdin.read_exact(&mut length).ok()?;
    let mut body = vec![0; u64::from_le_bytes(length) as usize];
    stdin.read_exact(&mut body).ok()?;
    values(&body)
}

/// The values of a frame's body; `None` if it is damaged.
pub fn values(mut body: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while !body.is_empty() {
        values.push(read(&mut body, 0)?);
    }
    Some(values)
}

fn write(value: &Value, out: &mut Vec<u8>) {
    let count = |n: usize, out: &mut Vec<u8>| out.extend((n as u64).to_le_bytes());
    let numbers = |xs: &[f64], out: &mut Vec<u8>| {
        count(xs.len(), out);
        xs.iter().for_each(|x| out.extend(x.to_le_bytes()));
    };
    match value {
        Value::Number(x) => {
            out.push(0);
            out.extend(x.to_le_bytes());
        }
        Value::Numbers(xs) => {
            out.push(1);
            numbers(xs, out);
        }
        Value::Matrix(m) => {
            out.push(2);
            count(m.rows, out);
            count(m.cols, out);
            numbers(&m.data, out);
        }
        Value::Count(n) => {
            out.push(3);
            count(*n, out);
        }
        Value::Ids(ids) => {
            out.push(4);
            count(ids.len(), out);
            ids.iter().for_each(|&id| count(id, out));
        }
        Value::Text(text) => {
            out.push(5);
            count(text.len(), out);
            out.extend(text.bytes());
        }
        Value::List(list) => {
            out.push(6);
            count(list.len(), out);
            list.iter().for_each(|value| write(value, out));
        }
    }
}

/// Lists in lists in lists do not occur deeper than this.
const MAX_DEPTH: usize = 4;

fn read(bytes: &mut &[u8], depth: usize) -> Option<Value> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match tag {
        0 => Value::Number(f64::from_le_bytes(word(bytes)?)),
        1 => Value::Numbers(words(bytes)?.into_iter().map(f64::from_le_bytes).collect()),
        2 => {
            let (rows, cols) = (count(bytes)?, count(bytes)?);
            let data = words(bytes)?.into_iter().map(f64::from_le_bytes).collect();
            Value::Matrix(crate::Matrix { rows, cols, data })
        }
        3 => Value::Count(count(bytes)?),
        4 => Value::Ids(words(bytes)?.into_iter().map(|id| u64::from_le_bytes(id) as usize).collect()),
        5 => {
            let length = count(bytes)?;
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
        6 if depth < MAX_DEPTH => {
            let length = count(bytes)?;
            let mut list = Vec::new();
            for _ in 0..length {
                list.push(read(bytes, depth + 1)?);
            }
            Value::List(list)
        }
        _ => return None,
    })
}

fn word(bytes: &mut &[u8]) -> Option<[u8; 8]> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*word)
}

fn count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(word(bytes)?)).ok()
}

fn words(bytes: &mut &[u8]) -> Option<Vec<[u8; 8]>> {
    let length = count(bytes)?;
    let (body, rest) = bytes.split_at_checked(length.checked_mul(8)?)?;
    *bytes = rest;
    Some(body.chunks_exact(8).filter_map(|chunk| chunk.first_chunk().copied()).collect())
}
