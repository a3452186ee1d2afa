//! The queue of password hashes: a few run at a time, and the places are shared between sources.
//!
//! - A waiting request from a **known** source (from which its account has logged in before) runs before all others, so
//!   that an attack on other accounts does not shut out an owner.
//! - Among equals the source with the fewest running hashes is next, then the one served longest ago (fair queueing).
//! - In a full queue a new request displaces the newest one of the source that waits most often, if that source would
//!   still have no fewer places; a known one displaces any that is not known. The displaced request is `OVERLOADED`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::throttle::Source;
use crate::error::IdentityError;

/// Who asks for a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requester {
    /// Where the request comes from.
    pub(crate) source: Source,
    /// Whether its account has logged in from there before.
    pub(crate) known: bool,
}

/// The queue. Clones share it.
#[derive(Clone)]
pub(super) struct HashQueue {
    parallel: usize,
    capacity: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Running hashes by source. No entry is 0.
    running: HashMap<Source, usize>,
    /// Last time that a waiting or running source was served, in served requests.
    served: HashMap<Source, u64>,
    waiting: Vec<Waiter>,
    /// Count of requests that were served or began to wait.
    ticks: u64,
}

struct Waiter {
    id: u64,
    requester: Requester,
    turn: oneshot::Sender<Turn>,
}

/// The right to compute one hash; dropping it lets the next request run.
pub(super) struct Turn {
    queue: HashQueue,
    source: Source,
}

/// Removes a request that gave up from the queue.
struct Waiting<'a> {
    queue: &'a HashQueue,
    id: u64,
}

impl HashQueue {
    /// A queue that runs `parallel` hashes at a time and lets `capacity` requests wait.
    pub(super) fn new(parallel: usize, capacity: usize) -> Self {
        Self { parallel, capacity, state: Arc::default() }
    }

    /// Whether a request could get a place: the queue is not full of known sources.
    pub(super) fn has_capacity(&self) -> bool {
        let state = self.lock();
        state.waiting.len() < self.capacity || state.waiting.iter().any(|waiter| !waiter.requester.known)
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`IdentityError::Overloaded`] when there is no place, or another request displaces this one.
    pub(super) async fn turn(&self, requester: Requester) -> Result<Turn, IdentityError> {
        let (id, turn) = {
            let mut state = self.lock();
            if state.is_idle(self.parallel) {
                return Ok(self.start(&mut state, requester.source));
            }
            if state.waiting.len() >= self.capacity && !state.displace_for(requester) {
                return Err(IdentityError::Overloaded);
            }
            state.ticks += 1;
            let (sender, turn) = oneshot::channel();
            let id = state.ticks;
            state.waiting.push(Waiter { id, requester, turn: sender });
            (id, turn)
        };
        let _waiting = Waiting { queue: self, id };
        turn.await.map_err(|_| IdentityError::Overloaded)
    }

    fn start(&self, state: &mut State, source: Source) -> Turn {
        state.ticks += 1;
        *state.running.entry(source).or_default() += 1;
        state.served.insert(source, state.ticks);
        Turn { queue: self.clone(), source }
    }

    /// Starts waiting requests while hashes can run.
    fn advance(&self) {
        loop {
            let (waiter, turn) = {
                let mut state = self.lock();
                if state.running.values().sum::<usize>() >= self.parallel {
                    return;
                }
                let Some(waiter) = state.next() else { return };
                let turn = self.start(&mut state, waiter.requester.source);
                (waiter, turn)
            };
            // Without the lock: a turn that no request waits for any more is dropped here, which advances the queue.
            let _ = waiter.turn.send(turn);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a request can run at once.
    fn is_idle(&self, parallel: usize) -> bool {
        self.waiting.is_empty() && self.running.values().sum::<usize>() < parallel
    }

    /// Takes the request that runs next from the queue.
    fn next(&mut self) -> Option<Waiter> {
        let rank = |waiter: &Waiter| {
            let source = waiter.requester.source;
            let running = self.running.get(&source).copied().unwrap_or_default();
            let served = self.served.get(&source).copied().unwrap_or_default();
            (!waiter.requester.known, running, served, waiter.id)
        };
        let (index, _) = self.waiting.iter().enumerate().min_by_key(|(_, waiter)| rank(waiter))?;
        Some(self.waiting.remove(index))
    }

    /// Removes a waiting request in favour of a new one. Returns whether there was one to remove.
    fn displace_for(&mut self, newcomer: Requester) -> bool {
        let mut places: HashMap<Source, usize> = HashMap::new();
        for waiter in self.waiting.iter().filter(|waiter| !waiter.requester.known) {
            *places.entry(waiter.requester.source).or_default() += 1;
        }
        let own = places.get(&newcomer.source).copied().unwrap_or_default();
        let Some((source, most)) = places.into_iter().max_by_key(|(_, count)| *count) else { return false };
        if !newcomer.known && most <= own + 1 {
            return false;
        }
        let of_source = |waiter: &Waiter| !waiter.requester.known && waiter.requester.source == source;
        let Some(index) = self.waiting.iter().rposition(of_source) else { return false };
        self.waiting.remove(index);
        true
    }

    fn finish(&mut self, source: Source) {
        let waits = self.waiting.iter().any(|waiter| waiter.requester.source == source);
        if let Some(running) = self.running.get_mut(&source) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&source);
                if !waits {
                    self.served.remove(&source);
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.lock().finish(self.source);
        self.queue.advance();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.lock().waiting.retain(|waiter| waiter.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::poll;

    use super::*;

    fn from(address: &str) -> Requester {
        Requester { source: Source::parse(address), known: false }
    }

    fn known(address: &str) -> Requester {
        Requester { known: true, ..from(address) }
    }

    const ATTACKER: &str = "198.51.100.1";
    const OWNER: &str = "203.0.113.9";

    #[tokio::test]
    async fn owner_is_served_next_beside_80_requests_of_an_attacker() {
        for owner in [from(OWNER), known(OWNER), known(ATTACKER)] {
            let queue = HashQueue::new(1, 64);
            let running = queue.turn(from(ATTACKER)).await.ok();
            let mut attack: Vec<_> = (0..80).map(|_| Box::pin(queue.turn(from(ATTACKER)))).collect();
            for attempt in &mut attack {
                let _ = poll!(attempt);
            }
            let mut turn = Box::pin(queue.turn(owner));
            assert!(poll!(&mut turn).is_pending(), "{owner:?} has a place");
            drop(running);
            assert!(matches!(poll!(&mut turn), Poll::Ready(Ok(_))), "{owner:?} is next");
        }
    }

    #[tokio::test]
    async fn sources_take_turns() {
        let queue = HashQueue::new(1, 64);
        let running = queue.turn(from("192.0.2.1")).await.ok();
        let mut waiting: Vec<_> = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
            .into_iter()
            .map(|address| (address, Box::pin(queue.turn(from(address)))))
            .collect();
        for (_, turn) in &mut waiting {
            assert!(poll!(turn).is_pending());
        }
        drop(running);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let mut served = None;
            for (index, (_, turn)) in waiting.iter_mut().enumerate() {
                if let Poll::Ready(turn) = poll!(turn) {
                    assert!(served.replace((index, turn.ok().unwrap())).is_none(), "one at a time");
                }
            }
            let (index, turn) = served.unwrap();
            order.push(waiting.remove(index).0);
            drop(turn);
        }
        assert_eq!(order, ["192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.1", "192.0.2.1"]);
        assert!(queue.lock().served.is_empty() && queue.lock().running.is_empty());
    }

    #[tokio::test]
    async fn full_queue_refuses_the_source_that_fills_it_and_displaces_it_for_others() {
        let queue = HashQueue::new(1, 2);
        let running = queue.turn(from(ATTACKER)).await.ok();
        let (mut first, mut second) = (Box::pin(queue.turn(from(ATTACKER))), Box::pin(queue.turn(from(ATTACKER))));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        assert!(matches!(queue.turn(from(ATTACKER)).await, Err(IdentityError::Overloaded)));
        let mut owner = Box::pin(queue.turn(from(OWNER)));
        assert!(poll!(&mut owner).is_pending());
        assert!(matches!(poll!(&mut second), Poll::Ready(Err(IdentityError::Overloaded))), "the newest is displaced");
        assert!(matches!(queue.turn(from("192.0.2.7")).await, Err(IdentityError::Overloaded)), "all have one place");
        let mut other = Box::pin(queue.turn(known("192.0.2.7")));
        assert!(poll!(&mut other).is_pending() && queue.has_capacity());
        drop(running);
    }

    #[tokio::test]
    async fn cancelled_requests_leave_the_queue() {
        let queue = HashQueue::new(1, 2);
        let running = queue.turn(from(OWNER)).await.ok();
        let mut gone = Box::pin(queue.turn(from(OWNER)));
        assert!(poll!(&mut gone).is_pending());
        drop(gone);
        assert!(queue.lock().waiting.is_empty());
        // Granted, but dropped before it was taken.
        let mut granted = Box::pin(queue.turn(from(OWNER)));
        assert!(poll!(&mut granted).is_pending());
        drop(running);
        drop(granted);
        assert!(queue.turn(from(OWNER)).await.is_ok());
    }
}
