//! `#[derive(Row)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{DeriveInput, Field, Ident, Lifetime, LitStr, Type};

use crate::attributes::{mentions_static, name, named_fields, only_lifetime, with_lifetimes};

struct Column {
    ident: Ident,
    ty: Type,
    /// The same type with `'static` for every lifetime: what does not depend on the batch, such as the writer.
    owned: Type,
    name: String,
    sql: Option<(Family, LitStr)>,
}

#[derive(Clone, Copy)]
enum Family {
    Text,
    Bytes,
    Time,
}

pub(crate) fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    let lifetime = only_lifetime(&input)?;
    let columns: Vec<Column> =
        named_fields(&input, "Row")?.into_iter().map(column).collect::<syn::Result<_>>()?;
    if columns.is_empty() {
        return Err(syn::Error::new_spanned(&input.ident, "a row needs a field"));
    }
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|earlier| earlier.name == column.name) {
            return Err(syn::Error::new_spanned(
                &column.ident,
                format!("two fields are named `{}`", column.name),
            ));
        }
    }
    let checks = columns.iter().filter_map(check_sql);
    // What lives for ever can't be read out of a batch: such a row is for output only.
    let reading = (!columns.iter().any(|column| mentions_static(&column.ty)))
        .then(|| reading(&input, lifetime.as_ref(), &columns));
    let typing = typing(&input, lifetime.as_ref(), &columns);
    let writing = writing(&input, lifetime.as_ref(), &columns);
    Ok(quote! {
        #[doc(hidden)]
        #[allow(missing_docs, unreachable_pub, clippy::all)]
        const _: () = {
            use ::flink_wasm::__rt;
            #(#checks)*
            #typing
            #reading
            #writing
        };
    })
}

/// Numbers that SQL does not have. Told here, because the compiler would repeat the missing trait for every use of the row.
fn check_type(ty: &Type) -> syn::Result<()> {
    struct Numbers(syn::Result<()>);

    impl<'ast> Visit<'ast> for Numbers {
        fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
            let name = path.path.get_ident().map(Ident::to_string).unwrap_or_default();
            let instead = match name.as_str() {
                "u16" => "`i32`",
                "u32" => "`i64`",
                "u64" | "usize" => "`i64`, or `Decimal<20, 0>` for all its values",
                "isize" => "`i64`",
                "u128" | "i128" => "`Decimal<38, 0>`",
                "char" => "`&str` or `String`",
                _ => return syn::visit::visit_type_path(self, path),
            };
            self.0 =
                Err(syn::Error::new_spanned(path, format!("SQL has no type for `{name}`: use {instead}")));
        }
    }

    let mut numbers = Numbers(Ok(()));
    numbers.visit_type(ty);
    numbers.0
}

fn column(field: Field) -> syn::Result<Column> {
    check_type(&field.ty)?;
    let (ident, mut name) = name(&field);
    let mut sql = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                let text: LitStr = meta.value()?.parse()?;
                if text.value().is_empty() {
                    return Err(syn::Error::new_spanned(text, "a column needs a name"));
                }
                name = text.value();
            } else if meta.path.is_ident("sql") {
                sql = Some(parse_sql(meta.value()?.parse()?)?);
            } else {
                return Err(meta.error("expected `rename = \"..\"` or `sql = \"..\"`"));
            }
            Ok(())
        })?;
    }
    let owned = with_lifetimes(&field.ty, "'static");
    Ok(Column { ident, ty: field.ty, owned, name, sql })
}

/// Reads `CHAR(5)`, and gives it back as Flink writes it.
fn parse_sql(text: LitStr) -> syn::Result<(Family, LitStr)> {
    /// The greatest length that Flink knows.
    const MAX_LENGTH: u32 = i32::MAX as u32;
    let fail = |message: &str| Err(syn::Error::new_spanned(&text, message));
    let upper = text.value().trim().to_ascii_uppercase();
    let (base, length) = match upper.split_once('(') {
        Some((base, rest)) => {
            let length = rest.strip_suffix(')').and_then(|length| length.trim().parse::<u32>().ok());
            let Some(length) = length else {
                return fail("expected a whole number in parentheses at the end");
            };
            (base.trim_end(), Some(length))
        }
        None => (upper.as_str(), None),
    };
    let family = match base {
        "CHAR" | "VARCHAR" | "STRING" => Family::Text,
        "BINARY" | "VARBINARY" | "BYTES" => Family::Bytes,
        "TIME" => Family::Time,
        _ if upper.ends_with("NULL") => {
            return fail("nullability is said by the Rust type: `Option<..>` or not");
        }
        _ => {
            return fail(
                "expected CHAR(n), VARCHAR(n), STRING, BINARY(n), VARBINARY(n), BYTES or TIME(p); \
                 all other SQL types have a Rust type of their own",
            );
        }
    };
    match (base, length) {
        ("STRING" | "BYTES", Some(_)) => return fail("this type has no length"),
        ("STRING" | "BYTES" | "TIME", None) => {}
        ("TIME", Some(0..=3)) => {}
        ("TIME", Some(_)) => return fail("Flink keeps milliseconds: the precision of TIME is 0 to 3"),
        (_, None) => return fail("the length is missing, such as in CHAR(5)"),
        (_, Some(1..=MAX_LENGTH)) => {}
        (_, Some(_)) => return fail("the length must be between 1 and 2147483647"),
    }
    let canonical = match length {
        Some(length) => format!("{base}({length})"),
        None => base.to_string(),
    };
    Ok((family, LitStr::new(&canonical, text.span())))
}

/// The SQL type has to go with the Rust type.
fn check_sql(column: &Column) -> Option<TokenStream> {
    let (family, text) = column.sql.as_ref()?;
    let (family, wanted) = match family {
        Family::Text => (quote!(Text), "text: `&str`, `String` or `Cow<str>`"),
        Family::Bytes => (quote!(Bytes), "bytes: `&[u8]`, `Vec<u8>` or `Cow<[u8]>`"),
        Family::Time => (quote!(Time), "`Time`"),
    };
    let message = format!("`#[row(sql = \"{}\")]` goes with {wanted}", text.value());
    let ty = &column.owned;
    Some(quote_spanned! {text.span()=>
        const _: () = assert!(__rt::same_family(<#ty as __rt::SqlType>::FAMILY, __rt::Family::#family), #message);
    })
}

fn fields(columns: &[Column]) -> TokenStream {
    let fields = columns.iter().map(|Column { owned, name, sql, .. }| {
        let sql_type = match sql {
            None => quote_spanned!(owned.span()=> <#owned as __rt::SqlType>::declared_type()),
            Some((_, text)) => quote! {
                __rt::declare(::std::string::String::from(#text), <#owned as __rt::SqlType>::NULLABLE)
            },
        };
        quote!(::flink_wasm::Field { name: ::std::string::String::from(#name), sql_type: #sql_type })
    });
    quote!(::std::vec![#(#fields),*])
}

fn typing(input: &DeriveInput, lifetime: Option<&Lifetime>, columns: &[Column]) -> TokenStream {
    let row = &input.ident;
    let row_generics = lifetime.map(|lifetime| quote!(<#lifetime>));
    let fields = fields(columns);
    quote! {
        impl #row_generics __rt::SqlType for #row #row_generics {
            const FAMILY: __rt::Family = __rt::Family::Other;

            fn sql_type() -> ::std::string::String {
                __rt::row_type(&#fields)
            }
        }
    }
}

fn reading(input: &DeriveInput, lifetime: Option<&Lifetime>, columns: &[Column]) -> TokenStream {
    let (row, visibility) = (&input.ident, &input.vis);
    let row_generics = lifetime.map(|lifetime| quote!(<#lifetime>));
    let batch = lifetime.cloned().unwrap_or_else(|| Lifetime::new("'__batch", row.span()));
    let reader = format_ident!("__{row}Reader");
    let idents: Vec<&Ident> = columns.iter().map(|column| &column.ident).collect();
    let types: Vec<&Type> = columns.iter().map(|column| &column.ty).collect();
    let readers = types.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as __rt::ReadCell<#batch>>::Reader));
    let reads: Vec<TokenStream> = columns
        .iter()
        .map(|Column { ident, ty, .. }| {
            quote_spanned!(ty.span()=> #ident: <#ty as __rt::ReadCell<#batch>>::read_cell(&reader.#ident, index))
        })
        .collect();
    let fields = fields(columns);
    // The columns come in the order of the fields, which is the order in which a struct expression evaluates.
    quote! {
        #visibility struct #reader<#batch> {
            __validity: __rt::Validity<#batch>,
            #(#idents: #readers,)*
        }

        impl<#batch> #reader<#batch> {
            fn fields(
                validity: __rt::Validity<#batch>,
                columns: &mut __rt::Columns<#batch>,
                cells: usize,
            ) -> Self {
                Self { __validity: validity, #(#idents: __rt::CellReader::new(columns, cells),)* }
            }
        }

        impl<#batch> __rt::CellReader<#batch> for #reader<#batch> {
            fn new(columns: &mut __rt::Columns<#batch>, cells: usize) -> Self {
                let validity = __rt::nested::validity(columns, cells);
                Self::fields(validity, columns, cells)
            }

            #[inline]
            fn is_null(&self, index: usize) -> bool {
                self.__validity.is_null(index)
            }
        }

        impl<#batch> __rt::ReadCell<#batch> for #row #row_generics {
            type Reader = #reader<#batch>;

            #[inline]
            fn read_present(reader: &Self::Reader, index: usize) -> Self {
                Self { #(#reads,)* }
            }
        }

        impl<#batch> ::flink_wasm::Input<#batch> for #row #row_generics {
            type Columns = #reader<#batch>;

            fn fields() -> ::std::vec::Vec<::flink_wasm::Field> {
                #fields
            }

            fn columns(batch: &#batch ::flink_wasm::Batch) -> Self::Columns {
                let mut columns = __rt::Columns::new(batch);
                let reader = #reader::fields(__rt::Validity::ALL, &mut columns, batch.row_count as usize);
                columns.finish();
                reader
            }

            #[inline]
            fn read_row(reader: &Self::Columns, index: usize) -> Self {
                Self { #(#reads,)* }
            }
        }
    }
}

fn writing(input: &DeriveInput, lifetime: Option<&Lifetime>, columns: &[Column]) -> TokenStream {
    let (row, visibility) = (&input.ident, &input.vis);
    let row_generics = lifetime.map(|lifetime| quote!(<#lifetime>));
    let writer = format_ident!("__{row}Writer");
    let idents: Vec<&Ident> = columns.iter().map(|column| &column.ident).collect();
    let writers = columns
        .iter()
        .map(|Column { owned, .. }| quote_spanned!(owned.span()=> <#owned as __rt::WriteCell>::Writer));
    let writes: Vec<TokenStream> = columns
        .iter()
        .map(|Column { ident, ty, .. }| {
            quote_spanned!(ty.span()=> <#ty as __rt::WriteCell>::write_cell(&self.#ident, &mut writer.#ident);)
        })
        .collect();
    let fields = fields(columns);
    quote! {
        #[derive(Default)]
        #visibility struct #writer {
            __nulls: __rt::Nulls,
            __cells: usize,
            #(#idents: #writers,)*
        }

        impl __rt::RowWriter for #writer {
            fn finish_fields(&mut self, columns: &mut ::std::vec::Vec<__rt::Column>) {
                #(__rt::CellWriter::finish(&mut self.#idents, columns);)*
            }

            fn reclaim_fields(&mut self, columns: &mut dyn ::std::iter::Iterator<Item = __rt::Column>) {
                #(__rt::CellWriter::reclaim(&mut self.#idents, columns);)*
            }
        }

        impl __rt::CellWriter for #writer {
            fn cells(&self) -> usize {
                self.__cells
            }

            fn push_empty(&mut self) {
                self.__cells += 1;
                #(__rt::CellWriter::push_empty(&mut self.#idents);)*
            }

            fn push_null(&mut self) {
                self.__nulls.mark(self.__cells);
                __rt::CellWriter::push_empty(self);
            }

            fn finish(&mut self, columns: &mut ::std::vec::Vec<__rt::Column>) {
                columns.push(__rt::nested::column(self.__nulls.finish(self.__cells)));
                self.__cells = 0;
                __rt::RowWriter::finish_fields(self, columns);
            }

            fn reclaim(&mut self, columns: &mut dyn ::std::iter::Iterator<Item = __rt::Column>) {
                if let ::std::option::Option::Some(column) = columns.next() {
                    self.__nulls.reclaim(column.validity);
                }
                __rt::RowWriter::reclaim_fields(self, columns);
            }
        }

        impl #row_generics __rt::WriteCell for #row #row_generics {
            type Writer = #writer;

            #[inline]
            fn write_cell(&self, writer: &mut Self::Writer) {
                writer.__cells += 1;
                #(#writes)*
            }
        }

        impl #row_generics ::flink_wasm::Output for #row #row_generics {
            type Columns = #writer;

            fn fields() -> ::std::vec::Vec<::flink_wasm::Field> {
                #fields
            }

            #[inline]
            fn write_row(&self, writer: &mut Self::Columns) {
                #(#writes)*
            }
        }
    }
}
