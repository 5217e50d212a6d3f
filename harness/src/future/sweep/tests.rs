use super::*;
use crate::future::{Trial, startable};
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;

/// Removes its file when it is dropped, if it does.
struct Scratch(PathBuf, bool);

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.1 {
            std::fs::remove_file(&self.0).expect("it is ours");
        }
    }
}

/// What is found of an agent that leaves its file when it is cancelled in one of these runs:
/// 1 and 2 are undisturbed, 3 and 4 are its trials, and 5 to 7 are further runs.
fn swept(leaves_in: &'static [u32]) -> Finding {
    let run = Rc::new(Cell::new(0));
    let agent = startable(move |trial: Trial| {
        run.set(run.get() + 1);
        let removes = !leaves_in.contains(&run.get());
        async move {
            let path = trial.dir().join("answer.tmp");
            std::fs::write(&path, "half").expect("it is writable");
            let mut scratch = Scratch(path, removes);
            tokio::task::yield_now().await;
            scratch.1 = true;
        }
    });
    let wanted = Wanted {
        name: "agent".to_owned(),
        setup: Setup {
            paused: true,
            workers: None,
            grace: Duration::from_secs(5),
            horizon: None,
            whole_process: false,
            own_temporary: false,
            rerun: false,
        },
        how: vec![By::Drop],
        seed: 0,
        budget: None,
        random: None,
        only: None,
        confirm: 3,
        replay: (String::new(), String::new()),
    };
    let run = sweep(&*agent, &wanted, &mut |_| {}).expect("it can be judged");
    let [finding] = &run.findings[..] else { panic!("{run:#?}") };
    finding.clone()
}

#[track_caller]
fn check(leaves_in: &'static [u32], class: Reproduction, hits: u32, severity: Severity) {
    let finding = swept(leaves_in);
    assert_eq!(finding.code, Code::TempFile);
    assert_eq!(finding.confirmed, Confirmed::new(hits, 3), "{finding:#?}");
    assert_eq!((finding.reproduction(), finding.severity), (Some(class), severity));
}

#[test]
fn further_runs_give_each_finding_its_class() {
    check(&[3, 4, 5, 6, 7], Reproduction::Deterministic, 3, Severity::Error);
    check(&[3, 6], Reproduction::Racy, 1, Severity::Error);
    check(&[3], Reproduction::NotReproduced, 0, Severity::Note);
}
