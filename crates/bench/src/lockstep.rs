//! Lets the servers of a run answer one at a time, and only while the counted program sleeps.
//!
//! A program that waits for several answers processes them in order of arrival, and the number
//! of its wake-ups depends on the machine. In lockstep, each wake-up finds one answer, always
//! in the same order, so that two runs do the same work.

use std::{
    collections::BTreeMap,
    fs,
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    task::AbortHandle,
    time::sleep,
};

/// The interval between two checks of the program.
const TICK: Duration = Duration::from_millis(1);

/// The number of consecutive checks that must find the program waiting for the servers. On a
/// runtime with one thread, the servers have then read everything that it wrote.
const STILL_TICKS: usize = 3;

/// The position of an answer in the order: the server's number, then the connection's.
type Place = (u64, u64);

/// The state that the servers of a run share. They answer immediately until a program is
/// followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lockstep(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    servers: AtomicU64,
    /// The servers that wait to answer, while a program is followed.
    waiting: Mutex<Option<BTreeMap<Place, oneshot::Sender<()>>>>,
}

impl Lockstep {
    /// Adds a server.
    pub(crate) fn server(&self) -> Server {
        Server {
            lockstep: self.clone(),
            number: self.0.servers.fetch_add(1, Ordering::Relaxed),
            connections: AtomicU64::new(0),
            wire: Arc::default(),
        }
    }

    /// From now on the servers answer one at a time, each while this program sleeps.
    pub(crate) fn follow(&self, pid: u32) -> Followed {
        *self.waiting() = Some(BTreeMap::new());
        let lockstep = self.clone();
        let stepping = tokio::spawn(async move {
            while still(pid).await.is_ok() {
                lockstep.step();
            }
            // The program has ended, so no server waits for it.
            *lockstep.waiting() = None;
        });
        Followed {
            lockstep: self.clone(),
            pid,
            stepping: stepping.abort_handle(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Option<BTreeMap<Place, oneshot::Sender<()>>>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the signal to wait for; `None` if no program is followed.
    fn permission(&self, place: Place) -> Option<oneshot::Receiver<()>> {
        let mut waiting = self.waiting();
        let waiting = waiting.as_mut()?;
        let (sender, permission) = oneshot::channel();
        waiting.insert(place, sender);
        Some(permission)
    }

    /// Lets the first waiting server answer.
    fn step(&self) {
        let mut waiting = self.waiting();
        while let Some((_, sender)) = waiting.as_mut().and_then(BTreeMap::pop_first) {
            // A closed connection no longer answers.
            if sender.send(()).is_ok() {
                return;
            }
        }
    }

    fn nobody_waits(&self) -> bool {
        self.waiting().as_ref().is_none_or(BTreeMap::is_empty)
    }
}

/// A program with which the servers run in lockstep, until the value is dropped.
#[derive(Debug)]
pub(crate) struct Followed {
    lockstep: Lockstep,
    pid: u32,
    stepping: AbortHandle,
}

impl Followed {
    /// Waits until the program sleeps and no answer is on its way to it.
    pub(crate) async fn rest(&self) -> Result<()> {
        loop {
            still(self.pid).await?;
            if self.lockstep.nobody_waits() {
                return Ok(());
            }
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.stepping.abort();
        *self.lockstep.waiting() = None;
    }
}

/// Waits until a program sleeps and stays asleep.
pub(crate) async fn still(pid: u32) -> Result<()> {
    let mut last = None;
    let mut ticks = 0;
    while ticks < STILL_TICKS {
        sleep(TICK).await;
        let sleeps = sleeps(pid)?;
        ticks = if sleeps.is_some() && sleeps == last {
            ticks + 1
        } else {
            0
        };
        last = sleeps;
    }
    Ok(())
}

/// Returns the number of times that the threads of a program have gone to sleep, if all of them
/// sleep now.
fn sleeps(pid: u32) -> Result<Option<u64>> {
    let threads = format!("/proc/{pid}/task");
    let mut total = 0;
    let mut alive = 0;
    for thread in fs::read_dir(&threads).with_context(|| format!("reading `{threads}`"))? {
        // A thread may end during the loop.
        let Ok(status) = fs::read_to_string(thread?.path().join("status")) else {
            return Ok(None);
        };
        match state_and_switches(&status) {
            Some(('S', switches)) => total += switches,
            Some(('Z' | 'X', _)) => continue,
            _ => return Ok(None),
        }
        alive += 1;
    }
    ensure!(alive > 0, "process {pid} has ended");
    Ok(Some(total))
}

fn state_and_switches(status: &str) -> Option<(char, u64)> {
    let value = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"))
    };
    let switches = value("voluntary_ctxt_switches")?;
    Some((value("State")?.chars().next()?, switches.parse().ok()?))
}

/// The bytes on a server's connections, as carried by TCP.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Wire {
    /// Returns the bytes in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed)
    }
}

/// One server.
#[derive(Debug)]
pub(crate) struct Server {
    lockstep: Lockstep,
    number: u64,
    connections: AtomicU64,
    wire: Arc<Wire>,
}

impl Server {
    /// Returns the counter of its connections' bytes.
    pub(crate) fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.wire)
    }

    /// Wraps an accepted connection.
    pub(crate) fn connection(&self, stream: TcpStream) -> Connection {
        // Small answers must be sent immediately.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            lockstep: self.lockstep.clone(),
            place: self.next_place(),
            permission: None,
            wire: self.wire(),
        }
    }

    /// Waits for permission to answer without a connection.
    pub(crate) async fn permission(&self) {
        if let Some(permission) = self.lockstep.permission(self.next_place()) {
            // If the sender is gone, no program is followed any more.
            let _ = permission.await;
        }
    }

    fn next_place(&self) -> Place {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        (self.number, connection)
    }
}

/// A connection whose every write waits for permission.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    lockstep: Lockstep,
    place: Place,
    permission: Option<oneshot::Receiver<()>>,
    wire: Arc<Wire>,
}

impl Connection {
    fn poll_permission(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        if self.permission.is_none() {
            self.permission = self.lockstep.permission(self.place);
        }
        if let Some(permission) = &mut self.permission {
            // If the sender is gone, no program is followed any more.
            let _ = ready!(Pin::new(permission).poll(context));
            self.permission = None;
        }
        Poll::Ready(())
    }

    fn sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.wire.sent.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        self.wire
            .received
            .fetch_add(bytes as u64, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_permission(context));
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_permission(context));
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.sent(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_permission(context));
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
