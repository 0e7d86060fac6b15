//! `#[derive(State)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, Field, Ident, LitStr, Type};

use crate::attributes::{name, named_fields};

/// A field with `#[state]`.
struct Handle {
    ident: Ident,
    ty: Type,
    name: String,
    ttl_ms: Option<u64>,
    /// How values of reducing state are put together.
    reduce: Option<Expr>,
}

pub(crate) fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &input.generics,
            "a process function can't be generic: the types of its state must be known when it is built",
        ));
    }
    let mut handles: Vec<Handle> = Vec::new();
    for field in named_fields(&input, "State")? {
        let Some(handle) = handle(field)? else { continue };
        if handles.iter().any(|earlier| earlier.name == handle.name) {
            let message = format!("two states are named `{}`", handle.name);
            return Err(syn::Error::new_spanned(&handle.ident, message));
        }
        handles.push(handle);
    }
    let function = &input.ident;
    let describes = handles.iter().map(|Handle { ty, name, ttl_ms, .. }| {
        let ttl_ms = match ttl_ms {
            Some(millis) => quote!(::std::option::Option::Some(#millis)),
            None => quote!(::std::option::Option::None),
        };
        quote_spanned!(ty.span()=> __rt::describe_state::<#ty>(#name, #ttl_ms))
    });
    let attaches = handles.iter().zip(0_u32..).map(|(Handle { ident, ty, name, reduce, .. }, index)| {
        let reduce = reduce.as_ref().map(|reduce| quote!(self.#ident.reduce_with(#reduce);));
        quote_spanned! {ty.span()=>
            #reduce
            __rt::Handle::attach(
                &self.#ident,
                __rt::Binding { scope: ::std::rc::Rc::clone(scope), index: #index, name: #name },
            )?;
        }
    });
    let idents = handles.iter().map(|handle| &handle.ident);
    Ok(quote! {
        #[allow(clippy::all)]
        const _: () = {
            use ::flink_wasm::__rt;

            impl ::flink_wasm::State for #function {
                fn states() -> ::std::vec::Vec<::flink_wasm::StateDescriptor> {
                    ::std::vec![#(#describes),*]
                }

                fn attach(
                    &self,
                    scope: &::std::rc::Rc<__rt::Scope>,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    let _ = scope;
                    #(#attaches)*
                    ::std::result::Result::Ok(())
                }

                fn visit(&self, handle: &mut dyn ::std::ops::FnMut(&dyn __rt::Handle)) {
                    let _ = &handle;
                    #(handle(&self.#idents);)*
                }
            }
        };
    })
}

fn handle(field: Field) -> syn::Result<Option<Handle>> {
    let (ident, mut name) = name(&field);
    let (mut ttl_ms, mut reduce) = (None, None);
    let mut is_state = false;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("state")) {
        is_state = true;
        if matches!(attribute.meta, syn::Meta::Path(_)) {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("ttl") {
                ttl_ms = Some(duration(&meta.value()?.parse()?)?);
            } else if meta.path.is_ident("name") {
                let text: LitStr = meta.value()?.parse()?;
                if text.value().is_empty() {
                    return Err(syn::Error::new_spanned(text, "a state needs a name"));
                }
                name = text.value();
            } else if meta.path.is_ident("reduce") {
                if !is_named(&field.ty, &["ReducingState"]) {
                    return Err(meta.error("`reduce` is for `ReducingState`"));
                }
                reduce = Some(meta.value()?.parse()?);
            } else {
                return Err(
                    meta.error("expected `ttl = \"1 h\"`, `name = \"..\"` or `reduce = |all, one| ..`")
                );
            }
            Ok(())
        })?;
    }
    if !is_state && is_named(&field.ty, &["ValueState", "ReducingState", "ListState", "MapState"]) {
        return Err(syn::Error::new_spanned(
            &field.ty,
            "`#[state]` is missing: without it Flink does not know of this state",
        ));
    }
    Ok(is_state.then(|| Handle { ident, ty: field.ty, name, ttl_ms, reduce }))
}

fn is_named(ty: &Type, names: &[&str]) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// Milliseconds of a duration such as `1 h`, with the units that Flink's configuration has.
fn duration(text: &LitStr) -> syn::Result<u64> {
    let value = text.value();
    let value = value.trim();
    let digits = value.find(|character: char| !character.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let millis: Option<u64> = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1000),
        "min" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let total = millis.and_then(|millis| number.parse::<u64>().ok()?.checked_mul(millis));
    match total {
        Some(total) if (1..=i64::MAX as u64).contains(&total) => Ok(total),
        _ => Err(syn::Error::new_spanned(
            text,
            "expected a duration above zero such as \"500 ms\", \"10 s\", \"30 min\", \"1 h\" or \"7 d\"",
        )),
    }
}
