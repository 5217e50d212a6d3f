//! The command line of Quietus.

fn main() {}
