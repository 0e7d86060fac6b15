//! Cells of variable length: CHAR, VARCHAR and STRING; BINARY, VARBINARY and BYTES.

use std::borrow::Cow;

use super::{CellReader, CellWriter, Family, ReadCell, SqlType, WriteCell};
use crate::batch::{Cells, Column, Columns, Nulls, Place, Validity, Varlen, broken_offsets, offset};

/// Reads bytes.
pub struct BytesReader<'a> {
    offsets: &'a [u32],
    data: &'a [u8],
    validity: Validity<'a>,
}

fn varlen(column: &Column, place: Place, cells: usize) -> (&[u32], &[u8]) {
    let Cells::Varlen(Varlen { offsets, data }) = &column.cells else { place.wrong_kind(&column.cells) };
    let end = place.check_offsets(offsets, cells);
    place.check_length("bytes of data", data.len(), end);
    (offsets, data)
}

impl<'a> BytesReader<'a> {
    #[inline]
    fn get(&self, index: usize) -> &'a [u8] {
        let (start, end) = (self.offsets[index] as usize, self.offsets[index + 1] as usize);
        match self.data.get(start..end) {
            Some(bytes) => bytes,
            None => broken_offsets(start, end),
        }
    }
}

impl<'a> CellReader<'a> for BytesReader<'a> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let (column, place) = columns.take("varlen cells");
        let (offsets, data) = varlen(column, place, cells);
        Self { offsets, data, validity: Validity::of(column, cells, place) }
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.validity.is_null(index)
    }
}

/// Reads text. UTF-8 is checked once for the whole column; a cell then only has to start and end between characters.
pub struct TextReader<'a> {
    offsets: &'a [u32],
    text: &'a str,
    validity: Validity<'a>,
}

impl<'a> TextReader<'a> {
    #[inline]
    fn get(&self, index: usize) -> &'a str {
        let (start, end) = (self.offsets[index] as usize, self.offsets[index + 1] as usize);
        match self.text.get(start..end) {
            Some(text) => text,
            None => broken_offsets(start, end),
        }
    }
}

impl<'a> CellReader<'a> for TextReader<'a> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let (column, place) = columns.take("varlen cells with text");
        let (offsets, data) = varlen(column, place, cells);
        let Ok(text) = std::str::from_utf8(data) else { place.not_utf8() };
        Self { offsets, text, validity: Validity::of(column, cells, place) }
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.validity.is_null(index)
    }
}

/// Writes bytes and text.
#[derive(Debug)]
pub struct BytesWriter {
    offsets: Vec<u32>,
    data: Vec<u8>,
    nulls: Nulls,
}

impl Default for BytesWriter {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new(), nulls: Nulls::default() }
    }
}

impl BytesWriter {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.offsets.push(offset(self.data.len()));
    }
}

impl CellWriter for BytesWriter {
    fn cells(&self) -> usize {
        self.offsets.len() - 1
    }

    fn push_empty(&mut self) {
        self.push(&[]);
    }

    fn push_null(&mut self) {
        self.nulls.mark(self.cells());
        self.push_empty();
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        let Self { offsets, data, nulls } = std::mem::take(self);
        self.nulls = nulls;
        let validity = self.nulls.finish(offsets.len() - 1);
        columns.push(Column { validity, cells: Cells::Varlen(Varlen { offsets, data }) });
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        if let Some(Column { validity, cells }) = columns.next() {
            self.nulls.reclaim(validity);
            if let Cells::Varlen(Varlen { mut offsets, mut data }) = cells {
                offsets.truncate(1);
                data.clear();
                self.offsets = offsets;
                self.data = data;
            }
        }
    }
}

/// Types that are read by slicing the column: `get` makes the type of the slice, `bytes` the slice of the type.
macro_rules! varlen_type {
    ($([$($life:lifetime)?] $rust:ty, $family:ident, $sql:literal, $reader:ident, $get:expr, $bytes:ident;)*) => {$(
        impl<$($life)?> SqlType for $rust {
            const FAMILY: Family = Family::$family;

            fn sql_type() -> String {
                String::from($sql)
            }
        }

        impl<'a> ReadCell<'a> for $rust {
            type Reader = $reader<'a>;

            #[inline]
            fn read_present(reader: &Self::Reader, index: usize) -> Self {
                $get(reader.get(index))
            }
        }

        impl<$($life)?> WriteCell for $rust {
            type Writer = BytesWriter;

            #[inline]
            fn write_cell(&self, writer: &mut Self::Writer) {
                writer.push(self.$bytes());
            }
        }
    )*};
}

varlen_type! {
    [] String, Text, "STRING", TextReader, String::from, as_bytes;
    ['a] &'a str, Text, "STRING", TextReader, std::convert::identity, as_bytes;
    ['a] Cow<'a, str>, Text, "STRING", TextReader, Cow::Borrowed, as_bytes;
    [] Vec<u8>, Bytes, "BYTES", BytesReader, <[u8]>::to_vec, as_ref;
    ['a] &'a [u8], Bytes, "BYTES", BytesReader, std::convert::identity, as_ref;
    ['a] Cow<'a, [u8]>, Bytes, "BYTES", BytesReader, Cow::Borrowed, as_ref;
}
