//! A connection that ends at the request's limit, however its other side drips.
//!
//! ureq allows each read of a proxy's answer the whole time to connect, so that a byte now and then would hold the
//! thread for hours.

use std::time::Instant;

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport as Wire, time};

/// A wire, and when it ends.
#[derive(Debug)]
pub struct Bounded<W> {
    wire: W,
    end: Instant,
}

impl<W: Wire> Bounded<W> {
    /// The same wire until then.
    pub fn new(wire: W, end: Instant) -> Bounded<W> {
        Bounded { wire, end }
    }

    /// No more than what is left.
    fn left(&self, mut timeout: NextTimeout) -> Result<NextTimeout, ureq::Error> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        timeout.after = match timeout.after {
            time::Duration::Exact(after) => time::Duration::Exact(after.min(left)),
            time::Duration::NotHappening => time::Duration::Exact(left),
        };
        Ok(timeout)
    }
}

impl<W: Wire> Wire for Bounded<W> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.wire.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = self.left(timeout)?;
        self.wire.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = self.left(timeout)?;
        self.wire.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.wire.is_open()
    }

    fn is_tls(&self) -> bool {
        self.wire.is_tls()
    }
}
