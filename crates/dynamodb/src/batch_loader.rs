//! A batch loader: concurrent reads become one call (as in `DataLoader`).
//!
//! The first caller opens a window. The window closes after every other task that could run has
//! run. So all messages of a batch, which run concurrently, join it; then its keys are read.
//! Therefore:
//! - A read begins after it was requested, so it sees everything that was written before.
//! - There is no leader. Any caller that still waits drives the read. If one is dropped or panics,
//!   the others still get their answers. If no caller waits any more, the read is dropped too.

use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::key::Key;

/// The largest number of keys in one read (DynamoDB `BatchGetItem`).
const MAX_KEYS: usize = 100;

/// The answers of a read, by key. Absent items are left out.
pub(crate) type Answers<A> = HashMap<Key, A>;

/// `None` if the read panicked.
type Reading<A> = Shared<BoxFuture<'static, Option<Arc<Answers<A>>>>>;

/// Collects the keys of concurrent reads.
#[derive(Debug)]
pub(crate) struct BatchLoader<A> {
    open: Mutex<Option<Window<A>>>,
}

impl<A> Default for BatchLoader<A> {
    fn default() -> Self {
        Self {
            open: Mutex::new(None),
        }
    }
}

/// A read that has not begun.
#[derive(Debug)]
struct Window<A> {
    /// `None` after it has begun.
    keys: Arc<Mutex<Option<HashSet<Key>>>>,
    reading: WeakShared<BoxFuture<'static, Option<Arc<Answers<A>>>>>,
}

impl<A: Send + Sync + 'static> BatchLoader<A> {
    /// The answers for these keys, at most [`MAX_KEYS`], and possibly for others. `read` is called
    /// unless these keys join the read of another caller.
    ///
    /// `None` if the read panicked.
    pub(crate) async fn read<F>(
        &self,
        keys: impl IntoIterator<Item = Key>,
        read: impl FnOnce(HashSet<Key>) -> F + Send + 'static,
    ) -> Option<Arc<Answers<A>>>
    where
        F: Future<Output = Answers<A>> + Send,
    {
        let reading = self.join(keys.into_iter().collect(), read);
        others_first().await;
        reading.await
    }

    fn join<F>(
        &self,
        keys: HashSet<Key>,
        read: impl FnOnce(HashSet<Key>) -> F + Send + 'static,
    ) -> Reading<A>
    where
        F: Future<Output = Answers<A>> + Send,
    {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = open.as_ref().and_then(|window| window.admit(&keys)) {
            return reading;
        }
        let (window, reading) = Window::open(keys, read);
        *open = window;
        reading
    }
}

impl<A: Send + Sync + 'static> Window<A> {
    /// Begins a new read. `None` for the window of a read that no other caller can join.
    fn open<F>(
        keys: HashSet<Key>,
        read: impl FnOnce(HashSet<Key>) -> F + Send + 'static,
    ) -> (Option<Self>, Reading<A>)
    where
        F: Future<Output = Answers<A>> + Send,
    {
        let keys = Arc::new(Mutex::new(Some(keys)));
        let closing = Arc::clone(&keys);
        let reading = async move {
            let keys = lock(&closing).take();
            Arc::new(read(keys.unwrap_or_default()).await)
        };
        // Otherwise a panic would reach the caller that drives the read, and leave the others
        // waiting.
        let reading = AssertUnwindSafe(reading).catch_unwind().map(Result::ok);
        let reading = reading.boxed().shared();
        let window = reading.downgrade().map(|reading| Self { keys, reading });
        (window, reading)
    }

    /// The read with these keys added. `None` if it has begun, is full, or was dropped.
    fn admit(&self, keys: &HashSet<Key>) -> Option<Reading<A>> {
        let reading = self.reading.upgrade()?;
        let mut open = lock(&self.keys);
        let loaders = open.as_mut()?;
        if loaders.union(keys).count() > MAX_KEYS {
            return None;
        }
        loaders.extend(keys.iter().cloned());
        Some(reading)
    }
}

fn lock(keys: &Mutex<Option<HashSet<Key>>>) -> std::sync::MutexGuard<'_, Option<HashSet<Key>>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns after everything else that can run now has run.
async fn others_first() {
    let mut is_back = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_back, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use futures_util::future::join_all;
    use futures_util::stream::{FuturesUnordered, StreamExt};

    use super::*;

    /// Answers a key with its sort key, and records the number of keys of each read.
    #[derive(Default)]
    struct Table {
        loader: BatchLoader<String>,
        reads: Arc<Mutex<Vec<usize>>>,
    }

    impl Table {
        async fn get(&self, keys: impl IntoIterator<Item = Key>) -> Option<Arc<Answers<String>>> {
            let reads = Arc::clone(&self.reads);
            let read = move |keys: HashSet<Key>| async move {
                reads.lock().unwrap().push(keys.len());
                let has_bug = keys.contains(&key(BUG));
                // Like a real call, it does not answer at once.
                others_first().await;
                assert!(!has_bug, "planted fault");
                keys.into_iter().map(|key| (key.clone(), key.sk)).collect()
            };
            self.loader.read(keys, read).await
        }

        async fn get_one(&self, number: usize) -> Option<String> {
            let answers = self.get([key(number)]).await?;
            answers.get(&key(number)).cloned()
        }

        fn reads(&self) -> Vec<usize> {
            self.reads.lock().unwrap().clone()
        }
    }

    const BUG: usize = 9_999;

    fn key(number: usize) -> Key {
        Key {
            pk: "table".to_owned(),
            sk: number.to_string(),
        }
    }

    fn numbers(found: &[Option<String>]) -> Vec<&str> {
        found.iter().map(|one| one.as_deref().unwrap()).collect()
    }

    #[tokio::test]
    async fn concurrent_requests_become_one_read_with_each_key_once() {
        let table = Table::default();
        let found = join_all([1, 2, 1, 3].map(|number| table.get_one(number))).await;
        assert_eq!(numbers(&found), ["1", "2", "1", "3"]);
        assert_eq!(table.reads(), [3]);
    }

    #[tokio::test]
    async fn a_later_request_is_read_later() {
        let table = Table::default();
        let twice = async |number| {
            table.get_one(number).await;
            table.get_one(number).await
        };
        let found = join_all([twice(1), twice(2)]).await;
        assert_eq!(numbers(&found), ["1", "2"]);
        assert_eq!(table.reads(), [2, 2]);
    }

    #[tokio::test]
    async fn no_read_has_more_keys_than_the_table_accepts() {
        let table = Table::default();
        let pairs = (0..75).map(|first| table.get([key(first), key(first + 1_000)]));
        let found = pairs.collect::<FuturesUnordered<_>>().collect::<Vec<_>>();
        let found = found.await;
        assert!(found.iter().all(Option::is_some));
        assert_eq!(table.reads(), [100, 50]);
    }

    #[tokio::test]
    async fn a_dropped_caller_does_not_cancel_the_read_of_the_others() {
        let table = Table::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut second = pin!(table.get_one(2));
        {
            let mut first = pin!(table.get_one(1));
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert_eq!(table.reads(), [2], "the first caller drives it");
        }
        assert_eq!(second.await.unwrap(), "2");
        assert_eq!(table.reads(), [2]);
    }

    #[tokio::test]
    async fn nothing_is_read_if_all_callers_are_dropped() {
        let table = Table::default();
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(table.get_one(1)).poll(&mut context).is_pending());
        assert_eq!(table.get_one(2).await.unwrap(), "2");
        assert_eq!(table.reads(), [1]);
    }

    #[tokio::test]
    async fn a_read_that_panics_leaves_no_caller_waiting() {
        let table = Table::default();
        let found = join_all([1, BUG, 2].map(|number| table.get_one(number))).await;
        assert_eq!(found, [None, None, None]);
        assert_eq!(table.get_one(1).await.unwrap(), "1");
    }
}
