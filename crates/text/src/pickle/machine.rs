//! The stack machine.
//!
//! All values live in one list, and the stack, the memo and the containers hold their indices: a
//! value that occurs twice is stored once, and nothing here is recursive. Each opcode adds at most one
//! value, so memory is bounded: by about 64 times the length of the pickle, half a gigabyte for the longest.

use rustc_hash::FxHashMap;

use super::bytes::{Bytes, int};
use super::error::{MAX_BYTES, PickleError};
use super::opcodes as op;
use super::value::{Pickle, Value, ValueId};
use crate::git_lfs;

/// The one class that every pickle may name.
const ORDERED_DICT: &str = "collections.OrderedDict";
/// The most bytes of a module, and of a name, that are kept: a pickle may repeat one as often as it likes.
const MAX_NAME_BYTES: usize = 100;

/// Reads a pickle. `known` lists the functions and classes that the caller interprets, as `module.name`;
/// others, and what they make, become [`Value::Unknown`].
///
/// # Errors
/// [`PickleError`] if the pickle is damaged, or of another protocol.
pub fn read(bytes: &[u8], known: &[&str]) -> Result<Pickle, PickleError> {
    if bytes.len() > MAX_BYTES {
        return Err(PickleError::TooLarge(bytes.len()));
    }
    if let Some(why) = git_lfs::pointer(bytes) {
        return Err(PickleError::GitLfs(why));
    }
    if !matches!(bytes, [op::PROTO, 2..=5, ..]) {
        return Err(PickleError::Protocol);
    }
    let mut machine = Machine {
        bytes: Bytes::new(bytes),
        known,
        opcode_at: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: FxHashMap::default(),
    };
    let root = machine.run()?;
    Ok(Pickle { values: machine.values, root })
}

struct Machine<'a> {
    bytes: Bytes<'a>,
    known: &'a [&'a str],
    /// The offset of the current opcode.
    opcode_at: usize,
    values: Vec<Value>,
    stack: Vec<ValueId>,
    /// The heights of the stack at which there are marks.
    marks: Vec<usize>,
    memo: FxHashMap<u32, ValueId>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<ValueId, PickleError> {
        loop {
            self.opcode_at = self.bytes.at;
            let opcode = self.bytes.u8()?;
            if opcode == op::STOP {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            op::PROTO => match self.bytes.u8()? {
                2..=5 => {}
                _ => return Err(PickleError::Protocol),
            },
            op::FRAME => {
                self.bytes.length::<8>()?;
            }
            // Numbers and strings.
            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::BININT1 => {
                let n = self.bytes.u8()?;
                self.push(Value::Int(n.into()));
            }
            op::BININT2 => {
                let n = self.bytes.u16()?;
                self.push(Value::Int(n.into()));
            }
            op::BININT => self.push_int(4)?,
            op::LONG1 => {
                let n = self.bytes.length::<1>()?;
                self.push_int(n)?;
            }
            op::LONG4 => {
                let n = self.bytes.length::<4>()?;
                self.push_int(n)?;
            }
            op::BINFLOAT => {
                let x = f64::from_be_bytes(self.bytes.array()?);
                self.push(Value::Float(x));
            }
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => {
                let bytes = self.bytes.counted::<1>()?;
                self.push_text(bytes);
            }
            op::BINUNICODE | op::BINSTRING => {
                let bytes = self.bytes.counted::<4>()?;
                self.push_text(bytes);
            }
            op::BINUNICODE8 => {
                let bytes = self.bytes.counted::<8>()?;
                self.push_text(bytes);
            }
            op::SHORT_BINBYTES => {
                let bytes = self.bytes.counted::<1>()?;
                self.push(Value::Bytes(bytes.into()));
            }
            op::BINBYTES => {
                let bytes = self.bytes.counted::<4>()?;
                self.push(Value::Bytes(bytes.into()));
            }
            op::BINBYTES8 | op::BYTEARRAY8 => {
                let bytes = self.bytes.counted::<8>()?;
                self.push(Value::Bytes(bytes.into()));
            }
            // Containers.
            op::EMPTY_LIST | op::EMPTY_SET => self.push(Value::List(Vec::new())),
            op::EMPTY_TUPLE => self.push(Value::Tuple(Vec::new())),
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new())),
            op::LIST | op::FROZENSET => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            op::TUPLE => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            op::DICT => {
                let items = self.pop_to_mark()?;
                let items = self.pairs(items)?;
                self.push(Value::Dict(items));
            }
            op::TUPLE1 => self.push_tuple(1)?,
            op::TUPLE2 => self.push_tuple(2)?,
            op::TUPLE3 => self.push_tuple(3)?,
            op::APPEND => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])?;
            }
            op::SETITEMS => {
                let items = self.pop_to_mark()?;
                let items = self.pairs(items)?;
                self.set_items(items)?;
            }
            // The stack and the memo.
            op::MARK => self.marks.push(self.stack.len()),
            op::POP if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
            }
            op::POP => {
                self.pop()?;
            }
            op::POP_MARK => {
                self.pop_to_mark()?;
            }
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => {
                let key = match opcode {
                    op::BINPUT => self.bytes.u8()?.into(),
                    op::LONG_BINPUT => self.bytes.u32()?,
                    _ => self.memo.len() as u32,
                };
                let top = self.top()?;
                self.memo.insert(key, top);
            }
            op::BINGET | op::LONG_BINGET => {
                let key = if opcode == op::BINGET { self.bytes.u8()?.into() } else { self.bytes.u32()? };
                let value =
                    *self.memo.get(&key).ok_or(self.damaged("it reads an empty place of the memo"))?;
                self.stack.push(value);
            }
            op::BINPERSID => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            // Functions and classes.
            op::GLOBAL => {
                let name = self.global_lines()?;
                self.push_name(name);
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id: ValueId| match &self.values[id.0] {
                    Value::Text(text) => Ok(text),
                    _ => Err(self.damaged("a name is not a string")),
                };
                let name = full_name(text(module)?, text(name)?);
                self.push_name(name);
            }
            op::REDUCE | op::NEWOBJ => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)?;
            }
            op::BUILD => self.build()?,
            op::INST => {
                let name = self.global_lines()?;
                self.pop_to_mark()?;
                self.push(Value::Unknown(name.into()));
            }
            op::OBJ => {
                let class = self.pop_to_mark()?.first().copied();
                self.push_object(class.ok_or(self.damaged("an object has no class"))?);
            }
            op::NEWOBJ_EX => {
                let (_, _, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.push_object(class);
            }
            op::EXT1 | op::EXT2 | op::EXT4 => {
                self.bytes.take(match opcode {
                    op::EXT1 => 1,
                    op::EXT2 => 2,
                    _ => 4,
                })?;
                self.push(Value::Unknown("an extension".into()));
            }
            op::NEXT_BUFFER => self.push(Value::Unknown("a buffer outside of the file".into())),
            op::READONLY_BUFFER => {
                self.top()?;
            }
            _ => return Err(self.damaged("this opcode is not one of protocols 2 to 5")),
        }
        Ok(())
    }

    fn damaged(&self, why: &'static str) -> PickleError {
        PickleError::Damaged { at: self.opcode_at, why }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(ValueId(self.values.len()));
        self.values.push(value);
    }

    /// Pushes a string. Python writes a path that is not UTF-8 as one that is not either, and Python 2 its bytes.
    fn push_text(&mut self, bytes: &[u8]) {
        self.push(match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.into()),
            Err(_) => Value::Bytes(bytes.into()),
        });
    }

    /// Pushes a number of `n` bytes.
    fn push_int(&mut self, n: usize) -> Result<(), PickleError> {
        let value = int(self.bytes.take(n)?);
        self.push(value.map_or(Value::LargeInt, Value::Int));
        Ok(())
    }

    /// The top of the stack, above the last mark.
    fn top(&self) -> Result<ValueId, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(top) if self.stack.len() > floor => Ok(*top),
            _ => Err(self.damaged("its stack is empty")),
        }
    }

    fn pop(&mut self) -> Result<ValueId, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<ValueId>, PickleError> {
        let mark = self.marks.pop().ok_or(self.damaged("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn push_tuple(&mut self, n: usize) -> Result<(), PickleError> {
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn pairs(&self, items: Vec<ValueId>) -> Result<Vec<(ValueId, ValueId)>, PickleError> {
        match items.as_chunks::<2>() {
            (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.damaged("a key has no value")),
        }
    }

    fn extend(&mut self, new: Vec<ValueId>) -> Result<(), PickleError> {
        let list = self.top()?;
        match &mut self.values[list.0] {
            Value::List(items) => items.extend(new),
            Value::Unknown(_) => {}
            _ => return Err(self.damaged("it appends to something that is not a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, new: Vec<(ValueId, ValueId)>) -> Result<(), PickleError> {
        let dict = self.top()?;
        match &mut self.values[dict.0] {
            Value::Dict(items) => items.extend(new),
            Value::Unknown(_) => {}
            _ => return Err(self.damaged("it sets a key of something that is not a dict")),
        }
        Ok(())
    }

    /// The module and the name of a function, on two lines.
    fn global_lines(&mut self) -> Result<String, PickleError> {
        let module = self.bytes.line()?;
        Ok(full_name(module, self.bytes.line()?))
    }

    fn push_name(&mut self, name: String) {
        let is_known = name == ORDERED_DICT || self.known.contains(&&*name);
        self.push(if is_known { Value::Name(name.into()) } else { Value::Unknown(name.into()) });
    }

    /// Records a call. An `OrderedDict` becomes a dict, which later opcodes fill.
    fn call(&mut self, function: ValueId, arguments: ValueId) -> Result<(), PickleError> {
        let value = match (&self.values[function.0], &self.values[arguments.0]) {
            (Value::Name(name), Value::Tuple(none)) if &**name == ORDERED_DICT && none.is_empty() => {
                Value::Dict(Vec::new())
            }
            (Value::Name(name), _) if &**name == ORDERED_DICT => {
                Value::Unknown(format!("{ORDERED_DICT} with arguments").into())
            }
            (Value::Name(name), _) => Value::Call { function: name.clone(), arguments },
            (Value::Unknown(_), _) => {
                self.push_object(function);
                return Ok(());
            }
            _ => return Err(self.damaged("it calls something that is not a function")),
        };
        self.push(value);
        Ok(())
    }

    /// Pushes an object of a class, which is as unknown as its class: no new value is needed.
    fn push_object(&mut self, class: ValueId) {
        match self.values[class.0] {
            Value::Unknown(_) => self.stack.push(class),
            _ => self.push(Value::Unknown("an object".into())),
        }
    }

    /// Sets the attributes of an object. A dict of PyTorch's parameters has one, `_metadata`, which
    /// holds only versions.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        let object = self.top()?;
        let value = &mut self.values[object.0];
        if !matches!(value, Value::Dict(_) | Value::Unknown(_)) {
            *value = Value::Unknown("an object with attributes".into());
        }
        Ok(())
    }
}

/// `module.name`, shortened if it is longer than any that is known.
fn full_name(module: &str, name: &str) -> String {
    let short = |text: &str| text[..text.floor_char_boundary(MAX_NAME_BYTES)].to_string();
    format!("{}.{}", short(module), short(name))
}
