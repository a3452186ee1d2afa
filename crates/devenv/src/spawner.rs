//! The spawner thread, which starts every child process.
//!
//! The kernel sends the parent-death signal (`PR_SET_PDEATHSIG`) when the *thread* that started a child ends, not its
//! process: a child started from a test's thread would die with that test. So all children are started from one thread
//! that lives as long as the process. However the process ends, the kernel then signals all children.

use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

type Answer = Sender<io::Result<Child>>;

static SPAWNER: OnceLock<Sender<(Command, Answer)>> = OnceLock::new();

/// Starts `command` from the spawner thread.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = channel::<(Command, Answer)>();
        // Without a thread the channel is closed, which `spawn` reports below.
        let _ = thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (mut command, answer) in inbox {
                // The caller waits for the answer, so this fails only if the caller's thread has ended.
                let _ = answer.send(command.spawn());
            }
        });
        jobs
    });
    let (answer, child) = channel();
    let ended = || io::Error::other("the spawner thread has ended");
    spawner.send((command, answer)).map_err(|_| ended())?;
    child.recv().map_err(|_| ended())?
}
