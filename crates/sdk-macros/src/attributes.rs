//! What all macros read from their input: doc comments, fields, lifetimes.

use quote::format_ident;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Data, DeriveInput, Expr, Field, Fields, GenericParam, Ident, Lifetime, Lit, Meta, Type,
};

/// The text of the doc comment, lines joined.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(literal) = &pair.value
            && let Lit::Str(text) = &literal.lit
        {
            lines.extend(text.value().split('\n').map(|line| line.trim().to_string()));
        }
    }
    lines.join("\n").trim().to_string()
}

/// A field's name without the `r#` of a raw identifier.
pub(crate) fn name(field: &Field) -> (Ident, String) {
    let ident = field.ident.clone().unwrap_or_else(|| format_ident!("_"));
    let name = ident.unraw().to_string();
    (ident, name)
}

/// `UserEngagement` becomes `user_engagement`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    text
}

/// The fields of a struct with named fields.
pub(crate) fn named_fields(input: &DeriveInput, what: &str) -> syn::Result<Vec<Field>> {
    let error = |message: String| Err(syn::Error::new_spanned(&input.ident, message));
    let Data::Struct(data) = &input.data else {
        return error(format!("`{what}` is for structs with named fields"));
    };
    match &data.fields {
        Fields::Named(fields) => Ok(fields.named.iter().cloned().collect()),
        Fields::Unnamed(_) => error(format!("`{what}` needs named fields: a column is found by its name")),
        Fields::Unit => Ok(Vec::new()),
    }
}

/// The lifetime of a struct that borrows, and nothing else generic.
pub(crate) fn only_lifetime(input: &DeriveInput) -> syn::Result<Option<Lifetime>> {
    let mut lifetime = None;
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => {
                lifetime = Some(parameter.lifetime.clone())
            }
            GenericParam::Lifetime(parameter) => {
                let message = "a row borrows from one batch: one lifetime is enough";
                return Err(syn::Error::new_spanned(parameter, message));
            }
            other => {
                let message = "a row can't be generic: its SQL type must be known when the function is built";
                return Err(syn::Error::new_spanned(other, message));
            }
        }
    }
    Ok(lifetime)
}

/// Whether `'static` is written anywhere in the type.
pub(crate) fn mentions_static(ty: &Type) -> bool {
    struct Find(bool);

    impl<'ast> Visit<'ast> for Find {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            self.0 |= lifetime.ident == "static";
        }
    }

    let mut find = Find(false);
    find.visit_type(ty);
    find.0
}

/// The type with every lifetime, written or left out of a reference, replaced.
pub(crate) fn with_lifetimes(ty: &Type, lifetime: &str) -> Type {
    struct Replace(Lifetime);

    impl VisitMut for Replace {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            let span = lifetime.span();
            lifetime.clone_from(&self.0);
            lifetime.set_span(span);
        }

        fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
            reference.lifetime.get_or_insert_with(|| self.0.clone());
            visit_mut::visit_type_reference_mut(self, reference);
        }
    }

    let mut ty = ty.clone();
    Replace(Lifetime::new(lifetime, proc_macro2::Span::call_site())).visit_type_mut(&mut ty);
    ty
}
