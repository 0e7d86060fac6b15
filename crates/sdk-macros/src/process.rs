//! `#[process]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, GenericArgument, GenericParam, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr,
    PathArguments, ReturnType, Signature, Type,
};

use crate::attributes::{doc, snake_case, with_lifetimes};

/// What the three methods say of a function.
struct Function {
    function: Ident,
    row: Type,
    key: Type,
    outputs: Type,
    /// The span of what `process` returns.
    returned: Span,
    on_timer: Option<OnTimer>,
    open: Option<Open>,
}

/// Where the compiler points when `on_timer` does not go with `process`.
struct OnTimer {
    key: Span,
    outputs: Span,
    returned: Span,
}

struct Open {
    parameters: Option<Type>,
    returned: Span,
}

/// On an error the `impl` stays in the code, so that its users do not fail too.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let block: ItemImpl = match syn::parse2(item.clone()) {
        Ok(block) => block,
        Err(_) => {
            let message = "this attribute goes on the `impl` of a struct with `#[derive(State)]`";
            let error = Error::new(item.span(), message).into_compile_error();
            return quote!(#error #item);
        }
    };
    match try_expand(arguments, &block) {
        Ok(code) => code,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #[allow(dead_code)] #block)
        }
    }
}

fn try_expand(arguments: TokenStream, block: &ItemImpl) -> syn::Result<TokenStream> {
    let function = read(block)?;
    let mut name = snake_case(&function.function.unraw().to_string());
    syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("expected `name = \"..\"`"));
        }
        name = meta.value()?.parse::<LitStr>()?.value();
        Ok(())
    })
    .parse2(arguments)?;
    Ok(generate(block, &name, &function))
}

fn read(block: &ItemImpl) -> syn::Result<Function> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new_spanned(
            path,
            "`#[process]` goes on the `impl` of a struct itself, not of a trait",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &block.generics,
            "a function can't be generic: its SQL types must be known when it is built",
        ));
    }
    let Type::Path(path) = &*block.self_ty else {
        return Err(Error::new_spanned(&block.self_ty, "expected the name of a struct"));
    };
    let Some(function) = path.path.get_ident().cloned() else {
        return Err(Error::new_spanned(path, "expected the name of a struct of this module"));
    };
    let method = |name: &str| {
        block.items.iter().find_map(|item| match item {
            ImplItem::Fn(method) if method.sig.ident == name => Some(method),
            _ => None,
        })
    };
    let Some(process) = method("process") else {
        return Err(Error::new_spanned(
            &function,
            "`process` is missing: `fn process(&self, row: Row<'_>, ctx: &KeyedContext<i64>, out: &mut Collector<Row>)`",
        ));
    };
    let [row, key, outputs] = item_arguments(process, "row", "row: Row<'_>")?;
    let on_timer = method("on_timer").map(|method| {
        let [_, key, outputs] = item_arguments(method, "timer", "timer: Timer")?;
        let (key, outputs) = (here(key.span()), here(outputs.span()));
        syn::Result::Ok(OnTimer { key, outputs, returned: returned(&method.sig) })
    });
    Ok(Function {
        function,
        row,
        key,
        outputs,
        returned: returned(&process.sig),
        on_timer: on_timer.transpose()?,
        open: method("open").map(open).transpose()?,
    })
}

/// What the item is, the type of the key, and that of the outputs.
fn item_arguments(method: &ImplItemFn, item: &str, example: &str) -> syn::Result<[Type; 3]> {
    let (signature, name) = (&method.sig, &method.sig.ident);
    check_signature(signature)?;
    let wanted = format!(
        "`{name}` takes `&self, {example}, ctx: &KeyedContext<K>, out: &mut O`, where `K` is the type of the key and `O` a \
         `Collector<Row>` or a struct with `#[derive(Outputs)]`"
    );
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if receiver.reference.is_some() && receiver.mutability.is_none() => {}
        Some(FnArg::Receiver(receiver)) => {
            return Err(Error::new_spanned(
                receiver,
                "a process function takes `&self`: nothing survives a batch but state, which changes through \
                 `ValueState` and its like",
            ));
        }
        _ => return Err(Error::new_spanned(name, wanted)),
    }
    let types: Vec<&Type> = inputs
        .filter_map(|input| match input {
            FnArg::Typed(input) => Some(&*input.ty),
            FnArg::Receiver(_) => None,
        })
        .collect();
    let [subject, context, outputs] = types.as_slice() else {
        return Err(Error::new_spanned(name, wanted));
    };
    if matches!(subject, Type::Reference(reference) if is_context(&reference.elem)) {
        return Err(Error::new_spanned(
            subject,
            format!("the {item} comes first; `&KeyedContext<K>` follows it"),
        ));
    }
    let Some(key) = key_of(context) else {
        return Err(Error::new_spanned(
            context,
            "expected `&KeyedContext<K>`, where `K` is the type of the key, such as `i64`, or `()` when it is not read",
        ));
    };
    let Type::Reference(outputs) = outputs else { return Err(Error::new_spanned(outputs, wanted)) };
    if outputs.mutability.is_none() {
        return Err(Error::new_spanned(outputs, "the outputs are taken by `&mut`"));
    }
    Ok([(*subject).clone(), key, (*outputs.elem).clone()])
}

fn check_signature(signature: &Signature) -> syn::Result<()> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(
            token,
            "a process function can't be `async`: state, timers and outputs belong to the key that is being processed, and \
             after an `.await` that would be another one; the operator calls functions synchronously, a batch at a time, \
             and nothing would poll the future\n\
             help: write a plain `fn`; what has to wait is a timer: `ctx.register_processing_time_timer(..)`; what \
             needs I/O belongs in a source, a sink or a lookup join of the job",
        ));
    }
    if let Some(token) = &signature.unsafety {
        return Err(Error::new_spanned(
            token,
            "a function can't be `unsafe`: the SDK calls it for every row",
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

fn is_context(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "KeyedContext")
}

/// `K` of `&KeyedContext<K>`.
fn key_of(ty: &Type) -> Option<Type> {
    let Type::Reference(reference) = ty else { return None };
    let Type::Path(path) = &*reference.elem else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == "KeyedContext")?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(key) => Some(key.clone()),
        _ => None,
    })
}

fn returned(signature: &Signature) -> Span {
    here(match &signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => signature.ident.span(),
    })
}

/// Points at `span`, and sees the names of the generated code.
fn here(span: Span) -> Span {
    Span::call_site().located_at(span)
}

fn open(method: &ImplItemFn) -> syn::Result<Open> {
    let signature = &method.sig;
    check_signature(signature)?;
    let wanted = "`open` takes nothing or `params: &P`, where `P` is a struct with `#[derive(Parameters)]`, and returns \
                  `Self` or `Result<Self, E>` with any `E: Display`";
    let fail = || Error::new_spanned(&signature.ident, wanted);
    if matches!(signature.output, ReturnType::Default) {
        return Err(fail());
    }
    let parameters = match signature.inputs.iter().collect::<Vec<_>>().as_slice() {
        [] => None,
        [FnArg::Typed(argument)] => match &*argument.ty {
            Type::Reference(reference) if reference.mutability.is_none() => Some((*reference.elem).clone()),
            _ => return Err(fail()),
        },
        _ => return Err(fail()),
    };
    Ok(Open { parameters, returned: returned(signature) })
}

fn generate(block: &ItemImpl, name: &str, function: &Function) -> TokenStream {
    let Function { function, row, key, outputs, returned, on_timer, open } = function;
    let description = doc(&block.attrs);
    let (row_type, key_type) = (with_lifetimes(row, "'__batch"), with_lifetimes(key, "'__batch"));
    let (any_row, any_key) = (with_lifetimes(row, "'_"), with_lifetimes(key, "'_"));
    // Spans decide where the compiler points when a trait is missing: at the types that the author wrote.
    let input = quote_spanned!(row.span()=> <#any_row as ::flink_wasm::Input<'_>>::fields());
    let key_fields = quote_spanned!(key.span()=> <#any_key as ::flink_wasm::Key<'_>>::fields());
    let main = quote_spanned!(outputs.span()=> <#outputs as ::flink_wasm::Outputs>::main());
    let sides = quote_spanned!(outputs.span()=> <#outputs as ::flink_wasm::Outputs>::sides());
    let process = quote_spanned! {*returned=>
        ::flink_wasm::ProcessReturn::into_result(#function::process(self, row, context, out))
    };
    let (timers, fire) = match on_timer {
        Some(OnTimer { key, outputs, returned }) => {
            let (context, out) = (Ident::new("context", *key), Ident::new("out", *outputs));
            let fire = quote_spanned! {*returned=>
                ::flink_wasm::ProcessReturn::into_result(#function::on_timer(self, timer, #context, #out))
            };
            (true, fire)
        }
        None => (
            false,
            quote! {{
                let _ = (timer, context, out);
                ::std::panic!("a timer fired, and the function has no `on_timer`")
            }},
        ),
    };
    let parameters = match open.as_ref().and_then(|open| open.parameters.as_ref()) {
        Some(ty) => quote!(#ty),
        None => quote!(()),
    };
    let opened = match open {
        None => {
            let default = quote_spanned!(function.span()=> <#function as ::std::default::Default>::default());
            quote!(::std::result::Result::Ok({ let _ = parameters; #default }))
        }
        Some(Open { parameters, returned }) => {
            let argument = parameters.is_some().then(|| quote!(&parameters));
            let into_function = quote_spanned!(*returned=> ::flink_wasm::OpenReturn::into_function);
            quote!({ let _ = &parameters; #into_function(#function::open(#argument)) })
        }
    };
    quote! {
        #[allow(dead_code)]
        #block

        #[allow(clippy::all)]
        impl ::flink_wasm::ProcessFunction for #function {
            type Key<'__batch> = #key_type;
            type Row<'__batch> = #row_type;
            type Outputs = #outputs;

            const TIMERS: ::std::primitive::bool = #timers;

            fn describe() -> ::flink_wasm::Descriptor {
                ::flink_wasm::Descriptor {
                    name: ::std::string::String::from(#name),
                    version: ::std::string::String::from(::std::env!("CARGO_PKG_VERSION")),
                    kind: ::flink_wasm::Kind::Process,
                    description: ::std::string::String::from(#description),
                    input: #input,
                    output: #main,
                    parameters: <#parameters as ::flink_wasm::Parameters>::describe(),
                    key: #key_fields,
                    states: <#function as ::flink_wasm::State>::states(),
                    side_outputs: #sides,
                    timers: #timers,
                }
            }

            fn open(
                parameters: &::std::primitive::str,
            ) -> ::std::result::Result<Self, ::std::string::String> {
                let parameters = <#parameters as ::flink_wasm::Parameters>::from_json(parameters)?;
                #opened
            }

            #[inline]
            fn process_row<'__batch>(
                &self,
                row: Self::Row<'__batch>,
                context: &::flink_wasm::KeyedContext<Self::Key<'__batch>>,
                out: &mut Self::Outputs,
            ) -> ::std::result::Result<(), ::flink_wasm::Failure> {
                #process
            }

            #[inline]
            fn fire_timer<'__batch>(
                &self,
                timer: ::flink_wasm::Timer,
                context: &::flink_wasm::KeyedContext<Self::Key<'__batch>>,
                out: &mut Self::Outputs,
            ) -> ::std::result::Result<(), ::flink_wasm::Failure> {
                #fire
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, clippy::all)]
        const _: () = {
            ::flink_wasm::__export_process!(#function);
        };
    }
}
