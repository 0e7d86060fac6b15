//! `#[derive(StateValue)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, GenericParam, Ident, LitStr, Member, Variant};

/// A variant's number takes one byte.
const MAX_VARIANTS: usize = 256;

pub(crate) fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    if let Some(lifetime) =
        input.generics.params.iter().find(|parameter| matches!(parameter, GenericParam::Lifetime(_)))
    {
        let message =
            "a value of state outlives its batch: it owns what it holds, so `String` and not `&str`";
        return Err(Error::new_spanned(lifetime, message));
    }
    let Body { name, encode, decode } = match &input.data {
        Data::Struct(data) => of_struct(&input.ident, &data.fields)?,
        Data::Enum(data) => of_enum(&input.ident, &Vec::from_iter(&data.variants))?,
        Data::Union(_) => {
            return Err(Error::new_spanned(&input.ident, "`StateValue` is for structs and enums"));
        }
    };
    let value = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(::flink_wasm::StateValue));
    }
    let (for_types, of_types, conditions) = generics.split_for_impl();
    Ok(quote! {
        #[allow(clippy::all)]
        impl #for_types ::flink_wasm::StateValue for #value #of_types #conditions {
            fn write_type(text: &mut ::flink_wasm::TypeText) {
                #name
            }

            #[inline]
            fn encode(&self, data: &mut ::std::vec::Vec<::std::primitive::u8>) {
                #encode
            }

            #[inline]
            fn decode(
                input: &mut ::flink_wasm::Decoder<'_>,
            ) -> ::std::result::Result<Self, ::flink_wasm::DecodeError> {
                #decode
            }
        }
    })
}

/// The bodies of the three methods.
struct Body {
    name: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

fn of_struct(value: &Ident, fields: &Fields) -> syn::Result<Body> {
    if fields.is_empty() {
        let message = "a value of state needs a field: to remember that something was there, `bool` does";
        return Err(Error::new_spanned(value, message));
    }
    let Parts { name, pattern, encode, decode } = parts(fields)?;
    Ok(Body {
        name,
        encode: quote!(let Self #pattern = self; #encode),
        decode: quote!(::std::result::Result::Ok(Self #decode)),
    })
}

fn of_enum(value: &Ident, variants: &[&Variant]) -> syn::Result<Body> {
    if variants.is_empty() {
        return Err(Error::new_spanned(value, "a value of state needs a variant"));
    }
    if variants.len() > MAX_VARIANTS {
        let message = format!("a value of state has at most {MAX_VARIANTS} variants");
        return Err(Error::new_spanned(value, message));
    }
    let (mut names, mut encodes, mut decodes) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = Vec::new();
    for (number, variant) in variants.iter().enumerate() {
        let (number, ident) = (number as u8, &variant.ident);
        let separator = (number > 0).then(|| quote!(text.push(",");));
        let label = label(&variant.ident, &variant.attrs, &mut taken)?;
        let Parts { name, pattern, encode, decode } = parts(&variant.fields)?;
        names.push(quote!(#separator text.push(#label); #name));
        encodes.push(quote!(Self::#ident #pattern => { data.push(#number); #encode }));
        decodes.push(quote!(#number => ::std::result::Result::Ok(Self::#ident #decode),));
    }
    let (count, expected) = (variants.len() as u16, format!("a variant of {}", value.unraw()));
    Ok(Body {
        name: quote!(text.push("enum{"); #(#names)* text.push("}");),
        encode: quote!(match self { #(#encodes)* }),
        decode: quote! {
            match input.case(#count, #expected)? {
                #(#decodes)*
                _ => ::std::result::Result::Err(input.error(#expected)),
            }
        },
    })
}

/// Code for the fields of a struct or variant.
struct Parts {
    /// Writes `{count:i64}` or `(i64,string)`, or nothing when there are no fields.
    name: TokenStream,
    pattern: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

fn parts(fields: &Fields) -> syn::Result<Parts> {
    let (open, close) = match fields {
        Fields::Named(_) => ("{", "}"),
        Fields::Unnamed(_) => ("(", ")"),
        Fields::Unit => {
            let [name, pattern, encode, decode] = Default::default();
            return Ok(Parts { name, pattern, encode, decode });
        }
    };
    let (mut names, mut patterns, mut encodes, mut decodes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut taken = Vec::new();
    for (index, (member, field)) in fields.members().zip(fields).enumerate() {
        let separator = (index > 0).then(|| quote!(text.push(",");));
        let label = match &member {
            Member::Named(ident) => {
                let label = format!("{}:", label(ident, &field.attrs, &mut taken)?);
                Some(quote!(text.push(#label);))
            }
            Member::Unnamed(_) => None,
        };
        let (ty, binding) = (&field.ty, format_ident!("field_{index}"));
        names.push(quote!(#separator #label));
        names.push(quote_spanned!(ty.span()=> text.nest::<#ty>();));
        patterns.push(quote!(#member: #binding));
        encodes.push(quote_spanned!(ty.span()=> <#ty as ::flink_wasm::StateValue>::encode(#binding, data);));
        let decode = quote_spanned!(ty.span()=> <#ty as ::flink_wasm::StateValue>::decode(input)?);
        decodes.push(quote!(#member: #decode));
    }
    Ok(Parts {
        name: quote!(text.push(#open); #(#names)* text.push(#close);),
        pattern: quote!({ #(#patterns),* }),
        encode: quote!(#(#encodes)*),
        decode: quote!({ #(#decodes),* }),
    })
}

/// The name of a field or variant in the fingerprint.
fn label(ident: &Ident, attributes: &[Attribute], taken: &mut Vec<String>) -> syn::Result<String> {
    let mut label = ident.unraw().to_string();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("state")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("expected `name = \"..\"`"));
            }
            let text: LitStr = meta.value()?.parse()?;
            label = text.value();
            let is_plain = |character: char| character.is_alphanumeric() || "_-".contains(character);
            if label.is_empty() || !label.chars().all(is_plain) {
                let message = "expected a name of letters, digits, `_` and `-`";
                return Err(Error::new_spanned(text, message));
            }
            Ok(())
        })?;
    }
    if taken.contains(&label) {
        return Err(Error::new_spanned(ident, format!("two of these are named `{label}`")));
    }
    taken.push(label.clone());
    Ok(label)
}
