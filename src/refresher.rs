//! Who runs a refresh: a thread of the library, or whoever a test says.

use crate::process;

/// One refresh, ready to run.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs refreshes.
pub trait Runner: Send + Sync {
    /// Runs the job, now or later, on this thread or another; gives it back where it cannot.
    fn run(&self, job: Job) -> Result<(), Job>;
}

/// A thread for each refresh, for its length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Runner for Threads {
    fn run(&self, job: Job) -> Result<(), Job> {
        process::spawn(job)
    }
}
