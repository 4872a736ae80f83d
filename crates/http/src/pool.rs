//! Connections that are kept for the next request to the same endpoint.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use webhooks_domain::outbound::authentication::IdentityId;

use crate::connection::Connection;

/// The time for which an idle connection is kept. It is shorter than the shortest common
/// keep-alive of servers (5 s, Node.js and Apache httpd), so that few requests meet a
/// connection that the server is closing. Such a request is [repeated](crate::HttpSender).
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(4);

/// The number of idle connections kept for one endpoint: as many as a batch uses.
const MAX_IDLE_PER_ENDPOINT: usize = 10;

/// The number of idle connections kept in total. A function has 1,024 file descriptors.
const MAX_IDLE: usize = 200;

/// A time on two clocks. Either clock may stand still while an execution environment is frozen.
#[derive(Clone, Copy)]
struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            #[expect(
                clippy::disallowed_methods,
                reason = "a second opinion on how long a socket was idle; nothing is decided for a delivery"
            )]
            wall: SystemTime::now(),
        }
    }

    /// Returns the time since `earlier`, by the clock that advanced more.
    fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        wall.max(self.monotonic.saturating_duration_since(earlier.monotonic))
    }
}

/// The requests that may use a connection again.
///
/// A connection to an endpoint that asked for a client certificate belongs to the owner of the
/// certificate: the endpoint attributes every request on it to that owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) origin: String,
    /// The client certificate with which the connection was made. `None`: without one.
    pub(crate) identity: Option<IdentityId>,
}

struct Kept<C> {
    route: Route,
    connection: C,
    since: Moment,
}

/// The properties of a connection that a pool needs.
pub(crate) trait Keepable {
    /// Returns true if it can be used now.
    fn is_usable(&self) -> bool;
}

impl Keepable for Connection {
    fn is_usable(&self) -> bool {
        self.is_ready()
    }
}

/// Idle connections by [`Route`], in the order in which they became idle.
///
/// Taking or keeping a connection also drops those that have been idle for too long.
pub(crate) struct Pool<C = Connection> {
    kept: Mutex<VecDeque<Kept<C>>>,
}

impl<C: Keepable> Pool<C> {
    pub(crate) const fn new() -> Self {
        Self {
            kept: Mutex::new(VecDeque::new()),
        }
    }

    /// Returns the most recently used connection of `route` that is still usable.
    pub(crate) fn take(&self, route: &Route) -> Option<C> {
        self.take_at(route, Moment::now())
    }

    /// Keeps a usable connection, unless its route has enough. If there are too many in total,
    /// the connection that was idle longest is dropped.
    pub(crate) fn keep(&self, route: Route, connection: C) {
        self.keep_at(route, connection, Moment::now());
    }

    fn take_at(&self, route: &Route, now: Moment) -> Option<C> {
        let mut kept = self.fresh(now);
        loop {
            let last = kept.iter().rposition(|kept| kept.route == *route)?;
            let connection = kept.remove(last)?.connection;
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    fn keep_at(&self, route: Route, connection: C, now: Moment) {
        if !connection.is_usable() {
            return;
        }
        let mut kept = self.fresh(now);
        let of_route = kept.iter().filter(|kept| kept.route == route).count();
        if of_route >= MAX_IDLE_PER_ENDPOINT {
            return;
        }
        if kept.len() >= MAX_IDLE {
            kept.pop_front();
        }
        kept.push_back(Kept {
            route,
            connection,
            since: now,
        });
    }

    fn fresh(&self, now: Moment) -> MutexGuard<'_, VecDeque<Kept<C>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| now.since(kept.since) < IDLE_LIMIT);
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Fake {
        number: usize,
        is_open: Rc<Cell<bool>>,
    }

    impl Keepable for Fake {
        fn is_usable(&self) -> bool {
            self.is_open.get()
        }
    }

    fn usable(number: usize) -> Fake {
        Fake {
            number,
            is_open: Rc::new(Cell::new(true)),
        }
    }

    fn route(origin: &str) -> Route {
        Route {
            origin: origin.to_owned(),
            identity: None,
        }
    }

    fn taken(pool: &Pool<Fake>, origin: &str, now: Moment) -> Option<usize> {
        pool.take_at(&route(origin), now).map(|fake| fake.number)
    }

    #[test]
    fn the_last_used_connection_of_the_origin_is_taken_and_what_is_closed_is_dropped() {
        let (pool, now) = (Pool::new(), Moment::now());
        pool.keep_at(route("a"), usable(1), now);
        pool.keep_at(route("a"), usable(2), now);
        pool.keep_at(route("b"), usable(3), now);
        let closed = usable(4);
        let is_open = Rc::clone(&closed.is_open);
        pool.keep_at(route("a"), closed, now);
        is_open.set(false);
        let order = [(); 3].map(|()| taken(&pool, "a", now));
        assert_eq!(order, [Some(2), Some(1), None]);
        assert_eq!(taken(&pool, "b", now), Some(3));
    }

    #[test]
    fn a_closed_connection_takes_no_place() {
        let (pool, now) = (Pool::new(), Moment::now());
        for number in 0..MAX_IDLE_PER_ENDPOINT {
            let closed = usable(number);
            closed.is_open.set(false);
            pool.keep_at(route("a"), closed, now);
        }
        pool.keep_at(route("a"), usable(100), now);
        assert_eq!(taken(&pool, "a", now), Some(100));
    }

    #[test]
    fn either_clock_can_say_that_a_connection_was_idle_for_too_long() {
        let started = Moment::now();
        let short = IDLE_LIMIT / 2;
        let after = |monotonic, wall| Moment {
            monotonic: started.monotonic + monotonic,
            wall: started.wall + wall,
        };
        for (now, expected) in [
            (after(short, short), Some(1)),
            (after(IDLE_LIMIT, Duration::ZERO), None),
            (after(Duration::ZERO, IDLE_LIMIT), None),
        ] {
            let pool = Pool::new();
            pool.keep_at(route("a"), usable(1), started);
            assert_eq!(taken(&pool, "a", now), expected);
        }
        // A clock that was set back is ignored.
        let pool = Pool::new();
        pool.keep_at(route("a"), usable(1), after(short, IDLE_LIMIT));
        assert_eq!(taken(&pool, "a", after(short, short)), Some(1));
    }

    #[test]
    fn as_many_are_kept_as_a_batch_needs_and_no_more_in_all_than_descriptors_allow() {
        let (pool, now) = (Pool::new(), Moment::now());
        for number in 0..100 {
            pool.keep_at(route("a"), usable(number), now);
        }
        let kept = (0..100).filter_map(|_| taken(&pool, "a", now)).count();
        assert_eq!(kept, MAX_IDLE_PER_ENDPOINT);
        for number in 0..1_000 {
            pool.keep_at(route(&number.to_string()), usable(number), now);
        }
        let kept: Vec<_> = (0..1_000)
            .filter_map(|number| taken(&pool, &number.to_string(), now))
            .collect();
        assert_eq!(kept, (800..1_000).collect::<Vec<_>>());
    }
}
