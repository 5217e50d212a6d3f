//! The state in which an agent leaves its terminal.

use crate::model::TerminalState;
use rustix::fd::AsFd;
use rustix::termios::{LocalModes, Termios, tcgetattr};

/// The modes of a terminal before the agent runs.
#[derive(Debug, Clone)]
pub(crate) struct Modes(Termios);

impl Modes {
    pub(crate) fn of(terminal: impl AsFd) -> Option<Self> {
        tcgetattr(terminal).ok().map(Self)
    }

    /// In words, how the modes differ now.
    pub(crate) fn difference(&self, terminal: impl AsFd) -> Vec<String> {
        let Ok(now) = tcgetattr(terminal) else { return Vec::new() };
        let mut words = Vec::new();
        let lost = |mode: LocalModes| self.0.local_modes.contains(mode) && !now.local_modes.contains(mode);
        if lost(LocalModes::ICANON) {
            words.push("raw mode: input is not gathered into lines".to_owned());
        }
        if lost(LocalModes::ECHO) {
            words.push("echo is off: what a person types is not shown".to_owned());
        }
        if lost(LocalModes::ISIG) {
            words.push("Ctrl-C sends no signal".to_owned());
        }
        if words.is_empty() && (self.0.output_modes != now.output_modes || self.0.input_modes != now.input_modes) {
            words.push("input or output processing differs".to_owned());
        }
        words
    }
}

/// Follows the private modes (DECSET, `ESC [ ? n h`) that an agent switches on and off.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScreenScanner {
    pending: Vec<u8>,
    on: Vec<u16>,
}

/// The modes that a person notices: number, whether "set" is the odd state, name.
/// From xterm's control sequences.
const SCREEN_MODES: [(u16, bool, &str); 8] = [
    (25, false, "hidden cursor"),
    (47, true, "alternate screen"),
    (1047, true, "alternate screen"),
    (1049, true, "alternate screen"),
    (1000, true, "mouse reporting"),
    (1002, true, "mouse reporting"),
    (1003, true, "mouse reporting"),
    (2004, true, "bracketed paste"),
];

impl ScreenScanner {
    /// Reads more output. A sequence may be split between two pieces.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == 0x1b {
                self.pending.clear();
                self.pending.push(*byte);
            } else if !self.pending.is_empty() {
                self.pending.push(*byte);
                if !matches!((self.pending.len(), byte), (2, b'[') | (3, b'?'))
                    && !(self.pending.len() > 3 && (byte.is_ascii_digit() || *byte == b';'))
                {
                    self.finish(*byte);
                    self.pending.clear();
                } else if self.pending.len() > 40 {
                    self.pending.clear();
                }
            }
        }
    }

    fn finish(&mut self, last: u8) {
        let Some(numbers) = self.pending.strip_prefix(b"\x1b[?").and_then(|rest| rest.split_last()) else { return };
        if !matches!(last, b'h' | b'l') {
            return;
        }
        for number in numbers.1.split(|byte| *byte == b';') {
            let Some(number) = std::str::from_utf8(number).ok().and_then(|text| text.parse::<u16>().ok()) else {
                continue;
            };
            let Some((_, set_is_odd, _)) = SCREEN_MODES.iter().find(|(known, ..)| *known == number) else { continue };
            self.on.retain(|known| *known != number);
            if (last == b'h') == *set_is_odd {
                self.on.push(number);
            }
        }
    }

    /// The states switched on and never off again.
    pub(crate) fn left_on(&self) -> Vec<String> {
        let mut names: Vec<String> = SCREEN_MODES
            .iter()
            .filter(|(number, ..)| self.on.contains(number))
            .map(|(.., name)| (*name).to_owned())
            .collect();
        names.dedup();
        names
    }
}

/// The state of a terminal at the end.
pub(crate) fn state(before: Option<&Modes>, terminal: impl AsFd, screen: &ScreenScanner) -> TerminalState {
    TerminalState {
        modes: before.map(|modes| modes.difference(terminal)).unwrap_or_default(),
        screen: screen.left_on(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(pieces: &[&str]) -> Vec<String> {
        let mut scanner = ScreenScanner::default();
        pieces.iter().for_each(|piece| scanner.feed(piece.as_bytes()));
        scanner.left_on()
    }

    #[test]
    fn what_is_switched_on_must_be_switched_off() {
        assert_eq!(scan(&["\x1b[?1049h\x1b[?25l hello"]), ["hidden cursor", "alternate screen"]);
        assert!(scan(&["\x1b[?1049h\x1b[?25l hello \x1b[?25h\x1b[?1049l"]).is_empty());
        assert_eq!(scan(&["\x1b[?1049;2004h", "\x1b[?2004l"]), ["alternate screen"]);
    }

    #[test]
    fn sequences_may_be_split_and_others_are_no_matter() {
        assert_eq!(scan(&["a\x1b", "[?2", "5l"]), ["hidden cursor"]);
        assert!(scan(&["\x1b[31m\x1b]0;title\x07 [?25l \x1b[25l"]).is_empty());
    }
}
