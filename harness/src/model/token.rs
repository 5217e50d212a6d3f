//! The token: the versioned, printable list of choices that replays a trial.
//!
//! `q1/at=output:%2Fready%2F/send=TERM/grace=5s` is words between slashes, each
//! `key=value`, the values percent-encoded so that a shell needs no quotes. An
//! `at` belongs to the next `send`. The agent is not in the token: it is what
//! the token is replayed against.

use super::{Act, Injection, Noise, Stdin, StdinThen, TrialPlan, format_span, parse_span};
use std::fmt;
use std::str::FromStr;

/// A plan that prints as a token and is read back from one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(pub TrialPlan);

/// Text that is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not start with the version.
    #[error("a token starts with `q1/`; this does not look like one: `{0}`")]
    Version(String),
    /// It was made by a version of Quietus that writes other tokens.
    #[error("this token has version {0}, and this version of quietus reads q1; use the version that made it")]
    OtherVersion(String),
    /// One of its words cannot be read.
    #[error("the word `{word}` of the token is wrong: {why}")]
    Word {
        /// The word.
        word: String,
        /// What is wrong with it.
        why: String,
    },
    /// It ends too early.
    #[error("the token is cut short: {0}")]
    Short(&'static str),
}

const VERSION: &str = "q1";

fn encode(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b":._-,@+#".contains(&byte) {
            write!(out, "{}", char::from(byte))?;
        } else {
            write!(out, "%{byte:02X}")?;
        }
    }
    Ok(())
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let hex = tail
                .get(..2)
                .and_then(|hex| std::str::from_utf8(hex).ok())
                .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Why a token that does not begin as ours do is not read.
fn other_version(text: &str) -> TokenError {
    let version = text.split('/').next().unwrap_or_default();
    let is_version = version
        .strip_prefix('q')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    if is_version && version != VERSION {
        TokenError::OtherVersion(version.to_owned())
    } else {
        TokenError::Version(text.to_owned())
    }
}

/// A number from 1 up to the most there may be.
fn number(text: &str, most: u8) -> Result<u8, String> {
    let read = text.parse().ok().filter(|number| (1..=most).contains(number));
    read.ok_or_else(|| format!("it is a number from 1 to {most}"))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.0;
        let mut words: Vec<(&str, String)> = Vec::new();
        for act in &plan.acts {
            words.extend(act.at.iter().map(|point| ("at", point.to_string())));
            words.push(("send", act.send.to_string()));
        }
        words.push(("grace", format_span(plan.grace)));
        match &plan.stdin {
            Stdin::Closed => {}
            Stdin::Open => words.push(("stdin", "open".to_owned())),
            Stdin::Text { text, then: StdinThen::Closed } => words.push(("text", text.clone())),
            Stdin::Text { text, then: StdinThen::Open } => words.push(("text+open", text.clone())),
            Stdin::File(path) => words.push(("file", path.clone())),
        }
        if plan.pty {
            words.push(("pty", "yes".to_owned()));
        }
        if plan.pid1 {
            words.push(("pid1", "yes".to_owned()));
        }
        if plan.noise.one_cpu {
            words.push(("cpus", "1".to_owned()));
        }
        if plan.noise.nice > 0 {
            words.push(("nice", plan.noise.nice.to_string()));
        }
        if plan.noise.neighbours > 0 {
            words.push(("busy", plan.noise.neighbours.to_string()));
        }
        f.write_str(VERSION)?;
        for (key, value) in words {
            write!(f, "/{key}=")?;
            encode(&value, f)?;
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let rest =
            text.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('/')).ok_or_else(|| other_version(text))?;
        let mut plan = TrialPlan {
            acts: Vec::new(),
            grace: std::time::Duration::ZERO,
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: Noise::NONE,
        };
        let mut at = Vec::new();
        let mut grace = None;
        for word in rest.split('/') {
            let wrong = |why: String| TokenError::Word { word: word.to_owned(), why };
            let (key, value) = word.split_once('=').ok_or_else(|| wrong("it has no `=`".to_owned()))?;
            let value = decode(value).ok_or_else(|| wrong("its percent-encoding is broken".to_owned()))?;
            match key {
                "at" => at.push(value.parse().map_err(|error: super::PointError| wrong(error.to_string()))?),
                "send" => {
                    let send: Injection =
                        value.parse().map_err(|error: super::InjectionError| wrong(error.to_string()))?;
                    plan.acts.push(Act { at: std::mem::take(&mut at), send });
                }
                "grace" => grace = Some(parse_span(&value).map_err(|error| wrong(error.to_string()))?),
                "stdin" if value == "open" => plan.stdin = Stdin::Open,
                "text" => plan.stdin = Stdin::Text { text: value, then: StdinThen::Closed },
                "text+open" => plan.stdin = Stdin::Text { text: value, then: StdinThen::Open },
                "file" => plan.stdin = Stdin::File(value),
                "pty" if value == "yes" => plan.pty = true,
                "pid1" if value == "yes" => plan.pid1 = true,
                "cpus" if value == "1" => plan.noise.one_cpu = true,
                "nice" => plan.noise.nice = number(&value, Noise::MOST_NICE).map_err(wrong)?,
                "busy" => plan.noise.neighbours = number(&value, Noise::MOST_NEIGHBOURS).map_err(wrong)?,
                _ => return Err(wrong("this version does not know it".to_owned())),
            }
        }
        if !at.is_empty() {
            return Err(TokenError::Short("its last point has no `send`"));
        }
        plan.grace = grace.ok_or(TokenError::Short("it has no `grace`"))?;
        Ok(Self(plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_points() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("start".to_owned()),
            Just("idle".to_owned()),
            (0u32..100_000).prop_map(|ms| format!("+time:{ms}ms")),
            "[ -.0-~é]{1,12}".prop_map(|p| format!("when:{p}")),
            ("[a-z ]{1,8}", 1u32..9).prop_map(|(p, n)| format!("output:/{p}/#{n}")),
            (1u16..).prop_map(|p| format!("port:{p}")),
        ]
    }

    fn injections() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop_oneof![
                Just("TERM"),
                Just("INT@group"),
                Just("KILL@all"),
                Just("stdin-eof"),
                Just("parent-death"),
                Just("fault:rename=ENOSPC"),
                Just("RTMIN+2")
            ],
            1..4,
        )
        .prop_map(|steps| steps.join(",50ms,"))
    }

    fn stdins() -> impl Strategy<Value = Stdin> {
        prop_oneof![
            Just(Stdin::Closed),
            Just(Stdin::Open),
            any::<String>().prop_map(Stdin::File),
            (any::<String>(), any::<bool>()).prop_map(|(text, open)| Stdin::Text {
                text,
                then: if open { StdinThen::Open } else { StdinThen::Closed }
            }),
        ]
    }

    prop_compose! {
        fn plans()(acts in prop::collection::vec((prop::collection::vec(text_points(), 0..3), injections()), 0..3), grace in 0u64..100_000, stdin in stdins(), pty: bool, pid1: bool, noise in (any::<bool>(), 0u8..=19, 0u8..=4)) -> TrialPlan {
            let noise = Noise { one_cpu: noise.0, nice: noise.1, neighbours: noise.2 };
            let acts = acts.into_iter().map(|(at, send)| Act {
                at: at.iter().map(|p| p.parse().expect("a point")).collect(),
                send: send.parse().expect("an injection"),
            }).collect();
            TrialPlan { acts, grace: std::time::Duration::from_millis(grace), stdin, pty, pid1, noise }
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_back_and_needs_no_quotes(plan in plans()) {
            let text = Token(plan.clone()).to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"'\"\\$`&|;<>()*?[]{}!~ ".contains(&b)), "{}", text);
            prop_assert_eq!(text.parse::<Token>(), Ok(Token(plan)));
        }

        #[test]
        fn nonsense_never_panics(text in "(q1/)?[ -~é/=%]{0,40}") {
            let _ = text.parse::<Token>();
        }
    }

    #[test]
    fn errors_name_the_word() {
        let shown: Vec<String> = [
            "",
            "q2/at=start",
            "q1/at",
            "q1/at=strat/send=TERM",
            "q1/at=start/send=TREM/grace=1s",
            "q1/send=TERM/grace=1s/colour=red",
            "q1/at=start/send=TERM/grace=1s/nice=20",
            "q1/at=%zz",
            "q1/at=start/grace=1s",
            "q1/at=start/send=TERM",
        ]
        .iter()
        .map(|text| text.parse::<Token>().expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
