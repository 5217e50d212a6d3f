//! What a test in a process of its own says to the one that started it: lines of JSON.

use quietus_reports::Run;

/// One line.
#[derive(Debug)]
pub(super) enum Message {
    /// It runs so: a token, or `undisturbed`.
    Runs(String),
    /// It is done.
    Done(Box<Run>),
    /// It cannot judge, and says why.
    Failed(String),
}

impl Message {
    pub(super) fn line(&self) -> String {
        let value = match self {
            Self::Runs(what) => serde_json::json!({ "runs": what }),
            Self::Done(run) => serde_json::json!({ "done": run }),
            Self::Failed(why) => serde_json::json!({ "failed": why }),
        };
        format!("{value}\n")
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        let done = || serde_json::from_value(value.get("done")?.clone()).ok().map(Box::new).map(Self::Done);
        text("runs").map(Self::Runs).or_else(|| text("failed").map(Self::Failed)).or_else(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for message in [Message::Runs("q1/at=await:1/send=drop".to_owned()), Message::Failed("a\nb".to_owned())] {
            let line = message.line();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Message::read(&line).expect("it is read").line(), line);
        }
        assert!(Message::read("running 1 test").is_none());
        assert!(Message::read("{}").is_none());
    }
}
