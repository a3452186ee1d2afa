//! Settlement files: the movements of a day as CSV, and the injection of faults into them.

use std::{io, ops::Range};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use serde::Deserialize;

use super::{Api, body};
use crate::{error::Refusal, model::SettlementFault, provider::now, store::Line};

const HEADER: &[u8] = b"id,kind,reference,session,amount_minor,currency,created\n";
/// Lines per chunk of the response body.
const CHUNK: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileOptions {
    /// Accept a day that is not over.
    #[serde(default)]
    partial: bool,
}

pub(super) async fn file(
    State(api): State<Api>,
    Path(file): Path<String>,
    options: Result<Query<FileOptions>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(options) = options.map_err(|_| Refusal::invalid("partial", "must be true or false, and nothing else"))?;
    let time = day(&file)?;
    if time.end > now() && !options.partial {
        return Err(Refusal::DayInProgress);
    }
    let body = Body::from_stream(stream::iter(chunks(api.provider.settlement(&time))));
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response())
}

pub(super) async fn add_faults(
    State(api): State<Api>,
    faults: Result<Json<Vec<SettlementFault>>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    api.provider.add_settlement_faults(body(faults)?)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn clear_faults(State(api): State<Api>) -> Result<StatusCode, Refusal> {
    api.provider.clear_settlement_faults()?;
    Ok(StatusCode::NO_CONTENT)
}

/// The UTC day in a file name, as a range of Unix seconds.
fn day(file: &str) -> Result<Range<i64>, Refusal> {
    let wrong = || Refusal::invalid("day", "must be a day from 2000 to 2999 as in 2026-01-31.csv");
    let name = file.strip_suffix(".csv").ok_or_else(wrong)?;
    let day: Date = name.parse().map_err(|_| wrong())?;
    // Only the canonical spelling.
    if !(2000..=2999).contains(&day.year()) || day.to_string() != name {
        return Err(wrong());
    }
    let start = |day: Date| day.to_zoned(TimeZone::UTC).map(|midnight| midnight.timestamp().as_second());
    let next = day.checked_add(1.day()).map_err(|_| wrong())?;
    Ok(start(day).map_err(|_| wrong())?..start(next).map_err(|_| wrong())?)
}

/// The file in chunks.
fn chunks(lines: Vec<Line>) -> impl Iterator<Item = io::Result<Bytes>> {
    let trailer = format!("# lines={}\n", lines.len());
    let mut lines = lines.into_iter();
    let pieces = std::iter::from_fn(move || {
        let piece: Vec<Line> = lines.by_ref().take(CHUNK).collect();
        (!piece.is_empty()).then(|| written(&piece))
    });
    let head = std::iter::once(Ok(Bytes::from_static(HEADER)));
    head.chain(pieces).chain(std::iter::once(Ok(Bytes::from(trailer))))
}

fn written(lines: &[Line]) -> io::Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for line in lines {
        writer.serialize(line)?;
    }
    writer.into_inner().map(Bytes::from).map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_parses_only_canonical_file_names() {
        assert_eq!(day("1970-01-01.csv").unwrap_err(), day("x").unwrap_err());
        assert_eq!(day("2026-01-31.csv").unwrap(), 1_769_817_600..1_769_904_000);
        for wrong in ["", ".csv", "2026-01-31", "2026-02-30.csv", "20260131.csv", "2026-01-31T00:00.csv", "../x.csv"] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn chunks_split_long_files_and_quote_special_characters() {
        let line = |n: i64| Line {
            id: format!("cs_{n}"),
            kind: "charge",
            reference: "a,\"b\"\n# lines=9".into(),
            session: format!("cs_{n}"),
            amount_minor: n,
            currency: "EUR".into(),
            created: 1,
        };
        let pieces: Vec<Bytes> = chunks((0..1001).map(line).collect()).map(Result::unwrap).collect();
        assert_eq!(pieces.len(), 1 + 3 + 1);
        let file = pieces.concat();
        let text = std::str::from_utf8(&file).unwrap().strip_suffix("# lines=1001\n").unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!((rows.len(), &rows[1000][4], &rows[0][2]), (1001, "1000", "a,\"b\"\n# lines=9"));
        assert_eq!(
            chunks(Vec::new()).map(Result::unwrap).collect::<Vec<_>>().concat(),
            [HEADER, b"# lines=0\n"].concat()
        );
    }
}
