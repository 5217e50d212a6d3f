//! Makes the place for one trial: programs, streams, a cell, and `prepare`.

use super::live::TrialSession;
use super::neighbours::{Neighbours, any_cpu};
use super::place::{Build, Place};
use super::recover::Second;
use super::services::{self, Services};
use super::{states, streams};
use crate::driver::tracer::{Aim, Extent, FarSide, Tracer};
use crate::driver::{DriverError, Request};
use crate::model::{Fault, Point, Stdin, Step};
use crate::sys::{Command, Program, Report, Role};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use std::ffi::OsString;

/// Index of the agent among the programs.
pub(super) const AGENT: u32 = 0;

/// Opens a trial in the place that `build` makes.
pub(in crate::driver) fn open_in<P: Place>(
    request: &Request,
    build: Box<Build<'_, P>>,
) -> Result<TrialSession<P>, DriverError> {
    let plan = &request.plan;
    let (mut agent_streams, agent_ends) =
        streams::for_agent(&plan.stdin, &request.directory, !request.prepare.is_empty())?;
    let hosted = plan.acts.iter().any(|act| act.send.has(&Step::ParentDeath));
    let terminal = plan.pty || plan.acts.iter().any(|act| act.send.has(&Step::PtyHangup));
    let prepare = |command: &[OsString], role, stdio, what: &dyn Fn() -> String| {
        Program::new(command, &request.environment, &request.directory, role, stdio)
            .map_err(|error| DriverError::Command { what: what(), why: error.to_string() })
    };
    let role = Role::Agent { pid1: plan.pid1, hosted, terminal };
    let mut programs = vec![prepare(&request.command, role, agent_ends.stdio, &|| "the agent".to_owned())?];
    let cpu = plan.noise.one_cpu.then(any_cpu).flatten();
    if let Some(agent) = programs.first_mut() {
        agent.disturb(cpu, plan.noise.nice);
    }
    if let (Stdin::File(path), Some(agent)) = (&plan.stdin, programs.first_mut()) {
        agent
            .read_input_from(&request.directory.join(path))
            .map_err(|error| DriverError::Command { what: "the agent".to_owned(), why: error.to_string() })?;
    }
    let traced = trace::<P>(request, &mut programs)?;
    let (helper_output, helper_ends) = streams::for_helper()?;
    for (index, command) in request.prepare.iter().enumerate() {
        programs.push(prepare(command, Role::Helper, helper_ends.stdio, &|| format!("prepare command {}", index + 1))?);
    }
    let mut predicates = Vec::new();
    for point in plan.acts.iter().flat_map(|act| &act.at) {
        if let Point::When(text) = &point.point {
            predicates.push((text.clone(), programs.len() as u32));
            programs.push(prepare(
                &["/bin/sh".into(), "-c".into(), text.into()],
                Role::Helper,
                helper_ends.stdio,
                &|| format!("the point when:{text}"),
            )?);
        }
    }
    let mut second = None;
    let mut second_ends = None;
    if let Some(recovery) = &request.recovery {
        let (streams, ends) = streams::for_agent(&recovery.plan.stdin, &request.directory, true)?;
        let role = Role::Agent { pid1: plan.pid1, hosted: false, terminal: false };
        let mut program = prepare(&recovery.command, role, ends.stdio, &|| "the command that recovers".to_owned())?;
        if let Stdin::File(path) = &recovery.plan.stdin {
            program.read_input_from(&request.directory.join(path)).map_err(|error| DriverError::Command {
                what: "the command that recovers".to_owned(),
                why: error.to_string(),
            })?;
        }
        second = Some(Second { program: programs.len() as u32, streams, plan: recovery.plan.clone() });
        second_ends = Some(ends);
        programs.push(program);
    }
    let (asked, oracle_ends) = states::prepare(&request.states, &mut |command, stdio, name| {
        programs.push(prepare(command, Role::Helper, stdio, &|| format!("the state `{name}`"))?);
        Ok(programs.len() as u32 - 1)
    })?;
    let mut services = services::prepare::<P>(request, &mut programs, &helper_ends)?;
    let mut cell = build(&programs, terminal)?;
    cell.hide(services.directories.clone());
    drop((agent_ends, helper_ends, second_ends, oracle_ends));
    let tracer = traced.map(|(tracer, far)| {
        drop(far);
        tracer
    });
    if terminal {
        let control = cell
            .take_terminal()
            .ok_or(DriverError::System { what: "open a terminal", why: "the init sent none".to_owned() })?;
        rustix::fs::fcntl_setfl(&control, rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::RDWR)
            .map_err(DriverError::system("set the terminal to non-blocking"))?;
        agent_streams.input = None;
        agent_streams.outputs = [Some(control), None];
        agent_streams.names.clear();
    }
    services.start(&cell, &request.interrupt, &helper_output)?;
    for (index, command) in request.prepare.iter().enumerate() {
        run_helper(&cell, &helper_output, index as u32 + 1, command, request, &mut services)?;
    }
    let mut session = TrialSession::new(cell, request, agent_streams, predicates, helper_output, terminal);
    (session.tracer, session.second, session.asked, session.services) = (tracer, second, asked, services);
    session.neighbours = plan.noise.is_some().then(|| Neighbours::of(plan.noise, cpu));
    session.evidence.before = session.read_states();
    session.cell.note_before();
    Ok(session)
}

/// A tracer for the agent, if one of its points needs one. Without system calls among
/// them it holds the agent at its start and does nothing else.
fn trace<P: Place>(request: &Request, programs: &mut [Program]) -> Result<Option<(Tracer, FarSide)>, DriverError> {
    let specs = || request.plan.acts.iter().flat_map(|act| &act.at);
    let directory = request.directory.to_string_lossy();
    let aims: Vec<Aim> = specs()
        .filter_map(|spec| match &spec.point {
            Point::Syscall(point) => {
                Some(Aim { point: point.clone().in_directory(&directory), relative: spec.relative })
            }
            _ => None,
        })
        .collect();
    let faults: Vec<Fault> = request.plan.acts.iter().flat_map(|act| act.send.faults()).collect();
    let held_at_start = P::TRACES && specs().any(|spec| spec.point == Point::Start);
    let wanted = !aims.is_empty() || !faults.is_empty() || held_at_start || request.record;
    let Some(agent) = programs.first_mut().filter(|_| wanted) else { return Ok(None) };
    if !P::TRACES {
        return Err(DriverError::Unsupported(
            "system calls can be seen, be points and be made to fail under the full guarantee only".to_owned(),
        ));
    }
    let extent = match request.record {
        false => Extent::Nothing,
        true if request.states.is_empty() => Extent::Calls,
        true => Extent::CallsAndMessages,
    };
    Tracer::of(agent, &directory, aims, &faults, extent).map(Some)
}

/// Runs a command of `prepare` to its end.
fn run_helper<P: Place>(
    cell: &P,
    output: &OwnedFd,
    program: u32,
    command: &[OsString],
    request: &Request,
    services: &mut Services,
) -> Result<(), DriverError> {
    let shown = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed = |why: String| DriverError::Command { what: format!("prepare command `{shown}`"), why };
    let gone = |_| failed("the cell ended while it ran".to_owned());
    cell.send(Command::Run { program }).map_err(gone)?;
    let (mut said, mut pid) = (Vec::new(), None);
    loop {
        let mut watched = [
            PollFd::from_borrowed_fd(cell.socket(), PollFlags::IN),
            PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(request.interrupt.event(), PollFlags::IN),
        ];
        let _ = poll(&mut watched, None);
        if request.interrupt.is_raised() {
            return Err(failed("interrupted".to_owned()));
        }
        let mut chunk = [0u8; 4096];
        while let Ok(count @ 1..) = rustix::io::read(output, &mut chunk) {
            if said.len() < 16 * 1024 {
                said.extend_from_slice(chunk.get(..count).unwrap_or_default());
            }
        }
        while let Some(report) = cell.receive().map_err(gone)? {
            match report {
                Report::Started { pid: started, .. } => pid = Some(started),
                Report::ExecFailed { errno, .. } => {
                    return Err(failed(rustix::io::Errno::from_raw_os_error(errno).to_string()));
                }
                Report::Reaped { pid: reaped, status } if Some(reaped) == pid => {
                    return match crate::model::Ended::from_wait_status(status) {
                        Some(crate::model::Ended::Exited(0)) => Ok(()),
                        ended => {
                            let how = ended.map_or_else(|| "stopped".to_owned(), |ended| ended.to_string());
                            let text = String::from_utf8_lossy(&said);
                            let last: Vec<&str> = text.lines().rev().take(3).collect();
                            Err(failed(format!(
                                "it ended with {how}{}",
                                last.iter().rev().map(|line| format!("\n    {line}")).collect::<String>()
                            )))
                        }
                    };
                }
                report => {
                    if let Some(why) = services.ended(cell, &report) {
                        return Err(why);
                    }
                }
            }
        }
    }
}
