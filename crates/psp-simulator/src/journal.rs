//! The state file: each change appends the whole record as one JSON line; the last line of a record wins.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::model::{Session, SettlementFault, Transfer};

/// A line. A session is written bare, the others under their name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Record {
    Transfer {
        transfer: Transfer,
    },
    SettlementFault {
        settlement_fault: SettlementFault,
    },
    /// A removed settlement fault.
    NoSettlementFault {
        no_settlement_fault: SettlementFault,
    },
    Session(Box<Session>),
}

impl Record {
    /// The key that lines of one record share.
    fn key(&self) -> String {
        match self {
            Self::Transfer { transfer } => transfer.id.clone(),
            Self::SettlementFault { settlement_fault: fault }
            | Self::NoSettlementFault { no_settlement_fault: fault } => {
                format!("{:?} {}", fault.kind, fault.id)
            }
            Self::Session(session) => session.id.clone(),
        }
    }
}

/// The open state file, and the length of its complete lines.
pub(crate) struct Journal {
    file: File,
    whole: u64,
}

impl Journal {
    /// Reads and compacts the file, and opens it for appending. A last line that a crash truncated was never acknowledged
    /// and is dropped.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Record>)> {
        let records = read(path)?;
        let fresh = path.with_extension("new");
        let mut file = BufWriter::new(private().truncate(true).open(&fresh)?);
        for record in &records {
            write_line(&mut file, record)?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, path)?;
        let file = private().append(true).open(path)?;
        let whole = file.metadata()?.len();
        Ok((Self { file, whole }, records))
    }

    /// Adds the present state of a record. A line that could be written only in part, on a full disk, is taken back.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = Vec::with_capacity(512);
        write_line(&mut line, record)?;
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

fn read(path: &Path) -> io::Result<Vec<Record>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut records: HashMap<String, Record> = HashMap::new();
    let mut lines = BufReader::new(file).lines().peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_str::<Record>(&line?) {
            Ok(record) => {
                records.insert(record.key(), record);
            }
            Err(_) if lines.peek().is_none() => tracing::warn!("the last line of the state file is cut off"),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
    Ok(records.into_values().collect())
}

fn write_line(to: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *to, record)?;
    to.write_all(b"\n")
}
