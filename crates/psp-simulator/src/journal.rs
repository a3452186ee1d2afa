//! Keeps sessions over a restart: each change appends the whole session as one JSON line, and the last line counts.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::model::Session;

/// The open state file, and how much of it is whole lines.
pub(crate) struct Journal {
    file: File,
    whole: u64,
}

impl Journal {
    /// Reads what the file holds and opens it for more. What changes have left behind is cleared away on this occasion.
    /// A last line that was cut off by a crash was never answered for, and is dropped.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Session>)> {
        let sessions = read(path)?;
        let fresh = path.with_extension("new");
        let mut file = BufWriter::new(private().truncate(true).open(&fresh)?);
        for session in &sessions {
            write_line(&mut file, session)?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, path)?;
        let file = private().append(true).open(path)?;
        let whole = file.metadata()?.len();
        Ok((Self { file, whole }, sessions))
    }

    /// Adds the present state of a session. A line that could be written only in part, on a full disk, is taken back.
    pub(crate) fn append(&mut self, session: &Session) -> io::Result<()> {
        let mut line = Vec::with_capacity(512);
        write_line(&mut line, session)?;
        if let Err(error) = self.file.write_all(&line) {
            self.file.set_len(self.whole)?;
            return Err(error);
        }
        self.whole += line.len() as u64;
        Ok(())
    }
}

/// Tokens of checkout pages are in it, so it is for its owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}

fn read(path: &Path) -> io::Result<Vec<Session>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut sessions: HashMap<String, Session> = HashMap::new();
    let mut lines = BufReader::new(file).lines().peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_str::<Session>(&line?) {
            Ok(session) => {
                sessions.insert(session.id.clone(), session);
            }
            Err(_) if lines.peek().is_none() => tracing::warn!("the last line of the state file is cut off"),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
    Ok(sessions.into_values().collect())
}

fn write_line(to: &mut impl Write, session: &Session) -> io::Result<()> {
    serde_json::to_writer(&mut *to, session)?;
    to.write_all(b"\n")
}
