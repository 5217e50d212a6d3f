//! `#[quietus::test]`: turns an async function into a test that cancels it everywhere.
//! The crate `quietus` documents and exports it.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, ItemFn, Lit, Token};

/// Sweeps an async function; see `quietus::test`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = match syn::parse::<ItemFn>(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error().into(),
    };
    let expanded = syn::parse::<Arguments>(arguments).and_then(|arguments| expand(&arguments, item));
    expanded.unwrap_or_else(Error::into_compile_error).into()
}

/// What stands in the brackets, as calls of the builder.
struct Arguments(Vec<Tokens>);

/// One `key = value`.
struct Argument {
    key: Ident,
    value: Lit,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { key, value: input.parse()? })
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let all = Punctuated::<Argument, Token![,]>::parse_terminated(input)?;
        let calls: syn::Result<Vec<Tokens>> = all.iter().map(call).collect();
        Ok(Self(calls?))
    }
}

const KEYS: &str = "how, time, threads, grace, horizon, budget, seed, rerun";

fn call(Argument { key, value }: &Argument) -> syn::Result<Tokens> {
    let wrong = |what: &str| Err(Error::new(value.span(), what));
    Ok(match (key.to_string().as_str(), value) {
        ("how", Lit::Str(text)) => {
            let mut ways = Vec::new();
            for word in text.value().split(',').map(str::trim) {
                let way = match word {
                    "drop" => quote!(::quietus::future::By::Drop),
                    "abort" => quote!(::quietus::future::By::Abort),
                    "token" => quote!(::quietus::future::By::Token),
                    "timeout" => quote!(::quietus::future::By::Timeout),
                    _ => return wrong("ways to cancel are drop, abort, token and timeout, with commas between"),
                };
                ways.push(way);
            }
            quote!(.how(&[#(#ways),*]))
        }
        ("how", _) => return wrong("write it like how = \"drop, abort\""),
        ("time", Lit::Str(text)) if text.value() == "paused" => quote!(.paused()),
        ("time", Lit::Str(text)) if text.value() == "real" => quote!(),
        ("time", _) => return wrong("time is \"real\" or \"paused\""),
        ("threads", Lit::Int(count)) if count.base10_parse::<usize>().is_ok_and(|count| count > 0) => {
            quote!(.multi_thread(#count))
        }
        ("threads", _) => return wrong("threads is how many threads the runtime has, from 1"),
        ("seed", Lit::Int(seed)) if seed.base10_parse::<u64>().is_ok() => quote!(.seed(#seed)),
        ("seed", _) => return wrong("seed is a whole number"),
        ("grace" | "horizon" | "budget", Lit::Str(text)) => {
            let span = span(&text.value()).ok_or_else(|| {
                Error::new(value.span(), format!("`{}` is no time: write 250ms, 10s or 2m", text.value()))
            })?;
            quote!(.#key(::core::time::Duration::from_millis(#span)))
        }
        ("grace" | "horizon" | "budget", _) => return wrong("write a time like \"10s\""),
        ("rerun", Lit::Bool(rerun)) if rerun.value => quote!(),
        ("rerun", Lit::Bool(_)) => quote!(.without_rerun()),
        ("rerun", _) => return wrong("rerun is true or false"),
        (other, _) => return Err(Error::new(key.span(), format!("there is no `{other}`; there are {KEYS}"))),
    })
}

/// Milliseconds.
fn span(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn expand(Arguments(calls): &Arguments, item: ItemFn) -> syn::Result<Tokens> {
    let ItemFn { attrs, vis, sig, block, .. } = item;
    let name = &sig.ident;
    if sig.asyncness.is_none() {
        return Err(Error::new(sig.fn_token.span, "what is cancelled is an async fn"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(&sig.generics, "a test has no type parameters"));
    }
    if sig.inputs.len() != 1 {
        return Err(Error::new(name.span(), "it takes one argument: the quietus::Trial"));
    }
    let (inputs, output) = (&sig.inputs, &sig.output);
    let text = name.to_string();
    let run = quote_spanned! { name.span() => ::quietus::testing::isolated(module_path!(), #text, agent) };
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() {
            async fn #name(#inputs) #output #block
            let agent = ::quietus::FutureAgent::new(#name) #(#calls)*;
            #run
        }
    })
}
