//! What the clients of servers run on: a runtime of their own for each reading, with a
//! limit of time.

use super::{Address, MOST, Place, Stream};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
        let room = Arc::new(AtomicU64::new(MOST));
        let connection = Connection::new(stream, Arc::clone(&room)).map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, question(connection)).await {
            Ok(Err(_)) if room.load(Ordering::Relaxed) == 0 => {
                Err(format!("the server sent {MOST} bytes, and no more are read: ask it for less"))
            }
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

/// A connection on the runtime, which gives no more than so many bytes.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Socket,
    room: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Socket {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

impl Connection {
    fn new(stream: Stream, room: Arc<AtomicU64>) -> std::io::Result<Self> {
        let stream = match stream {
            Stream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Unix(tokio::net::UnixStream::from_std(stream)?)
            }
            Stream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Tcp(tokio::net::TcpStream::from_std(stream)?)
            }
        };
        Ok(Self { stream, room })
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let left = this.room.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(std::io::Error::other("it sends too much")));
        }
        let before = buffer.filled().len();
        let read = match &mut this.stream {
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let count = buffer.filled().len() - before;
        this.room.store(left.saturating_sub(count as u64), Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match &mut self.get_mut().stream {
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().stream {
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().stream {
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use tokio::io::AsyncReadExt as _;

    #[test]
    fn of_a_server_that_sends_without_end_so_much_is_read() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let sends = std::thread::spawn(move || while theirs.write_all(&[b'x'; 1 << 16]).is_ok() {});
        let read = talk(Stream::Unix(ours), async |mut connection| {
            let mut all = [0; 1 << 16];
            loop {
                connection.read(&mut all).await.map_err(|error| error.to_string())?;
            }
            #[expect(unreachable_code, reason = "says what would be returned")]
            Ok(())
        });
        assert_eq!(read, Err(format!("the server sent {MOST} bytes, and no more are read: ask it for less")));
        sends.join().expect("it ends once nobody reads");
    }
}
