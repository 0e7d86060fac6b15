//! `#[derive(Outputs)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, LitStr, Type};

use crate::attributes::{name, named_fields};

struct Collector {
    ident: Ident,
    ty: Type,
    name: String,
}

pub(crate) fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &input.generics,
            "outputs can't be generic: their SQL types must be known when the function is built",
        ));
    }
    let mut collectors: Vec<Collector> = Vec::new();
    for field in named_fields(&input, "Outputs")? {
        let (ident, mut name) = name(&field);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("output")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("name") {
                    return Err(meta.error("expected `name = \"..\"`"));
                }
                name = meta.value()?.parse::<LitStr>()?.value();
                Ok(())
            })?;
        }
        if collectors.iter().any(|earlier| earlier.name == name) {
            return Err(syn::Error::new_spanned(&ident, format!("two outputs are named `{name}`")));
        }
        collectors.push(Collector { ident, ty: field.ty, name });
    }
    let Some((main, sides)) = collectors.split_first() else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "the main output is missing: it is the first field",
        ));
    };
    let outputs = &input.ident;
    let fields = |ty: &Type| quote_spanned!(ty.span()=> <#ty as ::flink_wasm::Outputs>::main());
    let main_fields = fields(&main.ty);
    let side_outputs = sides.iter().map(|Collector { ty, name, .. }| {
        let fields = fields(ty);
        quote!(::flink_wasm::SideOutput { name: ::std::string::String::from(#name), fields: #fields })
    });
    let idents: Vec<&Ident> = collectors.iter().map(|collector| &collector.ident).collect();
    let types = collectors.iter().map(|collector| &collector.ty);
    let (main_ident, side_idents) = (idents[0], &idents[1..]);
    let indices = 0..idents.len() as u32;
    Ok(quote! {
        #[allow(clippy::all)]
        const _: () = {
            impl ::std::default::Default for #outputs {
                fn default() -> Self {
                    Self { #(#idents: <#types as ::std::default::Default>::default(),)* }
                }
            }

            impl ::flink_wasm::Outputs for #outputs {
                fn main() -> ::std::vec::Vec<::flink_wasm::Field> {
                    #main_fields
                }

                fn sides() -> ::std::vec::Vec<::flink_wasm::SideOutput> {
                    ::std::vec![#(#side_outputs),*]
                }

                #[inline]
                fn begin(&mut self, main: ::std::primitive::i64, side: ::std::primitive::i64) {
                    ::flink_wasm::Collector::begin(&mut self.#main_ident, main);
                    let _ = side;
                    #(::flink_wasm::Collector::begin(&mut self.#side_idents, side);)*
                }

                fn emit(&mut self, effects: &mut dyn ::flink_wasm::Effects) {
                    #(::flink_wasm::Collector::emit(&mut self.#idents, #indices, effects);)*
                }

                fn discard(&mut self) {
                    #(::flink_wasm::Collector::discard(&mut self.#idents);)*
                }
            }
        };
    })
}
