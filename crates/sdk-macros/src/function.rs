//! `#[map]` and `#[filter]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericParam, ItemFn, LitStr, ReturnType, Signature, Type};

use crate::attributes::{doc, with_lifetimes};

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Map,
    Filter,
}

/// What follows the row in a function's arguments, in the order of the arguments.
enum Extra {
    Context,
    Parameters,
}

struct Function {
    row: Type,
    extras: Vec<Extra>,
    parameters: Option<Type>,
    returned: Type,
}

/// On an error the `fn` stays in the code, so that its users do not fail too.
pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let message = "this attribute goes on a `fn` at the top level of a module";
            let error = Error::new(item.span(), message).into_compile_error();
            return quote!(#error #item);
        }
    };
    match try_expand(kind, arguments, &function) {
        Ok(code) => code,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #[allow(dead_code)] #function)
        }
    }
}

fn try_expand(kind: Kind, arguments: TokenStream, item: &ItemFn) -> syn::Result<TokenStream> {
    let mut name = item.sig.ident.unraw().to_string();
    syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("expected `name = \"..\"`"));
        }
        name = meta.value()?.parse::<LitStr>()?.value();
        Ok(())
    })
    .parse2(arguments)?;
    check_signature(&item.sig)?;
    let function = read_signature(kind, &item.sig)?;
    Ok(generate(kind, item, &name, &function))
}

fn check_signature(signature: &Signature) -> syn::Result<()> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(
            token,
            "a function can't be `async`: async code that works in a unit test breaks once it is serialised into a \
             cluster, because the operator calls functions synchronously, a batch at a time, and nothing would poll \
             the future\n\
             help: write a plain `fn`; what needs I/O belongs in a source, a sink or a lookup join of the job",
        ));
    }
    if let Some(token) = &signature.unsafety {
        return Err(Error::new_spanned(
            token,
            "a function can't be `unsafe`: the SDK calls it for every row",
        ));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(
            abi,
            "a function is a plain Rust `fn`; the SDK writes the component's exports",
        ));
    }
    if let Some(generic) =
        signature.generics.params.iter().find(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
    {
        return Err(Error::new_spanned(
            generic,
            "a function can't be generic: its SQL types must be known when it is built",
        ));
    }
    Ok(())
}

fn read_signature(kind: Kind, signature: &Signature) -> syn::Result<Function> {
    let mut types = Vec::new();
    for argument in &signature.inputs {
        match argument {
            FnArg::Typed(argument) => types.push(&*argument.ty),
            FnArg::Receiver(receiver) => {
                return Err(Error::new_spanned(
                    receiver,
                    "a function can't be a method: write a `fn` without `self`; what it has to know goes in a struct \
                     with `#[derive(Parameters)]`",
                ));
            }
        }
    }
    let Some((row, rest)) = types.split_first() else {
        return Err(Error::new_spanned(
            &signature.ident,
            "the row is missing: a function takes its row as first argument, such as `order: Order<'_>` or `payload: &[u8]`",
        ));
    };
    if is_context(row) {
        return Err(Error::new_spanned(row, "the row comes first; `&Context` follows it"));
    }
    let (extras, parameters) = read_extras(rest)?;
    let returned = match (&signature.output, kind) {
        (ReturnType::Type(_, ty), _) => (**ty).clone(),
        (ReturnType::Default, Kind::Map) => {
            return Err(Error::new_spanned(
                &signature.ident,
                "a map must return its row: add `-> Row`, or `-> Result<Row, E>` with any `E: Display`",
            ));
        }
        (ReturnType::Default, Kind::Filter) => {
            return Err(Error::new_spanned(
                &signature.ident,
                "a filter must say whether the row is kept: add `-> bool`, or `-> Result<bool, E>` with any `E: Display`",
            ));
        }
    };
    if let Type::ImplTrait(ty) = &returned {
        return Err(Error::new_spanned(
            ty,
            "the return type must be named: its SQL type is part of the function",
        ));
    }
    Ok(Function { row: (*row).clone(), extras, parameters, returned })
}

fn read_extras(types: &[&Type]) -> syn::Result<(Vec<Extra>, Option<Type>)> {
    let mut extras = Vec::new();
    let mut parameters = None;
    let mut context = false;
    for ty in types {
        let Type::Reference(reference) = ty else {
            return Err(Error::new_spanned(
                ty,
                "after the row a function takes `&Context` and a reference to its parameters only\n\
                 help: several columns are the fields of one struct with `#[derive(Row)]`",
            ));
        };
        if let Some(token) = &reference.mutability {
            return Err(Error::new_spanned(
                token,
                "a map or filter keeps no state: parameters and context are shared references",
            ));
        }
        if is_context(ty) {
            if context {
                return Err(Error::new_spanned(ty, "the context is given once"));
            }
            context = true;
            extras.push(Extra::Context);
        } else {
            if parameters.is_some() {
                return Err(Error::new_spanned(
                    ty,
                    "too many arguments: a function takes its row, one struct of parameters and `&Context`",
                ));
            }
            parameters = Some((*reference.elem).clone());
            extras.push(Extra::Parameters);
        }
    }
    Ok((extras, parameters))
}

fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Context")
}

fn generate(kind: Kind, item: &ItemFn, name: &str, function: &Function) -> TokenStream {
    let (ident, visibility) = (&item.sig.ident, &item.vis);
    let Function { row, extras, parameters, returned } = function;
    let description = doc(&item.attrs);
    let any_row = with_lifetimes(row, "'_");
    let static_return = with_lifetimes(returned, "'static");
    let parameters = match parameters {
        Some(ty) => quote!(#ty),
        None => quote!(()),
    };
    // Spans decide where the compiler points when a trait is missing: at the types that the author wrote.
    let read = quote_spanned!(row.span()=> <#any_row as ::flink_wasm::Input<'_>>);
    let input = quote_spanned!(row.span()=> <#any_row as ::flink_wasm::Input<'_>>::fields());
    // Variables of the generated code must not hide a function of the same name, such as `keep` or `rows`.
    let site = Span::mixed_site();
    let arguments = extras.iter().map(|extra| match extra {
        Extra::Context => quote_spanned!(site=> context),
        Extra::Parameters => quote_spanned!(site=> &self.parameters),
    });
    let call = quote_spanned!(site=> #ident(#read::read_row(&columns, row as usize), #(#arguments),*));
    let doc = format!("The function [`{name}`](fn@{ident}) over batches.");
    let context = match extras.iter().any(|extra| matches!(extra, Extra::Context)) {
        true => quote_spanned!(site=> context),
        false => quote_spanned!(site=> _context),
    };
    let (variant, function_trait, export, output_type, output_fields) = match kind {
        Kind::Map => {
            let map_row = quote_spanned!(returned.span()=> <#static_return as ::flink_wasm::MapReturn>::Row);
            (
                format_ident!("Map"),
                quote!(::flink_wasm::MapFunction),
                quote!(__export_map),
                quote!(::flink_wasm::__rt::MapOutput<<#map_row as ::flink_wasm::Output>::Columns>),
                quote_spanned!(returned.span()=> <#map_row as ::flink_wasm::Output>::fields()),
            )
        }
        Kind::Filter => (
            format_ident!("Filter"),
            quote!(::flink_wasm::FilterFunction),
            quote!(__export_filter),
            quote!(()),
            quote!(::std::vec::Vec::new()),
        ),
    };
    let run = match kind {
        Kind::Map => {
            let into_row = quote_spanned!(returned.span()=> ::flink_wasm::MapReturn::into_row);
            quote_spanned! {site=>
                fn map_batch(
                    &mut self,
                    rows: &::flink_wasm::Batch,
                    #context: &::flink_wasm::Context,
                    emit: &mut dyn ::std::ops::FnMut(&::flink_wasm::Batch, &[::std::primitive::u32]),
                ) -> ::std::vec::Vec<::flink_wasm::RowFailure> {
                    let columns = #read::columns(rows);
                    let mut failures = ::std::vec::Vec::new();
                    for row in 0..rows.row_count {
                        match #into_row(#call) {
                            ::std::result::Result::Ok(output) => self.output.push(&output, row),
                            ::std::result::Result::Err(failure) => {
                                failures.push(failure.at(row));
                            }
                        }
                    }
                    self.output.emit(emit);
                    failures
                }
            }
        }
        Kind::Filter => {
            let into_keep = quote_spanned!(returned.span()=> ::flink_wasm::FilterReturn::into_keep);
            quote_spanned! {site=>
                fn filter_batch(
                    &mut self,
                    rows: &::flink_wasm::Batch,
                    #context: &::flink_wasm::Context,
                ) -> (::std::vec::Vec<::std::primitive::u8>, ::std::vec::Vec<::flink_wasm::RowFailure>) {
                    let columns = #read::columns(rows);
                    let mut keep: ::flink_wasm::__rt::FilterOutput = ::std::default::Default::default();
                    let mut failures = ::std::vec::Vec::new();
                    for row in 0..rows.row_count {
                        keep.push(match #into_keep(#call) {
                            ::std::result::Result::Ok(keep) => keep,
                            ::std::result::Result::Err(failure) => {
                                failures.push(failure.at(row));
                                false
                            }
                        });
                    }
                    (keep.finish(), failures)
                }
            }
        }
    };
    quote! {
        #[allow(dead_code)]
        #item

        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code)]
        #visibility struct #ident {
            parameters: #parameters,
            output: #output_type,
        }

        #[allow(clippy::all)]
        impl #function_trait for #ident {
            fn describe() -> ::flink_wasm::Descriptor {
                ::flink_wasm::Descriptor {
                    name: ::std::string::String::from(#name),
                    version: ::std::string::String::from(::std::env!("CARGO_PKG_VERSION")),
                    kind: ::flink_wasm::Kind::#variant,
                    description: ::std::string::String::from(#description),
                    input: #input,
                    output: #output_fields,
                    parameters: <#parameters as ::flink_wasm::Parameters>::describe(),
                    key: ::std::vec::Vec::new(),
                    states: ::std::vec::Vec::new(),
                    side_outputs: ::std::vec::Vec::new(),
                    timers: false,
                }
            }

            fn open(
                parameters: &::std::primitive::str,
            ) -> ::std::result::Result<Self, ::std::string::String> {
                ::std::result::Result::Ok(Self {
                    parameters: <#parameters as ::flink_wasm::Parameters>::from_json(parameters)?,
                    output: ::std::default::Default::default(),
                })
            }

            #run
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, clippy::all)]
        const _: () = {
            ::flink_wasm::#export!(#ident);
        };
    }
}
