//! What `wit_bindgen` generates from `wit/`: the only copy of the interface, and the only unsafe code of the SDK.
//!
//! The worlds of `wit/` are put together from three smaller ones, because every generated export macro is public at the
//! root of this crate and may be defined there once only. A component built from `common` and `mapping` has just the
//! imports and exports of the world `map-function`, one from `common` and `filtering` those of `filter-function`, from
//! `common` and `processing` those of `process-function`.
#![allow(unsafe_code, unreachable_pub, missing_docs, clippy::all)]

pub mod common {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package flink-wasm:sdk;
            world common {
                import flink-wasm:udf/types@0.1.0;
                import flink-wasm:udf/context@0.1.0;
                export flink-wasm:udf/descriptor@0.1.0;
                export flink-wasm:udf/lifecycle@0.1.0;
            }
        ",
        world: "flink-wasm:sdk/common",
        pub_export_macro: true,
        export_macro_name: "export_common",
        default_bindings_module: "::flink_wasm::__rt::bindings::common",
        runtime_path: "::flink_wasm::__rt::wit_bindgen::rt",
        additional_derives: [PartialEq],
        generate_all,
        disable_run_ctors_once_workaround: true,
    });
}

pub mod map {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package flink-wasm:sdk;
            world mapping {
                import flink-wasm:udf/collector@0.1.0;
                export flink-wasm:udf/mapper@0.1.0;
            }
        ",
        world: "flink-wasm:sdk/mapping",
        with: { "flink-wasm:udf/types@0.1.0": crate::bindings::common::flink_wasm::udf::types },
        pub_export_macro: true,
        export_macro_name: "export_map",
        default_bindings_module: "::flink_wasm::__rt::bindings::map",
        runtime_path: "::flink_wasm::__rt::wit_bindgen::rt",
        generate_all,
        disable_run_ctors_once_workaround: true,
    });
}

pub mod filter {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package flink-wasm:sdk;
            world filtering {
                export flink-wasm:udf/predicate@0.1.0;
            }
        ",
        world: "flink-wasm:sdk/filtering",
        with: { "flink-wasm:udf/types@0.1.0": crate::bindings::common::flink_wasm::udf::types },
        pub_export_macro: true,
        export_macro_name: "export_filter",
        default_bindings_module: "::flink_wasm::__rt::bindings::filter",
        runtime_path: "::flink_wasm::__rt::wit_bindgen::rt",
        generate_all,
        disable_run_ctors_once_workaround: true,
    });
}

pub mod process {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package flink-wasm:sdk;
            world processing {
                import flink-wasm:udf/effects@0.1.0;
                import flink-wasm:udf/elements@0.1.0;
                export flink-wasm:udf/processor@0.1.0;
            }
        ",
        world: "flink-wasm:sdk/processing",
        with: { "flink-wasm:udf/types@0.1.0": crate::bindings::common::flink_wasm::udf::types },
        pub_export_macro: true,
        export_macro_name: "export_process",
        default_bindings_module: "::flink_wasm::__rt::bindings::process",
        runtime_path: "::flink_wasm::__rt::wit_bindgen::rt",
        generate_all,
        disable_run_ctors_once_workaround: true,
    });
}
