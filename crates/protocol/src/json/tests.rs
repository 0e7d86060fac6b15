use super::*;

fn field(data_type: &str) -> Vec<RowField> {
    vec![RowField { name: "c".into(), data_type: DataType::parse(data_type).unwrap() }]
}

#[track_caller]
fn round_trip(data_type: &str, value: &str, expected: &str) {
    let fields = field(data_type);
    let row: Value = serde_json::from_str(&format!("{{\"c\":{value}}}")).unwrap();
    let bytes = rows_to_batch(&fields, &[row]).unwrap_or_else(|error| panic!("{data_type} {value}: {error}"));
    let schema = schema_of(&fields).unwrap();
    let rows = batch_to_rows(&fields, &BatchView::parse(&schema, &bytes).unwrap()).unwrap();
    assert_eq!(rows[0]["c"].to_string(), expected, "{data_type} {value}");
}

#[track_caller]
fn same(data_type: &str, value: &str) {
    round_trip(data_type, value, value);
}

#[test]
fn every_type() {
    same("BOOLEAN", "true");
    same("TINYINT", "-128");
    same("SMALLINT", "32767");
    same("INT", "-2147483648");
    same("BIGINT NOT NULL", "9223372036854775807");
    same("BIGINT", "null");
    same("FLOAT", "0.1");
    same("DOUBLE", "0.1");
    round_trip("DOUBLE", "1", "1.0");
    same("DOUBLE", "\"NaN\"");
    same("FLOAT", "\"-Infinity\"");
    round_trip("DECIMAL(10, 2)", "12.1", "12.1");
    round_trip("DECIMAL(10, 2)", "\"12.10\"", "12.1");
    round_trip("DECIMAL(10, 2)", "-0.01", "-0.01");
    round_trip("DECIMAL(10, 2)", "1e3", "1000.0");
    same("DECIMAL(10, 0)", "9999999999");
    same("DECIMAL(38, 2)", "\"123456789012345678901234567890123456.78\"");
    same("DECIMAL(38, 0)", "\"-99999999999999999999999999999999999999\"");
    same("DECIMAL(5, 5)", "0.00001");
    same("STRING", "\"héllo\"");
    same("CHAR(2)", "\"é€\"");
    same("BYTES", "\"AP8Q\"");
    same("DATE", "\"2026-01-31\"");
    same("DATE", "\"0001-01-01\"");
    same("DATE", "\"2024-02-29\"");
    same("TIME(3)", "\"12:34:56.789\"");
    same("TIME", "\"00:00:00\"");
    same("TIMESTAMP(3)", "\"2026-01-31 12:34:56.789\"");
    round_trip("TIMESTAMP(3)", "\"2026-01-31T12:34:56.700\"", "\"2026-01-31 12:34:56.7\"");
    same("TIMESTAMP(6)", "\"1969-12-31 23:59:59.999999\"");
    same("TIMESTAMP(9)", "\"9999-12-31 23:59:59.999999999\"");
    same("TIMESTAMP_LTZ(3)", "\"2026-01-31 12:34:56.789Z\"");
    same("TIMESTAMP_LTZ(9)", "\"1900-01-01 00:00:00.000000001Z\"");
    same("ARRAY<INT>", "[1,null,3]");
    same("ARRAY<ARRAY<STRING>>", "[[\"a\"],null,[]]");
    same("MAP<STRING, ARRAY<INT>>", r#"{"a":[1],"b":null}"#);
    same("MAP<INT, BOOLEAN>", r#"{"1":true,"-2":false}"#);
    same("ROW<a INT, b ROW<c STRING NOT NULL>>", r#"{"a":1,"b":{"c":"x"}}"#);
    same("ROW<a INT NOT NULL, b ROW<c STRING NOT NULL> NOT NULL>", "null");
    round_trip("ROW<a INT, b INT>", "{}", r#"{"a":null,"b":null}"#);
}

#[track_caller]
fn refused(data_type: &str, value: &str, message: &str) {
    let row: Value = serde_json::from_str(value).unwrap();
    let error = rows_to_batch(&field(data_type), &[row]).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::SchemaViolated, message));
}

#[test]
fn errors_name_row_and_column() {
    refused("INT NOT NULL", "{}", "row 0, column `c`: NULL in a field of type INT NOT NULL");
    refused("INT", "[]", "row 0: expected an object, found []");
    refused("INT", r#"{"C":1}"#, "row 0: there is no field `C`; did you mean `c`?");
    refused("INT", r#"{"c":2147483648}"#, "row 0, column `c`: expected INT, found 2147483648");
    refused("INT", r#"{"c":1.5}"#, "row 0, column `c`: expected INT, found 1.5");
    refused("TINYINT", r#"{"c":"1"}"#, "row 0, column `c`: expected TINYINT, found \"1\"");
    refused("FLOAT", r#"{"c":1e39}"#, "row 0, column `c`: expected FLOAT, found 1e+39");
    refused(
        "DECIMAL(4, 2)",
        r#"{"c":100.00}"#,
        "row 0, column `c`: expected DECIMAL(4, 2), found 100.0; give a number of more than 15 digits as a string",
    );
    refused(
        "DECIMAL(4, 2)",
        r#"{"c":"1.001"}"#,
        "row 0, column `c`: expected DECIMAL(4, 2), found \"1.001\"",
    );
    refused("VARCHAR(2)", r#"{"c":"abc"}"#, "row 0, column `c`: 3 characters do not fit in VARCHAR(2)");
    refused("BYTES", r#"{"c":"?"}"#, "row 0, column `c`: expected base64, found \"?\"");
    refused("DATE", r#"{"c":"2026-02-30"}"#, "row 0, column `c`: expected DATE, found \"2026-02-30\"");
    refused("TIME", r#"{"c":"24:00:00"}"#, "row 0, column `c`: expected TIME(0), found \"24:00:00\"");
    refused(
        "TIMESTAMP(3)",
        r#"{"c":"2026-01-31 12:34:56.7891"}"#,
        "row 0, column `c`: expected TIMESTAMP(3), found \"2026-01-31 12:34:56.7891\"",
    );
    refused(
        "ARRAY<ROW<x INT>>",
        r#"{"c":[{"x":1},{"x":"y"}]}"#,
        "row 0, column `c[1].x`: expected INT, found \"y\"",
    );
    refused("MAP<STRING, INT>", r#"{"c":{"k":true}}"#, "row 0, column `c[\"k\"]`: expected INT, found true");
}
