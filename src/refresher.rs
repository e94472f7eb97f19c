//! Who runs a refresh: a thread of the library, or whoever a test says.

use crate::process;

/// One refresh, ready to run.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs refreshes.
pub trait Runner: Send + Sync {
    /// Runs the job, now or later, on this thread or another.
    fn run(&self, job: Job);
}

/// A thread for each refresh, for its length. Where none can be made, the caller runs the refresh itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Runner for Threads {
    fn run(&self, job: Job) {
        if let Err(job) = process::spawn(job) {
            job();
        }
    }
}
