//! Whether trials side by side would disturb each other.

use super::check::Check;
use crate::state::Address;

/// Whether they share a port or a server of this machine. `uses_ports` says whether the agent
/// itself holds one.
pub(super) fn shares(check: &Check, uses_ports: bool) -> bool {
    // What ports a program uses that the scenario starts, nobody knows.
    let listens = uses_ports || check.services.iter().any(|service| service.may_use_ports());
    let mut servers = check.states.iter().filter_map(|oracle| oracle.server());
    (listens && !check.private_network) || servers.any(|address| is_shared(check, &address))
}

fn is_shared(check: &Check, address: &Address) -> bool {
    match address {
        Address::Tcp { .. } => !check.private_network,
        Address::Unix(path) => {
            let is_own =
                |directory: Result<std::path::PathBuf, String>| directory.is_ok_and(|own| path.starts_with(own));
            !check.services.iter().any(|service| is_own(service.directory()))
        }
    }
}
