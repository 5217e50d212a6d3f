//! `#[quietus::test]`: turns an async function into a test that cancels it everywhere.
//! The crate `quietus` documents and exports it.

mod expand;

use proc_macro::TokenStream;
use syn::{Error, ItemFn};

/// Sweeps an async function; see `quietus::test`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = match syn::parse::<ItemFn>(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error().into(),
    };
    let expanded = syn::parse::<expand::Arguments>(arguments).and_then(|arguments| expand::expand(&arguments, item));
    expanded.unwrap_or_else(Error::into_compile_error).into()
}
