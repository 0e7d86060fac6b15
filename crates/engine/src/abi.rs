//! The types of `wit/` as wasmtime sees them, written by hand for speed: what goes to the guest borrows from the frame, what
//! comes from it is read where it lies.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::{BatchView, CellsView, ColumnView, RawColumn, bitmap_bytes};
use flink_wasm_protocol::schema::{ColumnKind, Schema};
use wasmtime::StoreContext;
use wasmtime::component::{ComponentType, Lift, Lower, WasmList};

pub(crate) const CONTEXT: &str = "flink-wasm:udf/context@0.1.0";
pub(crate) const COLLECTOR: &str = "flink-wasm:udf/collector@0.1.0";
pub(crate) const DESCRIPTOR: &str = "flink-wasm:udf/descriptor@0.1.0";
pub(crate) const LIFECYCLE: &str = "flink-wasm:udf/lifecycle@0.1.0";
pub(crate) const MAPPER: &str = "flink-wasm:udf/mapper@0.1.0";
pub(crate) const PREDICATE: &str = "flink-wasm:udf/predicate@0.1.0";
pub(crate) const PROCESSOR: &str = "flink-wasm:udf/processor@0.1.0";
pub(crate) const EFFECTS: &str = "flink-wasm:udf/effects@0.1.0";
pub(crate) const ELEMENTS: &str = "flink-wasm:udf/elements@0.1.0";

/// `types.batch` on its way to the guest.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct BatchToGuest<'a> {
    #[component(name = "row-count")]
    row_count: u32,
    columns: &'a [ColumnToGuest<'a>],
}

/// `types.column` on its way to the guest.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct ColumnToGuest<'a> {
    validity: Option<&'a [u8]>,
    cells: CellsToGuest<'a>,
}

/// `types.cells` on its way to the guest.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum CellsToGuest<'a> {
    #[component(name = "boolean")]
    Boolean(&'a [u8]),
    #[component(name = "int8")]
    Int8(&'a [i8]),
    #[component(name = "int16")]
    Int16(&'a [i16]),
    #[component(name = "int32")]
    Int32(&'a [i32]),
    #[component(name = "int64")]
    Int64(&'a [i64]),
    #[component(name = "float32")]
    Float32(&'a [f32]),
    #[component(name = "float64")]
    Float64(&'a [f64]),
    #[component(name = "decimal128")]
    Decimal128(&'a [u8]),
    #[component(name = "varlen")]
    Varlen(VarlenToGuest<'a>),
    #[component(name = "nested")]
    Nested(&'a [u32]),
    #[component(name = "row")]
    Row,
}

/// `types.varlen` on its way to the guest.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct VarlenToGuest<'a> {
    offsets: &'a [u32],
    data: &'a [u8],
}

/// `processor.keyed`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct KeyedToGuest<'a> {
    pub(crate) keys: &'a [u32],
    #[component(name = "key-rows")]
    pub(crate) key_rows: BatchToGuest<'a>,
    pub(crate) values: &'a [ColumnToGuest<'a>],
}

impl<'a> ColumnToGuest<'a> {
    /// A varlen column.
    pub(crate) fn bytes(validity: Option<&'a [u8]>, offsets: &'a [u32], data: &'a [u8]) -> Self {
        Self { validity, cells: CellsToGuest::Varlen(VarlenToGuest { offsets, data }) }
    }
}

/// `types.column` as the answer of a host function, which can't borrow. Only varlen columns are answered.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct AnswerColumn {
    validity: Option<Vec<u8>>,
    cells: AnswerCells,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the type needs all cases of `types.cells`")]
pub(crate) enum AnswerCells {
    #[component(name = "boolean")]
    Boolean(Vec<u8>),
    #[component(name = "int8")]
    Int8(Vec<i8>),
    #[component(name = "int16")]
    Int16(Vec<i16>),
    #[component(name = "int32")]
    Int32(Vec<i32>),
    #[component(name = "int64")]
    Int64(Vec<i64>),
    #[component(name = "float32")]
    Float32(Vec<f32>),
    #[component(name = "float64")]
    Float64(Vec<f64>),
    #[component(name = "decimal128")]
    Decimal128(Vec<u8>),
    #[component(name = "varlen")]
    Varlen(AnswerVarlen),
    #[component(name = "nested")]
    Nested(Vec<u32>),
    #[component(name = "row")]
    Row,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct AnswerVarlen {
    offsets: Vec<u32>,
    data: Vec<u8>,
}

impl AnswerColumn {
    /// Cells one after the other, none of them null. Together they fit in a frame.
    pub(crate) fn bytes<'a>(cells: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut offsets, mut data) = (vec![0], Vec::new());
        for cell in cells {
            data.extend_from_slice(cell);
            offsets.push(data.len() as u32);
        }
        Self { validity: None, cells: AnswerCells::Varlen(AnswerVarlen { offsets, data }) }
    }
}

impl<'a> BatchToGuest<'a> {
    pub(crate) fn new(rows: &BatchView<'_>, columns: &'a [ColumnToGuest<'a>]) -> Self {
        Self { row_count: rows.row_count() as u32, columns }
    }
}

/// The columns of a batch as the guest takes them. `None` when the frame does not lie on a multiple of 8 bytes.
pub(crate) fn columns_to_guest<'a>(schema: &Schema, rows: &BatchView<'a>) -> Option<Vec<ColumnToGuest<'a>>> {
    fn typed<T: bytemuck::Pod>(bytes: &[u8]) -> Option<&[T]> {
        bytemuck::try_cast_slice(bytes).ok()
    }
    let column = |(column, kind): (&ColumnView<'a>, ColumnKind)| {
        let cells = match (column.cells, kind) {
            (CellsView::Bits(bits), _) => CellsToGuest::Boolean(bits),
            (CellsView::Fixed(cells), ColumnKind::Int8) => CellsToGuest::Int8(typed(cells)?),
            (CellsView::Fixed(cells), ColumnKind::Int16) => CellsToGuest::Int16(typed(cells)?),
            (CellsView::Fixed(cells), ColumnKind::Int32) => CellsToGuest::Int32(typed(cells)?),
            (CellsView::Fixed(cells), ColumnKind::Int64) => CellsToGuest::Int64(typed(cells)?),
            (CellsView::Fixed(cells), ColumnKind::Float32) => CellsToGuest::Float32(typed(cells)?),
            (CellsView::Fixed(cells), ColumnKind::Float64) => CellsToGuest::Float64(typed(cells)?),
            (CellsView::Fixed(cells), _) => CellsToGuest::Decimal128(cells),
            (CellsView::Varlen { offsets, data }, _) => {
                CellsToGuest::Varlen(VarlenToGuest { offsets: typed(offsets)?, data })
            }
            (CellsView::Nested { offsets }, _) => CellsToGuest::Nested(typed(offsets)?),
            (CellsView::Row, _) => CellsToGuest::Row,
        };
        Some(ColumnToGuest { validity: column.validity, cells })
    };
    rows.columns().iter().zip(schema.columns().iter().map(|column| column.kind)).map(column).collect()
}

/// `types.batch` as the guest gave it: pointers into its memory, good only inside the host call that got them.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct BatchFromGuest {
    #[component(name = "row-count")]
    pub(crate) row_count: u32,
    columns: Vec<ColumnFromGuest>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ColumnFromGuest {
    validity: Option<WasmList<u8>>,
    cells: CellsFromGuest,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum CellsFromGuest {
    #[component(name = "boolean")]
    Boolean(WasmList<u8>),
    #[component(name = "int8")]
    Int8(WasmList<i8>),
    #[component(name = "int16")]
    Int16(WasmList<i16>),
    #[component(name = "int32")]
    Int32(WasmList<i32>),
    #[component(name = "int64")]
    Int64(WasmList<i64>),
    // wasmtime gives no slice of floats in guest memory; one copy is the next best.
    #[component(name = "float32")]
    Float32(Vec<f32>),
    #[component(name = "float64")]
    Float64(Vec<f64>),
    #[component(name = "decimal128")]
    Decimal128(WasmList<u8>),
    #[component(name = "varlen")]
    Varlen(VarlenFromGuest),
    #[component(name = "nested")]
    Nested(WasmList<u32>),
    #[component(name = "row")]
    Row,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct VarlenFromGuest {
    offsets: WasmList<u32>,
    data: WasmList<u8>,
}

impl BatchFromGuest {
    /// The columns in the guest's memory. FW0511 when a column has another kind than the schema says.
    pub(crate) fn columns<'a, T: 'static>(
        &'a self,
        schema: &Schema,
        store: &'a StoreContext<'a, T>,
    ) -> Result<Vec<RawColumn<'a>>> {
        if self.columns.len() != schema.columns().len() {
            return Err(Diagnostic::new(
                Code::BadOutput,
                format!(
                    "a batch of {} columns, the schema has {}",
                    self.columns.len(),
                    schema.columns().len()
                ),
            ));
        }
        let columns = self.columns.iter().zip(schema.columns()).enumerate();
        columns
            .map(|(index, (column, expected))| {
                let (kind, cells) = column.cells.view(store);
                if kind != expected.kind {
                    return Err(Diagnostic::new(
                        Code::BadOutput,
                        format!("column {index} is {kind:?}, the schema says {:?}", expected.kind),
                    ));
                }
                Ok(RawColumn {
                    validity: column.validity.as_ref().map(|bits| bits.as_le_slice(store)),
                    cells,
                })
            })
            .collect()
    }
}

impl ColumnFromGuest {
    /// A varlen column in the guest's memory with so many cells. FW0511 when it is another one.
    pub(crate) fn bytes<'a, T: 'static>(
        &'a self,
        cell_count: usize,
        what: &str,
        store: &'a StoreContext<'a, T>,
    ) -> Result<ColumnView<'a>> {
        let (_, cells) = self.cells.view(store);
        let validity = self.validity.as_ref().map(|bits| bits.as_le_slice(store));
        let is_whole = match cells {
            CellsView::Varlen { offsets, data } => {
                let offsets: &[u32] = bytemuck::cast_slice(offsets);
                offsets.len() == cell_count + 1
                    && offsets[0] == 0
                    && offsets.is_sorted()
                    && offsets[cell_count] as usize == data.len()
            }
            _ => false,
        };
        if !is_whole || validity.is_some_and(|validity| validity.len() != bitmap_bytes(cell_count)) {
            return Err(Diagnostic::new(
                Code::BadOutput,
                format!("{what} are not {cell_count} cells of a varlen column"),
            ));
        }
        Ok(ColumnView { cell_count, validity, cells })
    }
}

impl CellsFromGuest {
    fn view<'a, T: 'static>(&'a self, store: &'a StoreContext<'a, T>) -> (ColumnKind, CellsView<'a>) {
        use bytemuck::cast_slice;
        match self {
            Self::Boolean(bits) => (ColumnKind::Boolean, CellsView::Bits(bits.as_le_slice(store))),
            Self::Int8(cells) => (ColumnKind::Int8, CellsView::Fixed(cast_slice(cells.as_le_slice(store)))),
            Self::Int16(cells) => (ColumnKind::Int16, CellsView::Fixed(cast_slice(cells.as_le_slice(store)))),
            Self::Int32(cells) => (ColumnKind::Int32, CellsView::Fixed(cast_slice(cells.as_le_slice(store)))),
            Self::Int64(cells) => (ColumnKind::Int64, CellsView::Fixed(cast_slice(cells.as_le_slice(store)))),
            Self::Float32(cells) => (ColumnKind::Float32, CellsView::Fixed(cast_slice(cells))),
            Self::Float64(cells) => (ColumnKind::Float64, CellsView::Fixed(cast_slice(cells))),
            Self::Decimal128(cells) => (ColumnKind::Decimal128, CellsView::Fixed(cells.as_le_slice(store))),
            Self::Varlen(varlen) => {
                let offsets = cast_slice(varlen.offsets.as_le_slice(store));
                (ColumnKind::Varlen, CellsView::Varlen { offsets, data: varlen.data.as_le_slice(store) })
            }
            Self::Nested(offsets) => {
                (ColumnKind::Nested, CellsView::Nested { offsets: cast_slice(offsets.as_le_slice(store)) })
            }
            Self::Row => (ColumnKind::Row, CellsView::Row),
        }
    }
}

/// `types.row-failure`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct RowFailure {
    pub(crate) row: u32,
    pub(crate) message: String,
    /// The same row may go well later.
    pub(crate) transient: bool,
}

/// `context.level`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "wasmtime makes the values")]
pub(crate) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// `descriptor.kind`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "wasmtime makes the values")]
pub(crate) enum Kind {
    #[component(name = "map")]
    Map,
    #[component(name = "filter")]
    Filter,
    #[component(name = "process")]
    Process,
}

/// `descriptor.state-kind`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "wasmtime makes the values")]
pub(crate) enum StateKindFromGuest {
    #[component(name = "value")]
    Value,
    #[component(name = "reducing")]
    Reducing,
    #[component(name = "list")]
    List,
    #[component(name = "map")]
    Map,
}

/// `descriptor.state`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct StateRecord {
    pub(crate) name: String,
    pub(crate) kind: StateKindFromGuest,
    pub(crate) schema: String,
    #[component(name = "ttl-ms")]
    pub(crate) ttl_ms: Option<u64>,
}

/// `descriptor.side-output`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct SideOutputRecord {
    pub(crate) name: String,
    pub(crate) fields: Vec<FieldRecord>,
}

/// `descriptor.field`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct FieldRecord {
    pub(crate) name: String,
    #[component(name = "sql-type")]
    pub(crate) sql_type: String,
}

/// `descriptor.parameter`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ParameterRecord {
    pub(crate) name: String,
    #[component(name = "sql-type")]
    pub(crate) sql_type: String,
    #[component(name = "default-json")]
    pub(crate) default_json: Option<String>,
    pub(crate) description: String,
}

/// `descriptor.function`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct FunctionRecord {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    pub(crate) description: String,
    pub(crate) input: Vec<FieldRecord>,
    pub(crate) output: Vec<FieldRecord>,
    pub(crate) parameters: Vec<ParameterRecord>,
    pub(crate) key: Vec<FieldRecord>,
    pub(crate) states: Vec<StateRecord>,
    #[component(name = "side-outputs")]
    pub(crate) side_outputs: Vec<SideOutputRecord>,
    pub(crate) timers: bool,
}
