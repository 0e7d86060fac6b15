//! flink-wasm-sdk
extern crate self as flink_wasm;

#[doc(hidden)]
pub mod batch;
#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod cell;
mod context;
mod decimal;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod export;
mod function;
mod parameters;
#[doc(hidden)]
pub mod row;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod time;

pub use batch::{Batch, Cells, Column, RowFailure, Varlen};
pub use context::{Context, Level};
pub use decimal::{Decimal, ParseDecimalError};
pub use flink_wasm_sdk_macros::{Parameters, Row, filter, map};
pub use function::{Descriptor, FilterFunction, FilterReturn, Kind, MapFunction, MapReturn};
pub use parameters::{Parameter, ParameterType, Parameters};
pub use row::{Field, Input, Output};
pub use time::{Date, ParseTimeError, Time, Timestamp, TimestampLtz};

/// What most functions need.
pub mod prelude {
    pub use crate::{Context, Date, Decimal, Level, Parameters, Row, Time, Timestamp, TimestampLtz};
}

/// What the macros expand to; no part of the interface.
#[doc(hidden)]
pub mod __rt {
    pub use wit_bindgen;

    pub use crate::batch::{Batch, Column, Columns, Nulls, Validity};
    pub use crate::bindings;
    pub use crate::cell::{
        CellReader, CellWriter, Family, ReadCell, SqlType, WriteCell, declare, same_family,
    };
    #[cfg(target_arch = "wasm32")]
    pub use crate::export;
    pub use crate::function::{FilterOutput, MapOutput};
    pub use crate::parameters::{Values, describe};
    pub use crate::row::{RowWriter, nested, row_type};
}
