//! Values of state as bytes: the format and the fingerprints of docs/state.md, random values, and bytes that no value has.

use std::collections::BTreeMap;
use std::fmt::Debug;

use flink_wasm::decode_state;
use flink_wasm::prelude::*;
use flink_wasm::state::schema_of;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[derive(Clone, Debug, PartialEq, StateValue)]
struct Visit {
    page: String,
    #[state(name = "millis")]
    duration: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, StateValue)]
struct Point(f64, f64);

#[derive(Clone, Debug, PartialEq, StateValue)]
enum Step {
    Idle,
    #[state(name = "Shopping")]
    Browsing {
        visits: Vec<Visit>,
    },
    At(Point, u8),
}

#[derive(Clone, Debug, PartialEq, StateValue)]
struct Versioned<T> {
    version: u32,
    value: T,
}

fn encoded<T: StateValue>(value: &T) -> Vec<u8> {
    let mut data = Vec::new();
    value.encode(&mut data);
    data
}

/// A type: its fingerprint, and a value with its bytes in hexadecimal.
#[track_caller]
fn check<T: StateValue + Debug + PartialEq>(value: T, schema: &str, bytes: &str) {
    assert_eq!(schema_of::<T>(), schema);
    let data = encoded(&value);
    let hex: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex.concat(), bytes.replace(' ', ""), "{schema}");
    assert_eq!(decode_state(&data), Ok(value), "{schema}");
}

#[test]
fn the_format_is_that_of_the_documentation() {
    check(true, "v1:bool", "01");
    check(-2_i8, "v1:i8", "fe");
    check(-2_i16, "v1:i16", "feff");
    check(1_i32, "v1:i32", "01000000");
    check(-2_i64, "v1:i64", "feffffffffffffff");
    check(1_i128, "v1:i128", "01000000000000000000000000000000");
    check(255_u8, "v1:u8", "ff");
    check(258_u16, "v1:u16", "0201");
    check(258_u32, "v1:u32", "02010000");
    check(1_u64, "v1:u64", "0100000000000000");
    check(1_u128, "v1:u128", "01000000000000000000000000000000");
    check(1.5_f32, "v1:f32", "0000c03f");
    check(-0.0_f64, "v1:f64", "0000000000000080");
    check("é".to_string(), "v1:string", "02000000 c3a9");
    check(vec![1_u8, 2], "v1:[u8]", "02000000 01 02");
    check(vec![1_i16, 2], "v1:[i16]", "02000000 0100 0200");
    check(None::<i8>, "v1:option<i8>", "00");
    check(Some(7_i8), "v1:option<i8>", "01 07");
    check((1_i8, "a".to_string()), "v1:(i8,string)", "01 01000000 61");
    check(BTreeMap::from([(2_i8, true), (1, false)]), "v1:map<i8,bool>", "02000000 01 00 02 01");
    check(Date::from_days(-1), "v1:date", "ffffffff");
    check(Time::from_millis(1000).expect("a time"), "v1:time", "e8030000");
    check(Timestamp::<3>::from_nanos(1_000_000), "v1:timestamp(3)", "40420f00000000000000000000000000");
    check(TimestampLtz::<6>::from_nanos(1000), "v1:timestamp_ltz(6)", "e8030000000000000000000000000000");
    let price: Decimal<10, 2> = "-0.01".parse().expect("a decimal");
    check(price, "v1:decimal(10,2)", "ffffffffffffffffffffffffffffffff");
    let visit = Visit { page: "a".into(), duration: Some(1) };
    check(visit.clone(), "v1:{page:string,millis:option<i64>}", "01000000 61 01 0100000000000000");
    check(Point(0.0, 1.0), "v1:(f64,f64)", "0000000000000000 000000000000f03f");
    let step = "v1:enum{Idle,Shopping{visits:[{page:string,millis:option<i64>}]},At((f64,f64),u8)}";
    check(Step::Idle, step, "00");
    check(Step::Browsing { visits: vec![visit] }, step, "01 01000000 01000000 61 01 0100000000000000");
    check(Step::At(Point(0.0, 0.0), 9), step, "02 0000000000000000 0000000000000000 09");
    check(Versioned { version: 2, value: true }, "v1:{version:u32,value:bool}", "02000000 01");
}

#[track_caller]
fn check_malformed<T: StateValue + Debug + PartialEq>(bytes: &[u8], expected: &str) {
    assert_eq!(
        decode_state::<T>(bytes).map_err(|error| error.to_string()),
        Err(expected.into()),
        "{bytes:?}"
    );
}

#[test]
fn bytes_that_no_value_has_are_errors_with_their_place() {
    check_malformed::<i64>(&[0; 7], "expected i64 at byte 0 of 7");
    check_malformed::<i64>(&[0; 9], "expected the end at byte 8 of 9");
    check_malformed::<bool>(&[2], "expected bool: 0 or 1 at byte 0 of 1");
    check_malformed::<bool>(&[], "expected bool: 0 or 1 at byte 0 of 0");
    check_malformed::<String>(&[1, 0, 0, 0, 0xff], "expected string: UTF-8 at byte 0 of 5");
    check_malformed::<String>(&[2, 0, 0, 0, 65], "expected a length within the bytes at byte 0 of 5");
    check_malformed::<String>(&[2, 0], "expected a length at byte 0 of 2");
    check_malformed::<Vec<i128>>(
        &[255, 255, 255, 255, 0],
        "expected a length within the bytes at byte 0 of 5",
    );
    check_malformed::<Vec<i16>>(&[2, 0, 0, 0, 1, 0, 9], "expected i16 at byte 6 of 7");
    check_malformed::<BTreeMap<i8, i8>>(&[2, 0, 0, 0, 1, 1, 1, 2], "expected another map key at byte 6 of 8");
    check_malformed::<Time>(&[255; 4], "expected time: milliseconds of a day at byte 0 of 4");
    check_malformed::<Timestamp<3>>(&[127; 16], "expected timestamp at byte 0 of 16");
    check_malformed::<Decimal<2, 0>>(
        &[100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "expected decimal: digits within its precision at byte 0 of 16",
    );
    check_malformed::<Visit>(&[0, 0, 0, 0, 3], "expected bool: 0 or 1 at byte 4 of 5");
    check_malformed::<Step>(&[3], "expected a variant of Step at byte 0 of 1");
}

/// What holds of every type.
fn check_type<T: StateValue + Debug + PartialEq>(values: impl Strategy<Value = T>) {
    let config = || Config { cases: 256, failure_persistence: None, ..Config::default() };
    let round_trip = TestRunner::new(config()).run(&values, |value| {
        let data = encoded(&value);
        prop_assert!(!data.is_empty());
        // A part of a value is none.
        for end in 0..data.len() {
            prop_assert!(decode_state::<T>(&data[..end]).is_err());
        }
        prop_assert_eq!(decode_state(&data), Ok(value));
        Ok(())
    });
    round_trip.unwrap_or_else(|error| panic!("{}: {error}", schema_of::<T>()));
    // Bytes, of which some start as a value does.
    let data = prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(0_u8..4, 0..40),
        (values, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(value, place, byte)| {
            let mut data = encoded(&value);
            let place = place.index(data.len());
            data[place] = byte;
            data
        }),
    ];
    let any_bytes = TestRunner::new(config()).run(&data, |data| {
        if let Ok(value) = decode_state::<T>(&data) {
            // Map keys may come in any order; they are written in one.
            prop_assert_eq!(encoded(&value).len(), data.len());
        }
        Ok(())
    });
    any_bytes.unwrap_or_else(|error| panic!("{}: {error}", schema_of::<T>()));
}

fn visit() -> impl Strategy<Value = Visit> + Clone {
    (".{0,5}", any::<Option<i64>>()).prop_map(|(page, duration)| Visit { page, duration })
}

#[test]
fn every_type_round_trips_and_reads_any_bytes() {
    check_type(any::<bool>());
    check_type((any::<i8>(), any::<i16>(), any::<i32>(), any::<i64>(), any::<i128>()));
    check_type((any::<u8>(), any::<u16>(), any::<u32>(), any::<u64>(), any::<u128>()));
    check_type((any::<f32>(), any::<f64>()));
    check_type(".*");
    check_type(vec(any::<u8>(), 0..20));
    check_type(any::<Option<Option<bool>>>());
    check_type(vec((any::<bool>(), any::<i64>()), 0..9));
    check_type(btree_map(".{0,3}", vec(any::<i32>(), 0..3), 0..6));
    check_type(any::<i32>().prop_map(Date::from_days));
    check_type((0..86_400_000).prop_map(|millis| Time::from_millis(millis).expect("a time")));
    check_type(any::<i64>().prop_map(|nanos| Timestamp::<9>::from_nanos(nanos.into())));
    check_type(any::<i64>().prop_map(|nanos| TimestampLtz::<3>::from_nanos(nanos.into())));
    check_type(
        (-99_999..=99_999_i128).prop_map(|digits| Decimal::<5, 2>::from_unscaled(digits).expect("fits")),
    );
    check_type(visit());
    check_type(prop_oneof![
        Just(Step::Idle),
        vec(visit(), 0..4).prop_map(|visits| Step::Browsing { visits }),
        (any::<f64>(), any::<f64>(), any::<u8>()).prop_map(|(x, y, z)| Step::At(Point(x, y), z)),
    ]);
}

#[test]
fn a_length_allocates_no_more_than_its_bytes_justify() {
    // As many values as bytes, each of which needs more of them.
    let data = [&1000_u32.to_le_bytes()[..], &[0; 1000]].concat();
    check_malformed::<Vec<i128>>(&data, "expected i128 at byte 996 of 1004");
    let values: Vec<Option<i128>> = decode_state(&data).expect("a thousand of nothing");
    assert!(values.len() == 1000 && values.capacity() <= 2000, "{}", values.capacity());
}

#[test]
#[should_panic(expected = "the type of a state nests deeper than 32 (MAX_STATE_DEPTH)")]
fn a_type_that_contains_itself_is_no_state() {
    #[derive(StateValue)]
    struct Tree {
        children: Vec<Tree>,
    }
    schema_of::<Tree>();
}
