//! Connections into the place of a trial, as the agent would make them.

use super::live::TrialSession;
use super::place::Place;
use super::within::open_within;
use crate::state::Stream;
use crate::sys::{Command, Report};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);

impl<P: Place> TrialSession<P> {
    /// Connects to the Unix socket at a path of the agent.
    pub(super) fn connect_to_file(&self, path: &Path) -> Result<Stream, String> {
        let path = self.cell.actual(&self.directory.join(path));
        let shown = self.cell.shown(&path.to_string_lossy());
        connect_below(&self.cell, &path).map(Stream::Unix).map_err(|errno| match errno {
            Errno::NOENT => format!("no server: there is no {shown}"),
            Errno::CONNREFUSED => format!("no server: nobody listens at {shown}"),
            errno => format!("cannot connect to {shown}: {errno}"),
        })
    }

    /// Connects to a port, in the network of the agent.
    pub(super) fn connect_to_port(&mut self, host: &str, port: u16) -> Result<Stream, String> {
        let no_server = |why: String| format!("no server at {host}:{port}: {why}");
        if self.cell.has_private_network() {
            return self.connect_inside(host, port).map(Stream::Tcp).map_err(no_server);
        }
        let addresses = (host, port).to_socket_addrs().map_err(|error| no_server(error.to_string()))?;
        let mut why = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(Stream::Tcp(stream)),
                Err(error) => why = error.to_string(),
            }
        }
        Err(no_server(why))
    }

    /// Connects in a network that has only the loopback interface.
    fn connect_inside(&mut self, host: &str, port: u16) -> Result<TcpStream, String> {
        let families: &[bool] = match host.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => &[address.is_ipv6()],
            Err(_) if host == "localhost" => &[false, true],
            _ => return Err("the cell has a network of its own, with nothing but localhost".to_owned()),
        };
        let mut why = Errno::CONNREFUSED;
        for six in families {
            match self.connect_by_init(port, *six) {
                Ok(stream) => return Ok(stream),
                // That this family is missing says less than that nobody listens.
                Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {}
                Err(errno) => why = errno,
            }
        }
        Err(why.to_string())
    }

    /// Only a process of the cell can make a socket of its network: the init hands one over.
    fn connect_by_init(&mut self, port: u16, six: bool) -> Result<TcpStream, Errno> {
        let deadline = Instant::now() + PATIENCE;
        self.connecting = Some(None);
        self.cell.send(Command::Connect { port, six })?;
        let told = loop {
            if let Some(told) = self.connecting.flatten() {
                break Ok(told);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_interrupted() {
                break Err(Errno::TIMEDOUT);
            }
            wait_for(self.cell.socket(), PollFlags::IN, left);
            if self.hear_reports() {
                break Err(Errno::PIPE);
            }
        };
        self.connecting = None;
        let errno = told?;
        if errno != 0 {
            return Err(Errno::from_raw_os_error(errno));
        }
        let socket = self.cell.take_connected().ok_or(Errno::IO)?;
        wait_for(socket.as_fd(), PollFlags::OUT, deadline.saturating_duration_since(Instant::now()));
        rustix::net::sockopt::socket_error(&socket)??;
        rustix::net::getpeername(&socket)?.ok_or(Errno::TIMEDOUT)?;
        Ok(TcpStream::from(socket))
    }

    /// Takes a report that is about a connection.
    pub(super) fn is_of_connection(&mut self, report: &Report) -> bool {
        let Report::Connected { errno } = *report else { return false };
        if let Some(waiting) = &mut self.connecting {
            *waiting = Some(errno);
        }
        true
    }
}

fn wait_for(fd: impl AsFd, what: PollFlags, left: Duration) {
    let mut watched = [PollFd::from_borrowed_fd(fd.as_fd(), what)];
    let _ = poll(&mut watched, Timespec::try_from(left).ok().as_ref());
}

/// How often a server whose queue is full is asked again: the kernel tells nobody.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// Connects to a socket file of a place.
pub(super) fn connect_below<P: Place>(cell: &P, path: &Path) -> Result<UnixStream, Errno> {
    let file = open_within(cell, path, OFlags::PATH)?;
    // The link stands for the open file itself, in the mounts of the place (proc_pid_fd(5)).
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(Errno::AGAIN) if Instant::now() < deadline => {
                let _ = poll(&mut [], Timespec::try_from(TRY_EVERY).ok().as_ref());
            }
            Err(errno) => return Err(errno),
        }
    }
}
