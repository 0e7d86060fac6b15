use flink_wasm::prelude::*;

#[derive(Row)]
struct NotText {
    #[row(sql = "CHAR(5)")]
    id: i64,
}

#[derive(Row)]
struct NoLength {
    #[row(sql = "VARCHAR")]
    id: String,
}

#[derive(Row)]
struct Zero {
    #[row(sql = "BINARY(0)")]
    id: Vec<u8>,
}

#[derive(Row)]
struct Unknown {
    #[row(sql = "BIGINT")]
    id: i64,
}

#[derive(Row)]
struct Nullability {
    #[row(sql = "STRING NOT NULL")]
    id: String,
}

#[derive(Row)]
struct Option {
    #[row(name = "x")]
    id: String,
}

fn main() {}
