//! `#[derive(Parameters)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, ExprLit, Field, Lit, LitStr};

use crate::attributes::{doc, name, named_fields};

pub(crate) fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &input.generics,
            "parameters can't be generic and own their values",
        ));
    }
    let mut describes = Vec::new();
    let mut takes = Vec::new();
    let mut names = Vec::new();
    for field in named_fields(&input, "Parameters")? {
        let (ident, name, default) = parameter(&field)?;
        if names.contains(&name) {
            return Err(syn::Error::new_spanned(ident, format!("two parameters are named `{name}`")));
        }
        let (ty, description) = (&field.ty, doc(&field.attrs));
        describes.push(quote_spanned!(ty.span()=> __rt::describe::<#ty>(#name, #description, #default)));
        takes.push(quote_spanned!(ty.span()=> #ident: values.take::<#ty>(#name, #default)?));
        names.push(name);
    }
    let parameters = &input.ident;
    Ok(quote! {
        #[allow(clippy::all)]
        const _: () = {
            use ::flink_wasm::__rt;

            impl ::flink_wasm::Parameters for #parameters {
                fn describe() -> ::std::vec::Vec<::flink_wasm::Parameter> {
                    ::std::vec![#(#describes),*]
                }

                fn from_json(
                    values: &::std::primitive::str,
                ) -> ::std::result::Result<Self, ::std::string::String> {
                    let mut values = __rt::Values::parse(values)?;
                    let parameters = Self { #(#takes,)* };
                    values.finish()?;
                    ::std::result::Result::Ok(parameters)
                }
            }
        };
    })
}

/// The field, the parameter's name, and an `Option<fn() -> T>` with its default.
fn parameter(field: &Field) -> syn::Result<(syn::Ident, String, TokenStream)> {
    let (ident, mut name) = name(field);
    let ty = &field.ty;
    let mut default = quote!(::std::option::Option::None);
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("parameter")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                let value = if meta.input.peek(syn::Token![=]) {
                    match meta.value()?.parse()? {
                        // So that a default for a `String` needs no `.into()`.
                        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                            quote!(::std::convert::Into::into(#text))
                        }
                        value => quote!(#value),
                    }
                } else {
                    quote!(::std::default::Default::default())
                };
                default = quote_spanned! {ty.span()=> {
                    fn default() -> #ty { #value }
                    ::std::option::Option::Some(default as fn() -> #ty)
                }};
            } else if meta.path.is_ident("rename") {
                name = meta.value()?.parse::<LitStr>()?.value();
            } else {
                return Err(meta.error("expected `default`, `default = ..` or `rename = \"..\"`"));
            }
            Ok(())
        })?;
    }
    Ok((ident, name, default))
}
