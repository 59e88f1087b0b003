//! What a pickle holds.

use super::PickleError;

/// The index of a value in its [`Pickle`]. A value may occur in several places, even in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueId(pub(super) usize);

/// A value of Python.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An `int` that fits 64 bits.
    Int(i64),
    /// An `int` that does not.
    LargeInt,
    /// A `float`.
    Float(f64),
    /// A `str` that is UTF-8.
    Text(Box<str>),
    /// `bytes`, a `bytearray`, or a `str` that is not UTF-8.
    Bytes(Box<[u8]>),
    /// A `list`, a `set` or a `frozenset`.
    List(Vec<ValueId>),
    /// A `tuple`.
    Tuple(Vec<ValueId>),
    /// A `dict` or an `OrderedDict`: keys and values in order.
    Dict(Vec<(ValueId, ValueId)>),
    /// A function or a class that the caller knows, as `module.name`.
    Name(Box<str>),
    /// The call of such a function: nothing was executed.
    Call {
        /// The function, as `module.name`.
        function: Box<str>,
        /// Its arguments.
        arguments: ValueId,
    },
    /// A reference to something outside the pickle.
    Persistent(ValueId),
    /// A function or a class that the caller does not know, or what one makes: nothing was executed.
    Unknown(Box<str>),
}

/// The values of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub struct Pickle {
    pub(super) values: Vec<Value>,
    pub(super) root: ValueId,
}

impl Pickle {
    /// The pickled value.
    pub fn root(&self) -> ValueId {
        self.root
    }

    /// A value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// The value of a key of a dict; of the last one, if the key occurs more than once. `None` too if
    /// `dict` is not a dict.
    pub fn get(&self, dict: ValueId, key: &str) -> Option<ValueId> {
        let is_key = |(id, _): &&(ValueId, ValueId)| self.text(*id) == Some(key);
        self.dict(dict)?.iter().rev().find(is_key).map(|(_, value)| *value)
    }

    /// The same, of a value that the caller needs, so that all of it must be known.
    ///
    /// # Errors
    /// As [`Pickle::check`], for the dict itself too.
    pub fn needed(&self, dict: ValueId, key: &str) -> Result<Option<ValueId>, PickleError> {
        match self.get(dict, key) {
            Some(value) => self.check(value).map(|()| Some(value)),
            None if self.dict(dict).is_some() => Ok(None),
            None => self.check(dict).map(|()| None),
        }
    }

    /// Checks that nothing in a value is unknown.
    ///
    /// # Errors
    /// [`PickleError::Unknown`] names the first function or class that is.
    pub fn check(&self, id: ValueId) -> Result<(), PickleError> {
        // A list of what is left: values may be in each other, and in themselves.
        let (mut seen, mut left) = (vec![false; self.values.len()], vec![id]);
        while let Some(id) = left.pop() {
            if std::mem::replace(&mut seen[id.0], true) {
                continue;
            }
            match self.value(id) {
                // A name from a file may hold anything.
                Value::Unknown(name) => return Err(PickleError::Unknown(name.escape_debug().to_string())),
                Value::List(items) | Value::Tuple(items) => left.extend(items.iter().rev()),
                Value::Dict(items) => left.extend(items.iter().rev().flat_map(|&(key, value)| [value, key])),
                Value::Call { arguments: inner, .. } | Value::Persistent(inner) => left.push(*inner),
                _ => {}
            }
        }
        Ok(())
    }

    /// The keys and values of a dict.
    pub fn dict(&self, id: ValueId) -> Option<&[(ValueId, ValueId)]> {
        match self.value(id) {
            Value::Dict(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a list or a tuple.
    pub fn items(&self, id: ValueId) -> Option<&[ValueId]> {
        match self.value(id) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A string.
    pub fn text(&self, id: ValueId) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn size(&self, id: ValueId) -> Option<usize> {
        match self.value(id) {
            Value::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, id: ValueId) -> Option<f64> {
        match self.value(id) {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// `True` or `False`.
    pub fn flag(&self, id: ValueId) -> Option<bool> {
        match self.value(id) {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}
