//! The thread that starts every child.
//!
//! The kernel's parent-death signal belongs to the *thread* that started a child, not to its process: a child started
//! from a test's thread would die when that test ends. So all children are started from one thread that ends only with
//! the process, and then, however the process ends, the kernel takes the children along.

use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

type Answer = Sender<io::Result<Child>>;

static SPAWNER: OnceLock<Sender<(Command, Answer)>> = OnceLock::new();

/// Starts `command` from the long-lived thread.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = channel::<(Command, Answer)>();
        // Without a thread the channel is closed, which `spawn` reports below.
        let _ = thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (mut command, answer) in inbox {
                // The caller waits for the answer, so this fails only if the caller's thread is gone.
                let _ = answer.send(command.spawn());
            }
        });
        jobs
    });
    let (answer, child) = channel();
    let gone = || io::Error::other("the thread that starts children is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}
