//! How values of state are encoded: `docs/state.md` describes the format.
//!
//! Decoding reads bytes that may be anything: it gives an error for those that no value has, nests a bounded depth, and allocates
//! in proportion to the input.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Date, Decimal, Time, Timestamp, TimestampLtz};

/// The version of the format, which every schema starts with.
const VERSION: &str = "v1:";

/// How deep a type may nest, itself counted. The stack of a component is 1 MiB; a type that contains itself has no end.
pub const MAX_STATE_DEPTH: u32 = 32;

/// A type that state can hold: numbers, text and the like, lists, maps, tuples and options of them, and structs and enums with
/// `#[derive(StateValue)]`.
///
/// Every value takes at least one byte, so that a length in malformed bytes can't exceed them.
#[diagnostic::on_unimplemented(
    message = "state can't hold `{Self}`",
    label = "not a value of state",
    note = "a struct or enum becomes one with `#[derive(StateValue)]`; it owns what it holds, so `String` and not `&str`"
)]
pub trait StateValue: Sized {
    /// Writes the type's name, which is its fingerprint: bytes are read only by a type of the same name.
    fn write_type(text: &mut TypeText);

    /// Adds the value's bytes.
    fn encode(&self, data: &mut Vec<u8>);

    /// Reads a value.
    ///
    /// # Errors
    /// When no value has these bytes.
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Adds the bytes of several values.
    #[doc(hidden)]
    fn encode_all(values: &[Self], data: &mut Vec<u8>) {
        values.iter().for_each(|value| value.encode(data));
    }

    /// Reads so many values. `count` is at most the number of bytes that are left.
    #[doc(hidden)]
    fn decode_all(input: &mut Decoder<'_>, count: usize) -> Result<Vec<Self>, DecodeError> {
        let justified = input.left() / size_of::<Self>().max(1);
        let mut values = Vec::with_capacity(count.min(justified));
        for _ in 0..count {
            values.push(Self::decode(input)?);
        }
        Ok(values)
    }
}

/// The schema of a state of one value, such as `v1:i64`.
pub fn schema_of<T: StateValue>() -> String {
    format!("{VERSION}{}", type_text::<T>())
}

/// The schema of list state.
pub(crate) fn schema_of_list<T: StateValue>() -> String {
    format!("{VERSION}list<{}>", type_text::<T>())
}

/// The schema of map state.
pub(crate) fn schema_of_map<K: StateValue, V: StateValue>() -> String {
    format!("{VERSION}map<{},{}>", type_text::<K>(), type_text::<V>())
}

fn type_text<T: StateValue>() -> String {
    let mut text = TypeText { text: String::new(), depth: 0 };
    text.nest::<T>();
    text.text
}

/// Reads a value that takes all of `bytes`.
///
/// # Errors
/// When no value has these bytes.
pub fn decode_state<T: StateValue>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut input = Decoder { bytes, left: bytes };
    let value = T::decode(&mut input)?;
    if input.left.is_empty() { Ok(value) } else { Err(input.error("the end")) }
}

/// The name of a type under construction.
pub struct TypeText {
    text: String,
    depth: u32,
}

impl TypeText {
    /// Adds text.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds the name of a type below.
    ///
    /// # Panics
    /// When types nest deeper than [`MAX_STATE_DEPTH`].
    pub fn nest<T: StateValue>(&mut self) {
        self.depth += 1;
        assert!(
            self.depth <= MAX_STATE_DEPTH,
            "the type of a state nests deeper than {MAX_STATE_DEPTH} (MAX_STATE_DEPTH): a type that contains itself \
             can't be state"
        );
        T::write_type(self);
        self.depth -= 1;
    }
}

/// Bytes that no value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Where in the bytes.
    pub offset: usize,
    /// How many bytes there are.
    pub length: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected {} at byte {} of {}", self.expected, self.offset, self.length)
    }
}

impl std::error::Error for DecodeError {}

/// Bytes while a value is read from them.
pub struct Decoder<'a> {
    bytes: &'a [u8],
    left: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// How many bytes are left.
    #[inline]
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// The error that `expected` does not stand here.
    #[cold]
    pub fn error(&self, expected: &'static str) -> DecodeError {
        DecodeError { offset: self.bytes.len() - self.left.len(), length: self.bytes.len(), expected }
    }

    /// Takes a value whose size is known.
    #[inline]
    fn take<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((taken, left)) = self.left.split_first_chunk::<N>() else {
            return Err(self.error(expected));
        };
        self.left = left;
        Ok(*taken)
    }

    /// Takes a byte that says which of so many cases follows, counted from 0.
    ///
    /// # Errors
    /// When there is no byte, or no such case.
    #[inline]
    pub fn case(&mut self, cases: u16, expected: &'static str) -> Result<u8, DecodeError> {
        match self.left.split_first() {
            Some((case, left)) if u16::from(*case) < cases => {
                self.left = left;
                Ok(*case)
            }
            _ => Err(self.error(expected)),
        }
    }

    /// Takes a number of bytes or values that follow, which is never more than the bytes that are left.
    fn length(&mut self) -> Result<usize, DecodeError> {
        let start = self.left;
        let length = u32::from_le_bytes(self.take("a length")?) as usize;
        if length > self.left.len() {
            self.left = start;
            return Err(self.error("a length within the bytes"));
        }
        Ok(length)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        let (taken, left) = self.left.split_at(length);
        self.left = left;
        Ok(taken)
    }
}

/// Lengths fit in 32 bits, because memory is 32-bit.
fn push_length(length: usize, data: &mut Vec<u8>) {
    data.extend_from_slice(&crate::batch::offset(length).to_le_bytes());
}

macro_rules! fixed {
    ($($rust:ty, $name:literal;)*) => {$(
        impl StateValue for $rust {
            fn write_type(text: &mut TypeText) {
                text.push($name);
            }

            #[inline]
            fn encode(&self, data: &mut Vec<u8>) {
                data.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                input.take($name).map(Self::from_le_bytes)
            }
        }
    )*};
}

fixed! {
    i8, "i8"; i16, "i16"; i32, "i32"; i64, "i64"; i128, "i128";
    u16, "u16"; u32, "u32"; u64, "u64"; u128, "u128";
    f32, "f32"; f64, "f64";
}

/// As bytes of `Vec<u8>` they are copied at once.
impl StateValue for u8 {
    fn write_type(text: &mut TypeText) {
        text.push("u8");
    }

    #[inline]
    fn encode(&self, data: &mut Vec<u8>) {
        data.push(*self);
    }

    #[inline]
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.take("u8").map(|[byte]| byte)
    }

    fn encode_all(values: &[Self], data: &mut Vec<u8>) {
        data.extend_from_slice(values);
    }

    fn decode_all(input: &mut Decoder<'_>, count: usize) -> Result<Vec<Self>, DecodeError> {
        let Some((taken, left)) = input.left.split_at_checked(count) else { return Err(input.error("[u8]")) };
        input.left = left;
        Ok(taken.to_vec())
    }
}

impl StateValue for bool {
    fn write_type(text: &mut TypeText) {
        text.push("bool");
    }

    #[inline]
    fn encode(&self, data: &mut Vec<u8>) {
        data.push(u8::from(*self));
    }

    #[inline]
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.case(2, "bool: 0 or 1").map(|case| case == 1)
    }
}

impl StateValue for String {
    fn write_type(text: &mut TypeText) {
        text.push("string");
    }

    fn encode(&self, data: &mut Vec<u8>) {
        push_length(self.len(), data);
        data.extend_from_slice(self.as_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let start = input.left;
        match std::str::from_utf8(input.bytes()?) {
            Ok(text) => Ok(text.into()),
            Err(_) => {
                input.left = start;
                Err(input.error("string: UTF-8"))
            }
        }
    }
}

impl<T: StateValue> StateValue for Option<T> {
    fn write_type(text: &mut TypeText) {
        text.push("option<");
        text.nest::<T>();
        text.push(">");
    }

    fn encode(&self, data: &mut Vec<u8>) {
        data.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.encode(data);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if bool::decode(input)? { T::decode(input).map(Some) } else { Ok(None) }
    }
}

impl<T: StateValue> StateValue for Vec<T> {
    fn write_type(text: &mut TypeText) {
        text.push("[");
        text.nest::<T>();
        text.push("]");
    }

    fn encode(&self, data: &mut Vec<u8>) {
        push_length(self.len(), data);
        T::encode_all(self, data);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = input.length()?;
        T::decode_all(input, count)
    }
}

/// Keys rise, so that equal maps have equal bytes.
impl<K: StateValue + Ord, V: StateValue> StateValue for BTreeMap<K, V> {
    fn write_type(text: &mut TypeText) {
        text.push("map<");
        text.nest::<K>();
        text.push(",");
        text.nest::<V>();
        text.push(">");
    }

    fn encode(&self, data: &mut Vec<u8>) {
        push_length(self.len(), data);
        for (key, value) in self {
            key.encode(data);
            value.encode(data);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut map = Self::new();
        for _ in 0..input.length()? {
            let start = input.left;
            let (key, value) = (K::decode(input)?, V::decode(input)?);
            if map.insert(key, value).is_some() {
                input.left = start;
                return Err(input.error("another map key"));
            }
        }
        Ok(map)
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: StateValue),*> StateValue for ($($name,)*) {
            fn write_type(text: &mut TypeText) {
                text.push("(");
                $(
                    if $index > 0 {
                        text.push(",");
                    }
                    text.nest::<$name>();
                )*
                text.push(")");
            }

            fn encode(&self, data: &mut Vec<u8>) {
                $(self.$index.encode(data);)*
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Ok(($($name::decode(input)?,)*))
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);

/// A type of SQL, encoded as one number; `decoded` gives `None` for a number that it does not have.
macro_rules! number {
    ($([$($generics:tt)*] $rust:ty, $number:ty, $name:expr, $encoded:expr, $decoded:expr, $expected:literal;)*) => {$(
        impl<$($generics)*> StateValue for $rust {
            fn write_type(text: &mut TypeText) {
                text.push(&$name);
            }

            #[inline]
            fn encode(&self, data: &mut Vec<u8>) {
                let encoded: fn(&Self) -> $number = $encoded;
                encoded(self).encode(data);
            }

            #[inline]
            fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let start = input.left;
                let number = <$number>::decode(input)?;
                let decoded: fn($number) -> Option<Self> = $decoded;
                decoded(number).ok_or_else(|| {
                    input.left = start;
                    input.error($expected)
                })
            }
        }
    )*};
}

/// Whether a timestamp can hold so many nanoseconds: its milliseconds take 64 bits.
fn has_instant(nanos: i128) -> bool {
    i64::try_from(nanos.div_euclid(1_000_000)).is_ok()
}

number! {
    [] Date, i32, "date", |date| date.days(), |days| Some(Date::from_days(days)), "date";
    [] Time, i32, "time", |time| time.millis(), Time::from_millis, "time: milliseconds of a day";
    [const P: u8] Timestamp<P>, i128, format!("timestamp({P})"), |at| at.nanos(),
        |nanos| has_instant(nanos).then(|| Self::from_nanos(nanos)), "timestamp";
    [const P: u8] TimestampLtz<P>, i128, format!("timestamp_ltz({P})"), |at| at.nanos(),
        |nanos| has_instant(nanos).then(|| Self::from_nanos(nanos)), "timestamp_ltz";
    [const P: u8, const S: u8] Decimal<P, S>, i128, format!("decimal({P},{S})"), |decimal| decimal.unscaled(),
        Decimal::from_unscaled, "decimal: digits within its precision";
}
