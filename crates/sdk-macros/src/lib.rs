//! The macros of `flink-wasm-sdk`, which documents them. They know Rust's syntax only: what a type means is decided by
//! the traits of the SDK.

use proc_macro::TokenStream;

mod attributes;
mod function;
mod outputs;
mod parameters;
mod process;
mod row;
mod state;
mod state_value;

/// Makes a row of a struct with named fields: for a function's input and output, and nested as a `ROW`.
///
/// * `#[row(rename = "order-id")]` on a field: the column's name, where it is not the field's.
/// * `#[row(sql = "CHAR(5)")]` on a field: its SQL type, where a Rust type stands for several. `CHAR(n)`, `VARCHAR(n)`
///   and `STRING` go with text, `BINARY(n)`, `VARBINARY(n)` and `BYTES` with bytes, `TIME(p)` (0 to 3) with `Time`.
///   Whether it is nullable is still said by `Option`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(row::derive))
}

/// Makes parameters of a struct with named fields. Doc comments become the descriptions.
///
/// * `#[parameter(default = 0.2)]`: the value when the job gives none; `#[parameter(default)]`: that of `Default`.
///   Without it the job must give a value, except for an `Option`.
/// * `#[parameter(rename = "..")]`: the parameter's name, where it is not the field's.
#[proc_macro_derive(Parameters, attributes(parameter))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(parameters::derive))
}

/// Makes a map function of a `fn`: one row in, one row out.
///
/// The first argument is the row, by value. Then, in any order and both optional, `&Context` and a reference to a struct
/// with `#[derive(Parameters)]`. It returns a row, or a `Result` with a row and any error that implements `Display`.
///
/// `#[map(name = "..")]` names the function, where that is not the name of the `fn`. The doc comment becomes the
/// description. A crate can have one function only, since a component has one.
///
/// The `fn` stays as it is, for `cargo test`. Beside it stands a type of the same name that implements `MapFunction`.
#[proc_macro_attribute]
pub fn map(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Map, arguments.into(), item.into()).into()
}

/// Makes a filter function of a `fn`: the rows for which it says `true` stay.
///
/// As `map`, but it returns `bool`, or a `Result` with a `bool` and any error that implements `Display`; and the type beside it
/// implements `FilterFunction`.
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Filter, arguments.into(), item.into()).into()
}

/// Makes a process function of the `impl` of a struct with `#[derive(State)]`: rows and timers of keys in, any number of rows out.
///
/// * `fn process(&self, row: Row<'_>, ctx: &KeyedContext<K>, out: &mut O)` takes a row. `K` is the type of the key: a single value,
///   a struct with `#[derive(Row)]` for several columns, or `()` when it is not read. `O` is a `Collector<T>`, or a
///   struct with `#[derive(Outputs)]`. It returns nothing, or `Result<(), E>` with any error that implements `Display`.
/// * `fn on_timer(&self, timer: Timer, ctx: &KeyedContext<K>, out: &mut O)` takes a timer that fired. Only a function that has it may
///   register timers.
/// * `fn open(params: &P) -> Self`, or `-> Result<Self, E>`, makes the function; without it `Default` does.
///
/// `#[process(name = "..")]` names the function, where that is not the struct's name in snake case. The doc comment of the `impl`
/// becomes the description. Other methods stay as they are.
#[proc_macro_attribute]
pub fn process(arguments: TokenStream, item: TokenStream) -> TokenStream {
    process::expand(arguments.into(), item.into()).into()
}

/// Makes the struct of a process function: its fields with `#[state]` are handles of keyed state, such as `ValueState<i64>`, the
/// others are whatever `open` makes of the parameters.
///
/// * `#[state(ttl = "1 h")]`: a value ends so long after it was written last. Units: `ms`, `s`, `min`, `h`, `d`.
/// * `#[state(reduce = |sum, more| sum + more)]`: how a `ReducingState` puts values together: what there is, and what is added. A path
///   such as `i64::max` goes too. Without it `open` makes the state with `ReducingState::new`.
/// * `#[state(name = "..")]`: the name in Flink's state backend, where it is not the field's.
#[proc_macro_derive(State, attributes(state))]
pub fn derive_state(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(state::derive))
}

/// Makes a value of state of a struct or enum, out of values of state.
///
/// `#[state(name = "..")]` on a field or variant: its name in the fingerprint, where that is not the one in Rust; so a field may be
/// renamed in Rust, and old state is still read.
#[proc_macro_derive(StateValue, attributes(state))]
pub fn derive_state_value(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(state_value::derive))
}

/// Makes the outputs of a process function of a struct of collectors: the first is the main output, the others are side outputs.
///
/// `#[output(name = "..")]` names a side output, where that is not the field's name.
#[proc_macro_derive(Outputs, attributes(output))]
pub fn derive_outputs(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(outputs::derive))
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.into_compile_error()).into()
}
