//! From a scenario to a check. Relative paths start at the scenario file.

use super::check::{Check, Fuzz};
use super::plan::Planned;
use crate::audit::Rules;
use crate::cell::MOST_PROCESSES;
use crate::model::{Act, Injection, Stdin, Step, TrialPlan};
use crate::scenario::{Kind, Network, RecoverSpec, Scenario, ServiceKind, ServiceSpec, StateKind, StateSpec};
use crate::service::{References, Service};
use crate::state::{Scratch, oracle};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a scenario cannot be run from where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the workspace {} is not a directory", .0.display())]
pub struct WorkspaceError(PathBuf);

/// The grace where nothing else is said: long enough for a cleanup, short enough
/// to wait for.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);

impl Check {
    /// The check that a scenario asks for. `path` is the file of the scenario:
    /// its workspace is relative to it, and without one its directory is the
    /// workspace. `environment` is what the agent's own variables are added to.
    ///
    /// # Errors
    /// When the workspace is not a directory.
    pub fn of_scenario(
        scenario: &Scenario,
        path: &Path,
        environment: Vec<(OsString, OsString)>,
        today: &str,
    ) -> Result<Self, WorkspaceError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let workspace =
            scenario.agent.workspace.as_ref().map_or_else(|| parent.to_path_buf(), |workspace| parent.join(workspace));
        let directory =
            workspace.canonicalize().ok().filter(|directory| directory.is_dir()).ok_or(WorkspaceError(workspace))?;
        let profile = scenario.terminate.profile;
        let send = scenario.terminate.send.clone().or_else(|| profile.map(|profile| profile.injection()));
        let grace = scenario.terminate.grace.or_else(|| profile.map(|profile| profile.grace)).unwrap_or(DEFAULT_GRACE);
        let pid1 = scenario.agent.pid1.unwrap_or_else(|| profile.is_some_and(|profile| profile.pid1));
        let pty = scenario.agent.pty.unwrap_or_else(|| {
            profile.is_some_and(|profile| profile.pty) || send.as_ref().is_some_and(|send| send.has(&Step::PtyHangup))
        });
        let scratch = Arc::new(Scratch::default());
        let (services, references) = services_of(scenario, &scratch, &environment);
        let words = |words: &[String]| references.fill_all(words).into_iter().map(OsString::from).collect::<Vec<_>>();
        let own = &scenario.agent.env;
        let mut environment: Vec<(OsString, OsString)> =
            environment.into_iter().filter(|(key, _)| !own.contains_key(&*key.to_string_lossy())).collect();
        environment.extend(own.iter().map(|(key, value)| (key.into(), references.fill(value).into())));
        let trials = scenario
            .scripts
            .iter()
            .map(|script| {
                let send = script.send.clone().or_else(|| send.clone()).unwrap_or_else(Injection::usual);
                let act = Act { at: script.at.clone(), send };
                let plan = TrialPlan {
                    acts: vec![act],
                    grace: script.grace.unwrap_or(grace),
                    stdin: Stdin::Closed,
                    pty,
                    pid1,
                    noise: crate::model::Noise::NONE,
                };
                Planned { label: "script".to_owned(), plan, informational: script.informational }
            })
            .collect();
        Ok(Self {
            name: scenario.name.clone(),
            file: Some(path.to_path_buf()),
            command: words(&scenario.agent.command),
            environment,
            own_variables: own.keys().map(OsString::from).collect(),
            directory,
            prepare: scenario.agent.prepare.iter().map(|command| words(command)).collect(),
            stdin: scenario.agent.stdin.clone(),
            kind: scenario.agent.kind,
            pty,
            pid1,
            ready: scenario.agent.ready.clone(),
            send,
            control_exit: 0,
            grace,
            settle: scenario.terminate.settle.unwrap_or(Duration::from_secs(1)),
            horizon: Duration::from_secs(10),
            strategy: scenario.explore.strategy,
            exhaustive: false,
            second: scenario.explore.second,
            fuzz: Fuzz {
                seed: scenario.explore.seed.unwrap_or_default().into(),
                trials: scenario.explore.trials.map(u64::from),
                ..Fuzz::default()
            },
            regressions: Vec::new(),
            trials,
            repeat: scenario.explore.repeat,
            confirm: scenario.explore.confirm,
            timelines: false,
            division: None,
            done: Vec::new(),
            jobs: 1,
            budget: scenario.explore.budget,
            rules: Rules {
                kind: scenario.agent.kind.unwrap_or(Kind::Job),
                survivors: scenario.survivors.clone(),
                exit: scenario.expect.exit.clone(),
                within: scenario.expect.within,
                log: scenario.expect.log.clone(),
                states: scenario
                    .states
                    .iter()
                    .map(|state| (state.name.clone(), state.expect.or(scenario.expect.state).unwrap_or_default()))
                    .collect(),
                released: scenario.expect.released.clone(),
            },
            allows: scenario.allows.clone(),
            today: today.to_owned(),
            replay: ("quietus replay ".to_owned(), format!(" --scenario {}", path.display())),
            private_network: scenario.cell.network == Network::Private,
            max_processes: scenario.cell.max_processes.unwrap_or(MOST_PROCESSES),
            services,
            states: scenario.states.iter().map(|state| oracle(&filled_state(state, &references), &scratch)).collect(),
            recover: scenario.recover.as_ref().map(|recover| RecoverSpec {
                command: recover.command.as_deref().map(|command| references.fill_all(command)),
                ..recover.clone()
            }),
        })
    }
}

/// The servers of a scenario, and what may be said of them elsewhere.
fn services_of(
    scenario: &Scenario,
    scratch: &Arc<Scratch>,
    environment: &[(OsString, OsString)],
) -> (Vec<Arc<Service>>, References) {
    let search = || environment.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.clone());
    let made = |spec: &ServiceSpec| Arc::new(Service::new(spec, scratch, search()));
    let mut references = References::default();
    // A command may name any service, so the names come before the commands.
    scenario.services.iter().for_each(|spec| references.add(&made(spec)));
    let filled = |spec: &ServiceSpec| {
        let kind = match &spec.kind {
            ServiceKind::Command { command, ready } => {
                ServiceKind::Command { command: references.fill_all(command), ready: references.fill_all(ready) }
            }
            known => known.clone(),
        };
        made(&ServiceSpec { kind, ..spec.clone() })
    };
    (scenario.services.iter().map(filled).collect(), references)
}

fn filled_state(spec: &StateSpec, references: &References) -> StateSpec {
    let mut spec = spec.clone();
    let fill = |text: &mut String| *text = references.fill(text);
    match &mut spec.kind {
        StateKind::Sqlite { path, .. }
        | StateKind::Git { path }
        | StateKind::Directory { path }
        | StateKind::Json { path, .. } => fill(path),
        StateKind::Postgres { url, .. } | StateKind::Redis { url } | StateKind::Http { url } => fill(url),
        StateKind::Files { paths } => paths.iter_mut().for_each(fill),
        StateKind::Command { command } => command.iter_mut().for_each(fill),
    }
    spec
}
