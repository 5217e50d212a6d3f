//! One trial in a place, whichever place it is: what the drivers share. A place
//! (a sealed cell, the premises of the portable driver) is behind [`Place`].

mod connect;
mod inject;
mod live;
mod neighbours;
mod observe;
mod open;
mod output;
mod place;
mod recover;
mod roles;
mod services;
mod stacked;
mod stalled;
mod states;
mod streams;
mod terminal;
mod within;

pub(super) use open::open_in;
pub(super) use place::Place;
