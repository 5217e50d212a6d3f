//! Where a server is, and a connection to it.

use std::fmt;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where a server is, as the agent would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The file of a Unix socket.
    Unix(PathBuf),
    /// A port, TCP.
    Tcp {
        /// A name or number, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// By a Unix socket.
    Unix(UnixStream),
    /// By TCP.
    Tcp(TcpStream),
}
