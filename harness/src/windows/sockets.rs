//! Sockets of an agent, and what it says to others through them.

use super::lives::Lives;
use super::thing::Thing;
use crate::model::Call;

/// After so many messages to one peer a further one opens no window.
const MOST_MESSAGES: usize = 40;

impl Lives<'_> {
    pub(super) fn sockets(&mut self, role: &str, call: &Call) {
        let (Some(address), Some(socket)) = (call.subjects.first(), &call.socket) else { return };
        let key = (role.to_owned(), socket.clone());
        match call.name.as_str() {
            "bind" if address.starts_with('/') => self.make(address, Thing::Socket),
            "bind" => {
                let thing = Thing::Bound(address.clone());
                self.live.insert(thing.clone());
                self.held.insert(key, thing);
            }
            "connect" => {
                let thing = Thing::Connection(self.names.pattern(address));
                self.live.insert(thing.clone());
                self.held.insert(key, thing);
            }
            _ => {}
        }
    }

    /// Something is sent to a peer: what that does there, only the peer knows.
    pub(super) fn messages(&mut self, call: &Call) {
        let Some(socket) = call.subjects.first().filter(|_| call.sends()) else { return };
        // Whoever connected it; a child sends through the socket of its parent.
        let peer = self.held.iter().find_map(|((_, held), thing)| match thing {
            Thing::Connection(peer) if held == socket => Some(peer.clone()),
            _ => None,
        });
        let Some(peer) = peer else { return };
        let sent = self.sent.entry(peer.clone()).or_default();
        if *sent < MOST_MESSAGES {
            self.live.remove(&Thing::Sent { peer: peer.clone(), messages: *sent });
            *sent += 1;
            self.live.insert(Thing::Sent { peer, messages: *sent });
        }
    }
}
