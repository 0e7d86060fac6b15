//! Hand-made batches that break one rule each.

use flink_wasm_diagnostic::Code;
use flink_wasm_protocol::batch::BatchView;
use flink_wasm_protocol::json::rows_to_batch;
use flink_wasm_protocol::{DataType, RowField, Schema};
use serde_json::{Value, json};

/// Writes two rows of one column, changes bytes of the batch, and gives what the reader says.
#[track_caller]
fn check(data_type: &str, cells: [Value; 2], changes: &[(usize, u8)], code: Code, message: &str) {
    let fields = [RowField { name: "c".into(), data_type: DataType::parse(data_type).unwrap() }];
    let mut bytes = rows_to_batch(&fields, &cells.map(|cell| json!({ "c": cell }))).unwrap();
    for (at, byte) in changes {
        bytes[*at] = *byte;
    }
    let schema = Schema::parse(&[data_type]).unwrap();
    let error = BatchView::parse(&schema, &bytes).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (code, message));
}

// Bytes 0..8 are the batch's header, 8..16 the column's, and its sections follow.
#[test]
fn layout() {
    let v = Code::ProtocolViolation;
    let ints = || [json!(1), json!(2)];
    check("INT NOT NULL", ints(), &[(0, 3)], v, "column 0 has 2 cells, expected 3");
    check("INT NOT NULL", ints(), &[(3, 1)], v, "a batch of 16777218 rows, the limit is 1048576");
    check("INT NOT NULL", ints(), &[(4, 2)], v, "a batch of 2 columns, the schema has 1");
    check(
        "INT NOT NULL",
        ints(),
        &[(8, 4)],
        v,
        "column 0 has the header [4, 0, 0, 0], expected kind 3 (Int32)",
    );
    check(
        "INT NOT NULL",
        ints(),
        &[(9, 2)],
        v,
        "column 0 has the header [3, 2, 0, 0], expected kind 3 (Int32)",
    );
    check(
        "INT NOT NULL",
        ints(),
        &[(10, 1)],
        v,
        "column 0 has the header [3, 0, 1, 0], expected kind 3 (Int32)",
    );
    check("INT NOT NULL", ints(), &[(12, 1)], v, "column 0 has 1 cells, expected 2");
    check("INT NOT NULL", ints(), &[(9, 1)], v, "the padding of validity of column 0 is not zero");
    check("SMALLINT", ints(), &[(20, 1)], v, "the padding of cells of column 0 is not zero");
    check(
        "BOOLEAN",
        [json!(true), json!(true)],
        &[(16, 7)],
        v,
        "unused bits of cells of column 0 are not zero",
    );
    check("INT", [json!(1), Value::Null], &[(16, 5)], v, "unused bits of validity of column 0 are not zero");
    check("STRING", [json!("ab"), json!("cd")], &[(16, 1)], v, "offsets of column 0 do not start with 0");
    check("STRING", [json!("ab"), json!("cd")], &[(20, 5)], v, "offsets of column 0 decrease");
    check(
        "STRING",
        [json!("ab"), json!("cd")],
        &[(24, 200)],
        v,
        "data of column 0 needs 200 bytes, 8 are left",
    );
    check("ARRAY<INT>", [json!([1]), json!([2])], &[(24, 3)], v, "column 1 has 2 cells, expected 3");
}

#[test]
fn values() {
    let (v, s) = (Code::ProtocolViolation, Code::SchemaViolated);
    check("STRING", [json!("ab"), json!("cd")], &[(32, 0xff)], v, "column 0 holds text that is not UTF-8");
    check("STRING", [json!("é"), json!("é")], &[(20, 1)], v, "column 0 cuts a character in two");
    check(
        "TIME",
        [json!("00:00:00"), json!("00:00:00")],
        &[(23, 127)],
        s,
        "row 1, field 0 (TIME(0)): TIME outside of a day",
    );
    check(
        "TIME",
        [json!("00:00:00"), json!("00:00:00")],
        &[(19, 255)],
        s,
        "row 0, field 0 (TIME(0)): TIME outside of a day",
    );
    check(
        "DECIMAL(2, 0) NOT NULL",
        [json!(99), json!(99)],
        &[(32, 100)],
        s,
        "row 1, field 0 (DECIMAL(2, 0) NOT NULL): DECIMAL with more digits than its type has",
    );
    check(
        "ARRAY<DECIMAL(2, 0)>",
        [json!([1]), json!([2, 3])],
        &[(72, 100)],
        s,
        "row 1, field 0 (ARRAY<DECIMAL(2, 0)>): DECIMAL with more digits than its type has",
    );
}

#[test]
fn null_where_there_must_be_none() {
    let nullable = [RowField { name: "c".into(), data_type: DataType::parse("INT").unwrap() }];
    let bytes = rows_to_batch(&nullable, &[json!({"c": 1}), json!({})]).unwrap();
    let error = BatchView::parse(&Schema::parse(&["INT NOT NULL"]).unwrap(), &bytes).unwrap_err();
    assert_eq!(error.code, Code::SchemaViolated);
    assert_eq!(error.message, "row 1, field 0 (INT NOT NULL): NULL in a NOT NULL field");

    // A field of a null ROW may be anything.
    let nullable = [RowField { name: "c".into(), data_type: DataType::parse("ROW<x INT>").unwrap() }];
    let bytes = rows_to_batch(&nullable, &[json!({"c": null})]).unwrap();
    BatchView::parse(&Schema::parse(&["ROW<x INT NOT NULL>"]).unwrap(), &bytes).unwrap();
    let bytes = rows_to_batch(&nullable, &[json!({"c": {"x": null}})]).unwrap();
    let error = BatchView::parse(&Schema::parse(&["ROW<x INT NOT NULL>"]).unwrap(), &bytes).unwrap_err();
    assert_eq!(error.message, "row 0, field 0 (ROW<`x` INT NOT NULL>): NULL in a NOT NULL field");
}
