//! Lets the servers of a run answer one at a time, each only while the program that is counted
//! sleeps.
//!
//! A program that waits for several answers does its work in the order in which they come, and
//! wakes once or several times for them: how often depends on the machine. In lockstep it finds
//! one answer whenever it wakes, always in the same order, so that two runs do the same work.

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

/// Looks at the program in between.
const TICK: Duration = Duration::from_millis(1);

/// So many looks in a row find a program that waits for the servers. On a runtime with one
/// thread, the servers have read whatever it wrote by then.
const STILL_TICKS: usize = 3;

/// The place of an answer: the server's number, and the connection's.
type Place = (u64, u64);

/// What the servers of a run share. They answer at once until a program is followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lockstep(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    servers: AtomicU64,
    /// The servers that wait for their turn, while a program is followed.
    waiting: Mutex<Option<BTreeMap<Place, oneshot::Sender<()>>>>,
}

impl Lockstep {
    /// One more server.
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
            // It has ended: nobody waits for it.
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

    /// A turn to wait for; `None` when nobody is followed.
    fn turn(&self, place: Place) -> Option<oneshot::Receiver<()>> {
        let mut waiting = self.waiting();
        let waiting = waiting.as_mut()?;
        let (sender, turn) = oneshot::channel();
        waiting.insert(place, sender);
        Some(turn)
    }

    /// Lets the first of those that wait answer.
    fn step(&self) {
        let mut waiting = self.waiting();
        while let Some((_, sender)) = waiting.as_mut().and_then(BTreeMap::pop_first) {
            // A connection that was closed does not answer any more.
            if sender.send(()).is_ok() {
                return;
            }
        }
    }

    fn nobody_waits(&self) -> bool {
        self.waiting().as_ref().is_none_or(BTreeMap::is_empty)
    }
}

/// A program that the servers keep in step with, until the value is dropped.
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

/// Waits until a program sleeps, and goes on to sleep.
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

/// How often the threads of a program have gone to sleep, when all of them sleep now.
fn sleeps(pid: u32) -> Result<Option<u64>> {
    let threads = format!("/proc/{pid}/task");
    let mut total = 0;
    let mut alive = 0;
    for thread in fs::read_dir(&threads).with_context(|| format!("reading `{threads}`"))? {
        // A thread may end in between.
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

/// Bytes that went over a server's connections, as TCP carries them.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Wire {
    /// In both directions.
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
    /// The bytes that its connections carry.
    pub(crate) fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.wire)
    }

    /// A connection that was accepted.
    pub(crate) fn connection(&self, stream: TcpStream) -> Connection {
        // Small answers are to leave at once.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            lockstep: self.lockstep.clone(),
            place: self.next_place(),
            turn: None,
            wire: self.wire(),
        }
    }

    /// Waits for the turn of an answer that needs no connection.
    pub(crate) async fn turn(&self) {
        if let Some(turn) = self.lockstep.turn(self.next_place()) {
            // Without a sender nobody is followed any more.
            let _ = turn.await;
        }
    }

    fn next_place(&self) -> Place {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        (self.number, connection)
    }
}

/// A connection whose every write waits for its turn.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    lockstep: Lockstep,
    place: Place,
    turn: Option<oneshot::Receiver<()>>,
    wire: Arc<Wire>,
}

impl Connection {
    fn poll_turn(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        if self.turn.is_none() {
            self.turn = self.lockstep.turn(self.place);
        }
        if let Some(turn) = &mut self.turn {
            // Without a sender nobody is followed any more.
            let _ = ready!(Pin::new(turn).poll(context));
            self.turn = None;
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
        ready!(self.poll_turn(context));
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
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
        ready!(self.poll_turn(context));
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
