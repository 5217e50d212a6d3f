//! What the clients of servers run on: a runtime of their own for each reading, with a
//! limit of time.

use super::{Address, Place, Stream};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a server may take for all it is asked.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long what a killed client leaves may take to go: a server notices a connection that
/// is gone by itself, and tells nobody.
pub(super) const GOES_WITHIN: Duration = Duration::from_secs(2);
/// How often that is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What Quietus calls its own sessions.
pub(super) const OWN_NAME: &str = "quietus";

/// Connects, and asks.
pub(super) fn ask<T, F>(
    place: &mut dyn Place,
    address: &Address,
    question: impl FnOnce(Connection) -> F + Send,
) -> Result<T, String>
where
    T: Send,
    F: Future<Output = Result<T, String>>,
{
    let stream = place.connect(address)?;
    talk(stream, question).map_err(|why| format!("{address}: {why}"))
}

/// Asks over a connection.
pub(super) fn talk<T, F>(stream: Stream, question: impl FnOnce(Connection) -> F + Send) -> Result<T, String>
where
    T: Send,
    F: Future<Output = Result<T, String>>,
{
    // On a thread of its own: whoever checks agents may run on a runtime, and those do not nest.
    std::thread::scope(|scope| {
        let asking = std::thread::Builder::new().spawn_scoped(scope, || on_runtime(stream, question));
        let asked = asking.map_err(|error| format!("no thread can be had for a client: {error}"))?.join();
        asked.unwrap_or_else(|_| Err("[quietus internal bug] the client of the server panicked".to_owned()))
    })
}

fn on_runtime<T, F>(stream: Stream, question: impl FnOnce(Connection) -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot make a runtime: {error}"))?;
    runtime.block_on(async {
        let connection = Connection::new(stream).map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, question(connection)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("the server did not answer within {}s", PATIENCE.as_secs())),
        }
    })
}

/// The half of a client that moves its bytes, until the client is dropped.
#[derive(Debug)]
pub(super) struct Driven(tokio::task::JoinHandle<()>);

impl Driven {
    pub(super) fn new<T: Send>(driven: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(async { drop(driven.await) }))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection on the runtime.
#[derive(Debug)]
pub(super) enum Connection {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

impl Connection {
    fn new(stream: Stream) -> std::io::Result<Self> {
        Ok(match stream {
            Stream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Self::Unix(tokio::net::UnixStream::from_std(stream)?)
            }
            Stream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Self::Tcp(tokio::net::TcpStream::from_std(stream)?)
            }
        })
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A text in one line, and not too long: what a subject or a title can hold.
pub(super) fn in_short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
