//! ARRAY and MAP.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use super::{CellReader, CellWriter, Family, ReadCell, SqlType, WriteCell};
use crate::batch::{Cells, Column, Columns, Nulls, Validity, broken_offsets, offset};

/// Which cells of the child columns belong to a cell.
struct Offsets<'a> {
    offsets: &'a [u32],
    children: usize,
    validity: Validity<'a>,
}

impl<'a> Offsets<'a> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let (column, place) = columns.take("nested cells");
        let Cells::Nested(offsets) = &column.cells else { place.wrong_kind(&column.cells) };
        let children = place.check_offsets(offsets, cells);
        Self { offsets, children, validity: Validity::of(column, cells, place) }
    }

    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let (start, end) = (self.offsets[index] as usize, self.offsets[index + 1] as usize);
        if start > end || end > self.children {
            broken_offsets(start, end)
        }
        start..end
    }
}

/// The offsets of a column under construction.
#[derive(Debug)]
struct OffsetsWriter {
    offsets: Vec<u32>,
    nulls: Nulls,
}

impl Default for OffsetsWriter {
    fn default() -> Self {
        Self { offsets: vec![0], nulls: Nulls::default() }
    }
}

impl OffsetsWriter {
    fn cells(&self) -> usize {
        self.offsets.len() - 1
    }

    fn finish(&mut self) -> Column {
        let validity = self.nulls.finish(self.cells());
        Column { validity, cells: Cells::Nested(std::mem::replace(&mut self.offsets, vec![0])) }
    }

    fn reclaim(&mut self, column: Option<Column>) {
        if let Some(Column { validity, cells }) = column {
            self.nulls.reclaim(validity);
            if let Cells::Nested(mut offsets) = cells {
                offsets.truncate(1);
                self.offsets = offsets;
            }
        }
    }
}

/// Reads arrays whose elements are read by `E`.
pub struct ArrayReader<'a, E> {
    offsets: Offsets<'a>,
    elements: E,
}

impl<'a, E: CellReader<'a>> CellReader<'a> for ArrayReader<'a, E> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let offsets = Offsets::new(columns, cells);
        let elements = E::new(columns, offsets.children);
        Self { offsets, elements }
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.offsets.validity.is_null(index)
    }
}

/// Writes arrays whose elements are written by `E`.
#[derive(Debug, Default)]
pub struct ArrayWriter<E> {
    offsets: OffsetsWriter,
    elements: E,
}

impl<E: CellWriter> CellWriter for ArrayWriter<E> {
    fn cells(&self) -> usize {
        self.offsets.cells()
    }

    fn push_empty(&mut self) {
        self.offsets.offsets.push(offset(self.elements.cells()));
    }

    fn push_null(&mut self) {
        self.offsets.nulls.mark(self.cells());
        self.push_empty();
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        columns.push(self.offsets.finish());
        self.elements.finish(columns);
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        self.offsets.reclaim(columns.next());
        self.elements.reclaim(columns);
    }
}

impl<T: SqlType> SqlType for Vec<T> {
    const FAMILY: Family = Family::Other;

    fn sql_type() -> String {
        format!("ARRAY<{}>", T::declared_type())
    }
}

impl<'a, T: ReadCell<'a>> ReadCell<'a> for Vec<T> {
    type Reader = ArrayReader<'a, T::Reader>;

    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        reader.offsets.range(index).map(|element| T::read_cell(&reader.elements, element)).collect()
    }
}

impl<T: WriteCell> WriteCell for Vec<T> {
    type Writer = ArrayWriter<T::Writer>;

    fn write_cell(&self, writer: &mut Self::Writer) {
        for element in self {
            element.write_cell(&mut writer.elements);
        }
        writer.push_empty();
    }
}

/// Reads maps whose entries are read by `K` and `V`.
pub struct MapReader<'a, K, V> {
    offsets: Offsets<'a>,
    keys: K,
    values: V,
}

impl<'a, K: CellReader<'a>, V: CellReader<'a>> CellReader<'a> for MapReader<'a, K, V> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let offsets = Offsets::new(columns, cells);
        let keys = K::new(columns, offsets.children);
        let values = V::new(columns, offsets.children);
        Self { offsets, keys, values }
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.offsets.validity.is_null(index)
    }
}

impl<'a, K, V> MapReader<'a, K, V> {
    fn entries<C, A, B>(&self, index: usize) -> C
    where
        C: FromIterator<(A, B)>,
        A: ReadCell<'a, Reader = K>,
        B: ReadCell<'a, Reader = V>,
    {
        let entries = self.offsets.range(index);
        entries.map(|entry| (A::read_cell(&self.keys, entry), B::read_cell(&self.values, entry))).collect()
    }
}

/// Writes maps whose entries are written by `K` and `V`.
#[derive(Debug, Default)]
pub struct MapWriter<K, V> {
    offsets: OffsetsWriter,
    keys: K,
    values: V,
}

impl<K: CellWriter, V: CellWriter> MapWriter<K, V> {
    fn push<'e, A, B>(&mut self, entries: impl Iterator<Item = (&'e A, &'e B)>)
    where
        A: WriteCell<Writer = K> + 'e,
        B: WriteCell<Writer = V> + 'e,
    {
        for (key, value) in entries {
            key.write_cell(&mut self.keys);
            value.write_cell(&mut self.values);
        }
        self.push_empty();
    }
}

impl<K: CellWriter, V: CellWriter> CellWriter for MapWriter<K, V> {
    fn cells(&self) -> usize {
        self.offsets.cells()
    }

    fn push_empty(&mut self) {
        self.offsets.offsets.push(offset(self.keys.cells()));
    }

    fn push_null(&mut self) {
        self.offsets.nulls.mark(self.cells());
        self.push_empty();
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        columns.push(self.offsets.finish());
        self.keys.finish(columns);
        self.values.finish(columns);
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        self.offsets.reclaim(columns.next());
        self.keys.reclaim(columns);
        self.values.reclaim(columns);
    }
}

fn map_type<K: SqlType, V: SqlType>() -> String {
    format!("MAP<{}, {}>", K::declared_type(), V::declared_type())
}

/// A MAP in the order of its entries; the one that allocates least.
impl<K: SqlType, V: SqlType> SqlType for Vec<(K, V)> {
    const FAMILY: Family = Family::Other;

    fn sql_type() -> String {
        map_type::<K, V>()
    }
}

impl<'a, K: ReadCell<'a>, V: ReadCell<'a>> ReadCell<'a> for Vec<(K, V)> {
    type Reader = MapReader<'a, K::Reader, V::Reader>;

    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        reader.entries(index)
    }
}

impl<K: WriteCell, V: WriteCell> WriteCell for Vec<(K, V)> {
    type Writer = MapWriter<K::Writer, V::Writer>;

    fn write_cell(&self, writer: &mut Self::Writer) {
        writer.push(self.iter().map(|(key, value)| (key, value)));
    }
}

impl<K: SqlType, V: SqlType> SqlType for BTreeMap<K, V> {
    const FAMILY: Family = Family::Other;

    fn sql_type() -> String {
        map_type::<K, V>()
    }
}

impl<'a, K: ReadCell<'a> + Ord, V: ReadCell<'a>> ReadCell<'a> for BTreeMap<K, V> {
    type Reader = MapReader<'a, K::Reader, V::Reader>;

    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        reader.entries(index)
    }
}

impl<K: WriteCell, V: WriteCell> WriteCell for BTreeMap<K, V> {
    type Writer = MapWriter<K::Writer, V::Writer>;

    fn write_cell(&self, writer: &mut Self::Writer) {
        writer.push(self.iter());
    }
}

impl<K: SqlType, V: SqlType, S> SqlType for HashMap<K, V, S> {
    const FAMILY: Family = Family::Other;

    fn sql_type() -> String {
        map_type::<K, V>()
    }
}

impl<'a, K: ReadCell<'a> + Hash + Eq, V: ReadCell<'a>, S: BuildHasher + Default> ReadCell<'a>
    for HashMap<K, V, S>
{
    type Reader = MapReader<'a, K::Reader, V::Reader>;

    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        reader.entries(index)
    }
}

/// Written in the order of the keys: a function gives the same rows for the same input wherever it runs.
impl<K: WriteCell + Ord, V: WriteCell, S> WriteCell for HashMap<K, V, S> {
    type Writer = MapWriter<K::Writer, V::Writer>;

    fn write_cell(&self, writer: &mut Self::Writer) {
        let mut entries: Vec<(&K, &V)> = self.iter().collect();
        entries.sort_unstable_by_key(|&(key, _)| key);
        writer.push(entries.into_iter());
    }
}
