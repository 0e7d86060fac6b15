//! TIMESTAMP and TIMESTAMP_LTZ: milliseconds, microseconds or nanoseconds in a cell, by their precision.

use super::{
    CellReader, CellWriter, Family, FixedReader, FixedWriter, ReadCell, SqlType, WideReader, WideWriter,
    WriteCell,
};
use crate::batch::{Column, Columns};
use crate::time::Instant;
use crate::{Timestamp, TimestampLtz};

/// The least precision whose cells are nanoseconds in 16 bytes.
const NANOSECONDS: u8 = 7;
/// The least precision whose cells are microseconds; below are milliseconds.
const MICROSECONDS: u8 = 4;

/// Reads points in time of precision `P`.
pub struct InstantReader<'a, const P: u8>(Width<FixedReader<'a, i64>, WideReader<'a>>);

/// Writes points in time of precision `P`.
#[derive(Debug)]
pub struct InstantWriter<const P: u8>(Width<FixedWriter<i64>, WideWriter>);

#[derive(Debug)]
enum Width<N, W> {
    Narrow(N),
    Wide(W),
}

macro_rules! each {
    ($width:expr, $part:ident => $body:expr) => {
        match $width {
            Width::Narrow($part) => $body,
            Width::Wide($part) => $body,
        }
    };
}

impl<'a, const P: u8> CellReader<'a> for InstantReader<'a, P> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        Self(if P >= NANOSECONDS {
            Width::Wide(CellReader::new(columns, cells))
        } else {
            Width::Narrow(CellReader::new(columns, cells))
        })
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        each!(&self.0, reader => reader.is_null(index))
    }
}

impl<const P: u8> InstantReader<'_, P> {
    #[inline]
    fn get(&self, index: usize) -> Instant {
        match &self.0 {
            Width::Wide(reader) => Instant::from_nanos(reader.get(index)),
            Width::Narrow(reader) if P >= MICROSECONDS => Instant::from_micros(reader.get(index)),
            Width::Narrow(reader) => Instant::from_millis(reader.get(index)),
        }
    }
}

impl<const P: u8> InstantWriter<P> {
    #[inline]
    fn push(&mut self, instant: Instant) {
        match &mut self.0 {
            Width::Wide(writer) => writer.push(instant.nanos()),
            Width::Narrow(writer) if P >= MICROSECONDS => writer.push(instant.micros()),
            Width::Narrow(writer) => writer.push(instant.millis()),
        }
    }
}

impl<const P: u8> Default for InstantWriter<P> {
    fn default() -> Self {
        Self(if P >= NANOSECONDS {
            Width::Wide(WideWriter::default())
        } else {
            Width::Narrow(FixedWriter::default())
        })
    }
}

impl<const P: u8> CellWriter for InstantWriter<P> {
    fn cells(&self) -> usize {
        each!(&self.0, writer => writer.cells())
    }

    fn push_empty(&mut self) {
        each!(&mut self.0, writer => writer.push_empty())
    }

    fn push_null(&mut self) {
        each!(&mut self.0, writer => writer.push_null())
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        each!(&mut self.0, writer => writer.finish(columns))
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        each!(&mut self.0, writer => writer.reclaim(columns))
    }
}

macro_rules! instant_type {
    ($($rust:ident, $sql:literal;)*) => {$(
        impl<const P: u8> SqlType for $rust<P> {
            const FAMILY: Family = Family::Other;

            fn sql_type() -> String {
                const { assert!(P <= 9, "the precision of a timestamp is 0 to 9") }
                format!($sql)
            }
        }

        impl<'a, const P: u8> ReadCell<'a> for $rust<P> {
            type Reader = InstantReader<'a, P>;

            #[inline]
            fn read_present(reader: &Self::Reader, index: usize) -> Self {
                Self::from_cell(reader.get(index))
            }
        }

        impl<const P: u8> WriteCell for $rust<P> {
            type Writer = InstantWriter<P>;

            #[inline]
            fn write_cell(&self, writer: &mut Self::Writer) {
                writer.push(self.instant());
            }
        }
    )*};
}

instant_type! {
    Timestamp, "TIMESTAMP({P})";
    TimestampLtz, "TIMESTAMP_LTZ({P})";
}
