//! The limits of a refresh: its deadline, and whether it is cancelled.
//!
//! The handle makes one [`Attempt`] for each refresh and passes it down to the transport. The handle keeps the
//! [`Cancellation`]. Through it, another thread ends the request in flight, and reads what that request does.

use crate::clock::Boot;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

/// The deadline of a refresh, or of one of its requests, and its cancellation.
#[derive(Clone)]
pub struct Attempt {
    /// The time at which it ends, on the suspend-aware clock.
    pub deadline: Boot,
    cancellation: Arc<Cancellation>,
}

impl Attempt {
    /// An attempt with this deadline, which this cancellation ends earlier.
    pub fn new(deadline: Boot, cancellation: Arc<Cancellation>) -> Attempt {
        Attempt { deadline, cancellation }
    }

    /// The same attempt with another deadline.
    pub fn until(&self, deadline: Boot) -> Attempt {
        Attempt { deadline, ..self.clone() }
    }

    /// Whether it is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.cancelled.load(Ordering::Relaxed)
    }

    /// Registers a request until the returned guard is dropped. [`Cancellation::cancel`] ends a registered request. The
    /// transport must check [`Attempt::is_cancelled`] after this call, because `cancel` may have run before it.
    #[must_use]
    pub fn register(&self, request: Arc<dyn InFlight>) -> Registered<'_> {
        *lock(&self.cancellation.request) = Some(request);
        Registered(&self.cancellation)
    }
}

/// A request in flight, as other threads use it.
pub trait InFlight: Send + Sync {
    /// Makes the request fail soon. Does not block.
    fn end(&self);

    /// What the request does now, in words for a message.
    fn doing(&self) -> String;
}

/// Cancels one refresh.
#[derive(Default)]
pub struct Cancellation {
    cancelled: AtomicBool,
    request: Mutex<Option<Arc<dyn InFlight>>>,
}

impl Cancellation {
    /// Cancels the refresh. Its request in flight fails soon, and it sends no other request.
    pub fn cancel(&self) {
        // Before the lock: either `cancel` finds the request, or the request finds the flag.
        self.cancelled.store(true, Ordering::Relaxed);
        let request = lock(&self.request).clone();
        request.iter().for_each(|request| request.end());
    }

    /// What the request in flight does; `None` if there is no request.
    pub fn doing(&self) -> Option<String> {
        let request = lock(&self.request).clone();
        request.map(|request| request.doing())
    }
}

/// Keeps a request registered until it is dropped, also by a panic.
pub struct Registered<'a>(&'a Cancellation);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        *lock(&self.0.request) = None;
    }
}

#[cfg(all(test, not(any(feature = "shuttle", feature = "loom"))))]
mod tests {
    use super::*;
    use crate::sync::AtomicUsize;

    #[derive(Default)]
    struct Request(AtomicUsize);

    impl InFlight for Request {
        fn end(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn doing(&self) -> String {
            "waiting".to_owned()
        }
    }

    #[test]
    fn cancel_ends_the_registered_request_and_each_copy_of_the_attempt() {
        let cancellation = Arc::<Cancellation>::default();
        let attempt = Attempt::new(Boot::from_secs(9), cancellation.clone());
        let shorter = attempt.until(Boot::from_secs(5));
        assert_eq!((attempt.deadline, shorter.deadline), (Boot::from_secs(9), Boot::from_secs(5)));
        let [before, during] = [(); 2].map(|()| Arc::<Request>::default());
        drop(shorter.register(before.clone()));
        assert_eq!(cancellation.doing(), None, "the request is over");
        let registered = shorter.register(during.clone());
        assert_eq!(cancellation.doing().as_deref(), Some("waiting"));
        assert!(!attempt.is_cancelled() && !shorter.is_cancelled());
        cancellation.cancel();
        assert!(attempt.is_cancelled() && shorter.is_cancelled());
        assert_eq!([before, during].map(|request| request.0.load(Ordering::Relaxed)), [0, 1]);
        drop(registered);
        assert_eq!(cancellation.doing(), None);
    }
}
