//! What is done to an agent at a point.

use super::{Fault, Signal, format_span, parse_span};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Whom a signal goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The process that Quietus started.
    Leader,
    /// The process group of the leader, as a terminal's Ctrl-C does.
    Group,
    /// Every process of the agent, as systemd's `KillMode=control-group` does.
    All,
}

/// One step of an injection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Send a signal.
    Signal(Signal, Target),
    /// Wait before the next step; an agent that ends meanwhile ends the sequence.
    Wait(Duration),
    /// Close the agent's standard input.
    StdinEof,
    /// Hang up the terminal: the kernel sends HUP to its session.
    PtyHangup,
    /// SIGKILL the process that started the agent; its pipes close with it.
    ParentDeath,
    /// Let the next call of a kind fail: the one that somebody is held before, if that
    /// is such a call.
    Fault(Fault),
    /// Whoever is held at the point goes on that much later, while the others do at once.
    /// This shakes races loose, and terminates nobody.
    Delay(Duration),
    /// A service beside the agent stops answering, until the agent has ended: connections are
    /// still made, by the kernel, and nothing comes back on them.
    Stall(String),
}

/// A sequence of steps, such as `TERM`, `INT@group` or `TERM,200ms,INT,5s,KILL`.
///
/// ```
/// let injection: quietus::model::Injection = "TERM,200ms,INT@group".parse()?;
/// assert_eq!(injection.steps().len(), 3);
/// assert_eq!(injection.to_string(), "TERM,200ms,INT@group");
/// # Ok::<(), quietus::model::InjectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Injection(Vec<Step>);

/// Text that is not an injection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{step}` is not a step of an injection: {why}")]
pub struct InjectionError {
    /// The step that could not be read.
    pub step: String,
    /// What is wrong with it, and what is right.
    pub why: String,
}

/// What a step can be.
const STEPS: &str = "use a signal (TERM, INT@group, RTMIN+3@all), a wait (200ms), stdin-eof, pty-hangup, parent-death, a call that fails (fault:unlink=EIO), a service that stops answering (stall:db) or a delay of who is held at the point (delay:2ms)";

impl InjectionError {
    fn no_step(text: &str) -> Self {
        Self { step: text.to_owned(), why: STEPS.to_owned() }
    }
}

impl Step {
    /// Whether it does something to the agent: to let time go by is not that.
    pub fn acts(&self) -> bool {
        !matches!(self, Self::Wait(_) | Self::Delay(_))
    }

    /// Whether it is meant to end the agent, more than any trouble that it may meet.
    pub fn ends(&self) -> bool {
        self.acts() && !matches!(self, Self::Fault(_) | Self::Stall(_))
    }
}

impl Injection {
    /// A sequence of steps.
    ///
    /// # Errors
    /// When there is none, or nothing but waits.
    pub fn new(steps: Vec<Step>) -> Result<Self, InjectionError> {
        if steps.iter().all(|step| matches!(step, Step::Wait(_))) {
            return Err(InjectionError::no_step(""));
        }
        Ok(Self(steps))
    }

    /// A single signal to the leader.
    pub fn signal(signal: Signal) -> Self {
        Self(vec![Step::Signal(signal, Target::Leader)])
    }

    /// A single call that fails.
    pub fn fault(fault: Fault) -> Self {
        Self(vec![Step::Fault(fault)])
    }

    /// TERM to the leader: how most programs are ended.
    pub fn usual() -> Self {
        Self::signal(Signal::TERM)
    }

    /// The steps in order. Never empty, never only waits.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether some step is this one.
    pub fn has(&self, step: &Step) -> bool {
        self.0.contains(step)
    }

    /// Every call that it makes fail, in order.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + '_ {
        self.0.iter().filter_map(|step| match step {
            Step::Fault(fault) => Some(*fault),
            _ => None,
        })
    }

    /// Every service that it stops, in order.
    pub fn stalls(&self) -> impl Iterator<Item = &str> + '_ {
        self.0.iter().filter_map(|step| match step {
            Step::Stall(service) => Some(service.as_str()),
            _ => None,
        })
    }

    /// Every signal it sends, in order.
    pub fn signals(&self) -> impl Iterator<Item = Signal> + '_ {
        self.0.iter().filter_map(|step| match step {
            Step::Signal(signal, _) => Some(*signal),
            _ => None,
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal, Target::Leader) => write!(f, "{signal}"),
            Self::Signal(signal, Target::Group) => write!(f, "{signal}@group"),
            Self::Signal(signal, Target::All) => write!(f, "{signal}@all"),
            Self::Wait(span) => f.write_str(&format_span(*span)),
            Self::StdinEof => f.write_str("stdin-eof"),
            Self::PtyHangup => f.write_str("pty-hangup"),
            Self::ParentDeath => f.write_str("parent-death"),
            Self::Fault(fault) => write!(f, "fault:{fault}"),
            Self::Delay(span) => write!(f, "delay:{}", format_span(*span)),
            Self::Stall(service) => write!(f, "stall:{service}"),
        }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

impl FromStr for Step {
    type Err = InjectionError;

    fn from_str(text: &str) -> Result<Self, InjectionError> {
        let error = || InjectionError::no_step(text);
        match text {
            "stdin-eof" => return Ok(Self::StdinEof),
            "pty-hangup" => return Ok(Self::PtyHangup),
            "parent-death" => return Ok(Self::ParentDeath),
            _ => {}
        }
        if let Some(fault) = text.strip_prefix("fault:") {
            let read = fault.parse().map(Self::Fault);
            return read.map_err(|why| InjectionError { step: text.to_owned(), why });
        }
        if let Some(span) = text.strip_prefix("delay:") {
            let read = parse_span(span).map(Self::Delay);
            return read.map_err(|why| InjectionError { step: text.to_owned(), why: why.to_string() });
        }
        if let Some(service) = text.strip_prefix("stall:") {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            let named = !service.is_empty() && service.chars().all(plain);
            return if named { Ok(Self::Stall(service.to_owned())) } else { Err(error()) };
        }
        if let Ok(span) = parse_span(text) {
            return Ok(Self::Wait(span));
        }
        let (signal, target) = match text.split_once('@') {
            None | Some((_, "leader")) => (text.split('@').next().unwrap_or(text), Target::Leader),
            Some((signal, "group")) => (signal, Target::Group),
            Some((signal, "all")) => (signal, Target::All),
            Some(_) => return Err(error()),
        };
        // A bare number is more likely a wait without its unit.
        if signal.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        signal.parse().map(|signal| Self::Signal(signal, target)).map_err(|_| error())
    }
}

impl FromStr for Injection {
    type Err = InjectionError;

    fn from_str(text: &str) -> Result<Self, InjectionError> {
        let steps = text.split(',').map(|step| step.trim().parse()).collect::<Result<Vec<Step>, _>>()?;
        Self::new(steps).map_err(|_| InjectionError::no_step(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_reads() {
        for text in [
            "TERM",
            "TERM@group",
            "KILL@all",
            "TERM,200ms,INT,5s,KILL",
            "stdin-eof,2s,TERM",
            "parent-death",
            "RTMIN+3",
            "pty-hangup",
            "STOP,50ms,TERM,CONT",
            "fault:unlink=EIO,TERM",
            "stall:db,20ms,TERM",
            "delay:2ms",
        ] {
            let injection: Injection = text.parse().expect(text);
            assert_eq!(injection.to_string(), text);
        }
    }

    #[test]
    fn names_the_step_that_is_wrong() {
        for (text, step) in [
            ("TERM,TREM", "TREM"),
            ("TERM@grp", "TERM@grp"),
            ("", ""),
            ("5s", "5s"),
            ("TERM,,INT", ""),
            ("TERM,5", "5"),
        ] {
            assert_eq!(text.parse::<Injection>(), Err(InjectionError::no_step(step)), "{text}");
        }
        let delay = "delay:5".parse::<Injection>().expect_err("no unit");
        assert!(delay.to_string().contains("`5` is not a span of time"), "{delay}");
    }
}
