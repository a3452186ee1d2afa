//! A streaming parser of settlement files: CSV (RFC 4180) with a header, and a trailer `# lines=N` with the number of
//! lines, by which a file that was cut off is recognised.

use csv_core::{ReadRecordResult, Reader};
use jiff::Timestamp;

use super::{MovementKind, SettlementLine};

/// Longest line, in bytes. Real ones have less than 300.
const MAX_LINE: usize = 4096;
const HEADER: [&str; COLUMNS] = ["id", "kind", "reference", "session", "amount_minor", "currency", "created"];
const COLUMNS: usize = 7;
/// Longest id of any kind, in characters.
const MAX_ID: usize = 200;
/// Largest amount, in minor units.
const MAX_MINOR: i64 = 999_999_999_999_999;

/// Why a settlement file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {problem}")]
pub struct FileError {
    /// The line, counted from 1 with the header.
    pub line: u64,
    /// What is wrong with it; repeats nothing of the file.
    pub problem: &'static str,
}

/// Parses a file from chunks of any size. Memory is bounded by the longest line.
pub struct FileReader {
    csv: Reader,
    fields: Box<[u8; MAX_LINE]>,
    filled: usize,
    ends: [usize; COLUMNS + 1],
    ended: usize,
    state: State,
    /// Records so far, with the header.
    records: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Lines,
    End,
}

impl Default for FileReader {
    fn default() -> Self {
        Self {
            csv: Reader::new(),
            fields: Box::new([0; MAX_LINE]),
            filled: 0,
            ends: [0; COLUMNS + 1],
            ended: 0,
            state: State::Header,
            records: 0,
        }
    }
}

impl FileReader {
    /// The lines that end in this chunk.
    ///
    /// # Errors
    /// What is wrong with the file. Lines that were returned before are not to be used either.
    pub fn read(&mut self, mut chunk: &[u8]) -> Result<Vec<SettlementLine>, FileError> {
        let mut lines = Vec::new();
        while !chunk.is_empty() {
            let used = self.step(chunk, &mut lines)?;
            chunk = &chunk[used..];
        }
        Ok(lines)
    }

    /// Ends the file and returns the number of its lines.
    ///
    /// # Errors
    /// When the file does not end with its trailer.
    pub fn finish(mut self) -> Result<u64, FileError> {
        let mut lines = Vec::new();
        self.step(&[], &mut lines)?;
        if self.state != State::End || !lines.is_empty() {
            return Err(self.wrong("is where the file ends without its trailer"));
        }
        // Without header and trailer.
        Ok(self.records - 2)
    }

    fn step(&mut self, chunk: &[u8], lines: &mut Vec<SettlementLine>) -> Result<usize, FileError> {
        let (result, used, written, ended) =
            self.csv.read_record(chunk, &mut self.fields[self.filled..], &mut self.ends[self.ended..]);
        self.filled += written;
        self.ended += ended;
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            ReadRecordResult::OutputFull => return Err(wrong_at(self.records + 1, "is too long")),
            ReadRecordResult::OutputEndsFull => return Err(wrong_at(self.records + 1, "has too many fields")),
            ReadRecordResult::Record => {
                self.records += 1;
                if let Some(line) = self.record()? {
                    lines.push(line);
                }
                (self.filled, self.ended) = (0, 0);
            }
        }
        Ok(used)
    }

    /// Handles a complete record: the header, a line, or the trailer.
    fn record(&mut self) -> Result<Option<SettlementLine>, FileError> {
        let text = std::str::from_utf8(&self.fields[..self.filled]);
        let text = text.map_err(|_| wrong_at(self.records, "is not UTF-8"))?;
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let fields: Vec<&str> = starts
            .zip(&self.ends[..self.ended])
            .map(|(start, end)| text.get(start..*end).unwrap_or_default())
            .collect();
        match (self.state, &fields[..]) {
            (State::Header, fields) if *fields == HEADER => self.state = State::Lines,
            (State::Header, _) => return Err(self.wrong("is not the header of a settlement file")),
            (State::Lines, [trailer]) => {
                let count = trailer.strip_prefix("# lines=").and_then(|count| count.parse::<u64>().ok());
                // The header and the trailer are records, too.
                if count != Some(self.records - 2) {
                    return Err(self.wrong("is no trailer with the number of lines before it"));
                }
                self.state = State::End;
            }
            (State::Lines, fields) => return line(fields).map(Some).map_err(|problem| self.wrong(problem)),
            (State::End, _) => return Err(self.wrong("comes after the trailer")),
        }
        Ok(None)
    }

    fn wrong(&self, problem: &'static str) -> FileError {
        wrong_at(self.records, problem)
    }
}

fn wrong_at(line: u64, problem: &'static str) -> FileError {
    FileError { line, problem }
}

fn line(fields: &[&str]) -> Result<SettlementLine, &'static str> {
    let [psp_id, kind, reference, session, amount, currency, created] = *fields else {
        return Err("does not have seven fields");
    };
    let fits = |id: &str| id.chars().count() <= MAX_ID && !id.contains('\0');
    if psp_id.is_empty() || ![psp_id, reference, session].into_iter().all(fits) {
        return Err("has an id that is missing or too long");
    }
    let kind = match kind {
        "charge" => MovementKind::Charge,
        "refund" => MovementKind::Refund,
        "transfer" => MovementKind::Transfer,
        _ => return Err("has an unknown kind"),
    };
    let amount_minor = amount.parse().ok().filter(|minor| (0..=MAX_MINOR).contains(minor));
    let code = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_uppercase());
    let created = created.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    Ok(SettlementLine {
        psp_id: psp_id.to_owned(),
        kind,
        reference: reference.to_owned(),
        session: session.to_owned(),
        amount_minor: amount_minor.ok_or("has an invalid amount")?,
        currency: code.then(|| currency.to_owned()).ok_or("has a currency that is not three upper-case letters")?,
        created: created.ok_or("has an invalid time")?,
        note: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "id,kind,reference,session,amount_minor,currency,created\n";
    const TWO: &str =
        "cs_1,charge,r1,cs_1,12000,EUR,1769817600\nre_1,refund,\"a,\"\"b\"\"\n# lines=9\",cs_1,1,KWD,1769817601\n";

    fn read(file: &[u8], chunk: usize) -> Result<(Vec<SettlementLine>, u64), FileError> {
        let mut reader = FileReader::default();
        let mut lines = Vec::new();
        for chunk in file.chunks(chunk) {
            lines.extend(reader.read(chunk)?);
        }
        reader.finish().map(|count| (lines, count))
    }

    #[test]
    fn lines_do_not_depend_on_chunk_size() {
        let file = format!("{HEAD}{TWO}# lines=2\n");
        let (lines, count) = read(file.as_bytes(), file.len()).unwrap();
        assert_eq!((count, lines.len()), (2, 2));
        assert_eq!((lines[0].kind, lines[0].amount_minor), (MovementKind::Charge, 12_000));
        assert_eq!(lines[1].reference, "a,\"b\"\n# lines=9", "a quoted trailer is data");
        for chunk in 1..40 {
            assert_eq!(read(file.as_bytes(), chunk).unwrap().0, lines, "{chunk}");
        }
        assert_eq!(read(format!("{HEAD}# lines=0\n").as_bytes(), 7), Ok((vec![], 0)));
        assert_eq!(
            read(format!("{HEAD}# lines=0").as_bytes(), 7),
            Ok((vec![], 0)),
            "the last line may lack its line break"
        );
    }

    #[test]
    fn file_cut_off_at_any_byte_is_rejected() {
        let file = format!("{HEAD}{TWO}# lines=2\n");
        for end in 0..file.len() - 1 {
            assert!(read(&file.as_bytes()[..end], 10).is_err(), "{end}");
        }
    }

    #[test]
    fn malformed_line_is_reported_with_its_number() {
        let line = "cs_1,charge,r,cs_1,5,EUR,1\n";
        for (file, number, problem) in [
            (String::new(), 0, "ends without"),
            ("<html>".to_owned(), 1, "not the header"),
            (format!("{HEAD}{line}# lines=2\n"), 3, "no trailer"),
            (format!("{HEAD}{line}# lines=two\n"), 3, "no trailer"),
            (format!("{HEAD}{line}# lines=1\n{line}"), 4, "after the trailer"),
            (format!("{HEAD}{line}{},charge,r,s,5,EUR,1\n", "x".repeat(201)), 3, "too long"),
            (format!("{HEAD}{}", "x".repeat(5000)), 2, "is too long"),
            (format!("{HEAD}{}", ",".repeat(9)), 2, "too many fields"),
            (format!("{HEAD}a,b,c\n"), 2, "seven fields"),
            (format!("{HEAD}{}", line.replace("charge", "gift")), 2, "kind"),
            (format!("{HEAD}{}", line.replace(",5,", ",-5,")), 2, "amount"),
            (format!("{HEAD}{}", line.replace(",5,", ",5.00,")), 2, "amount"),
            (format!("{HEAD}{}", line.replace(",5,", ",1000000000000000,")), 2, "amount"),
            (format!("{HEAD}{}", line.replace("EUR", "eur")), 2, "currency"),
            (format!("{HEAD}{}", line.replace(",1\n", ",9223372036854775807\n")), 2, "time"),
        ] {
            let error = read(file.as_bytes(), 16).unwrap_err();
            assert!(error.line == number && error.problem.contains(problem), "{error} for {file:.60}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(file in prop::collection::vec(any::<u8>(), 0..300), headed in any::<bool>()) {
            let file = [if headed { HEAD.as_bytes() } else { b"" }, &file].concat();
            let _ = read(&file, 50);
        }
    }
}
