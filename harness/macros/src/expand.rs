//! From the arguments and the function to the test. Pure.

use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, Ident, ItemFn, Lit, Token, Type};

/// What stands in the brackets, as calls of the builder.
pub(super) struct Arguments(Vec<Tokens>);

/// One `key = value`.
struct Argument {
    key: Ident,
    value: Lit,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key: Ident = input.parse()?;
        if !input.peek(Token![=]) {
            return Err(Error::new(key.span(), format!("write {key} = …; there are {KEYS}")));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { key, value: input.parse()? })
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let all = Punctuated::<Argument, Token![,]>::parse_terminated(input)?;
        for (index, argument) in all.iter().enumerate() {
            if all.iter().take(index).any(|before| before.key == argument.key) {
                return Err(Error::new(argument.key.span(), format!("`{}` is there twice", argument.key)));
            }
        }
        let paused = |argument: &&Argument| matches!(&argument.value, Lit::Str(text) if text.value() == "paused");
        let threads = all.iter().find(|argument| argument.key == "threads");
        if let (Some(threads), Some(_)) = (threads, all.iter().find(paused)) {
            return Err(Error::new(threads.key.span(), "on several threads tokio's clock cannot be paused"));
        }
        let calls: syn::Result<Vec<Tokens>> = all.iter().map(call).collect();
        Ok(Self(calls?))
    }
}

const KEYS: &str = "how, time, threads, grace, horizon, budget, fuzz, seed, rerun";

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
        ("fuzz", Lit::Int(trials)) if trials.base10_parse::<u32>().is_ok_and(|trials| trials > 0) => {
            quote!(.random(#trials))
        }
        ("fuzz", _) => return wrong("fuzz is how many trials at random are made, from 1"),
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

/// The test in place of the function.
pub(super) fn expand(Arguments(calls): &Arguments, item: ItemFn) -> syn::Result<Tokens> {
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
    if let Some(FnArg::Typed(argument)) = sig.inputs.first()
        && matches!(*argument.ty, Type::ImplTrait(_))
    {
        return Err(Error::new_spanned(&argument.ty, "it takes one argument: the quietus::Trial"));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the compiler says.
    fn said(arguments: &str, function: &str) -> String {
        let arguments = syn::parse_str::<Arguments>(arguments);
        let function = syn::parse_str::<ItemFn>(function).expect("a function");
        match arguments.and_then(|arguments| expand(&arguments, function)) {
            Ok(tokens) => tokens.to_string(),
            Err(error) => error.to_string(),
        }
    }

    const GOOD: &str = "async fn transfer(trial: quietus::Trial) -> u32 { 1 }";

    #[test]
    fn what_is_wrong_is_said() {
        for (arguments, text) in [
            ("how = \"drop, kill\"", "ways to cancel are drop, abort, token and timeout, with commas between"),
            ("how = 1", "write it like how = \"drop, abort\""),
            ("time = \"virtual\"", "time is \"real\" or \"paused\""),
            ("threads = 0", "threads is how many threads the runtime has, from 1"),
            ("seed = \"x\"", "seed is a whole number"),
            ("fuzz = 0", "fuzz is how many trials at random are made, from 1"),
            ("grace = \"5\"", "`5` is no time: write 250ms, 10s or 2m"),
            ("budget = 5", "write a time like \"10s\""),
            ("rerun = 1", "rerun is true or false"),
            ("seed = 1, seed = 2", "`seed` is there twice"),
            ("paused", "write paused = …; there are how, time, threads, grace, horizon, budget, fuzz, seed, rerun"),
            ("time = \"paused\", threads = 2", "on several threads tokio's clock cannot be paused"),
            (
                "speed = 1",
                "there is no `speed`; there are how, time, threads, grace, horizon, budget, fuzz, seed, rerun",
            ),
        ] {
            assert_eq!(said(arguments, GOOD), text, "{arguments}");
        }
        for (function, text) in [
            ("fn transfer(trial: quietus::Trial) {}", "what is cancelled is an async fn"),
            ("async fn transfer(trial: impl Clone) {}", "it takes one argument: the quietus::Trial"),
            ("async fn transfer() {}", "it takes one argument: the quietus::Trial"),
            ("async fn transfer<T>(trial: quietus::Trial) {}", "a test has no type parameters"),
        ] {
            assert_eq!(said("", function), text, "{function}");
        }
    }

    #[test]
    fn each_argument_is_a_call() {
        let all = "how = \"drop,abort\", threads = 2, grace = \"1s\", horizon = \"2m\", budget = \"9ms\", seed = 7, rerun = false";
        let tokens = said(all, GOOD);
        for call in [
            "By :: Drop",
            "By :: Abort",
            ". multi_thread (2)",
            "from_millis (1000u64)",
            "from_millis (120000u64)",
            "from_millis (9u64)",
            ". seed (7)",
            ". without_rerun ()",
        ] {
            assert!(tokens.contains(call), "{call} is not in {tokens}");
        }
    }
}
