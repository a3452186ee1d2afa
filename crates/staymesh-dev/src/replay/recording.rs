//! The recording: the public hotel-bookings table, read into bookings that can be sold by the night.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use staymesh_domain::{Money, StayDates, StayDatesError};

/// Currency of the recording's prices.
pub(super) const CURRENCY: &str = "EUR";
/// The largest file, uncompressed. The whole public table is a fiftieth of it.
const MAX_BYTES: u64 = 1 << 30;
/// Most guests per room.
pub(super) const MAX_OCCUPANCY: i32 = 20;

/// A recording.
#[derive(Debug)]
pub(super) struct Recording {
    /// SHA-256 of the uncompressed file.
    pub(super) digest: [u8; 32],
    /// The bookings to replay, in file order.
    pub(super) rows: Vec<Row>,
    /// Number of rows that are left out, by reason.
    pub(super) left_out: BTreeMap<LeftOut, u64>,
}

/// A booking of one room, in the recording's own dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Row number in the file, from 1, without the header.
    pub(super) number: u64,
    pub(super) hotel: String,
    pub(super) room_type: String,
    pub(super) booked: Date,
    pub(super) stay: StayDates,
    pub(super) guests: i32,
    /// One room for one night.
    pub(super) price: Money,
    /// Date of the cancellation; `None` for a no-show.
    pub(super) cancelled: Option<Date>,
}

impl Row {
    /// Price of the whole stay in minor units. Cannot overflow: both factors are bounded.
    pub(super) fn total_minor(&self) -> i64 {
        self.price.minor() * i64::from(self.stay.night_count())
    }
}

/// Why a row is left out. A row with several reasons counts under the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LeftOut {
    OutsideWindow,
    NoNights,
    TooManyNights,
    NoPrice,
    NoGuests,
    TooManyGuests,
}

impl LeftOut {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::OutsideWindow => "arrive outside --from and --until",
            Self::NoNights => "have no night",
            Self::TooManyNights => "have more nights than a booking may",
            Self::NoPrice => "have no price above zero",
            Self::NoGuests => "have no guests",
            Self::TooManyGuests => "have more guests than a room takes",
        }
    }
}

/// The range of arrival dates to replay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) from: Option<Date>,
    pub(super) until: Option<Date>,
}

impl Window {
    fn contains(self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date < until)
    }
}

/// The columns that are read; the table has more.
#[derive(Deserialize)]
struct Columns {
    hotel: String,
    lead_time: u16,
    arrival_date_year: i16,
    arrival_date_month: String,
    arrival_date_day_of_month: i8,
    stays_in_weekend_nights: u16,
    stays_in_week_nights: u16,
    adults: u16,
    children: String,
    babies: u16,
    reserved_room_type: String,
    adr: String,
    reservation_status: String,
    reservation_status_date: String,
}

impl Recording {
    /// Reads a file, compressed if its name ends in `.gz`.
    pub(super) fn open(path: &Path, window: Window) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let compressed = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
        let source: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut bytes = Vec::new();
        source.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
        ensure!(bytes.len() as u64 <= MAX_BYTES, "{} is larger than a recording can be", path.display());
        Self::parse(&bytes, window).with_context(|| format!("reading {}", path.display()))
    }

    pub(super) fn parse(bytes: &[u8], window: Window) -> Result<Self> {
        let mut rows = Vec::new();
        let mut left_out = BTreeMap::new();
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = table.headers()?.clone();
        for (number, columns) in (1..).zip(table.deserialize()) {
            let row = columns.map_err(|error| named(error, &header)).and_then(|columns| read(number, columns, window));
            match row.with_context(|| format!("row {number}"))? {
                Ok(row) => rows.push(row),
                Err(reason) => *left_out.entry(reason).or_default() += 1,
            }
        }
        Ok(Self { digest: Sha256::digest(bytes).into(), rows, left_out })
    }
}

/// Adds the name of the invalid column to the error, if it is known.
fn named(error: csv::Error, header: &csv::StringRecord) -> anyhow::Error {
    let column = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.field().and_then(|at| header.get(usize::try_from(at).ok()?)),
        _ => None,
    };
    let column = column.map(str::to_owned);
    let error = anyhow::Error::from(error);
    if let Some(column) = column { error.context(column) } else { error }
}

/// A row, or why it is left out. An error if a value is invalid.
fn read(number: u64, columns: Columns, window: Window) -> Result<Result<Row, LeftOut>> {
    let arrival = arrival(&columns)?;
    let nights = i64::from(columns.stays_in_weekend_nights) + i64::from(columns.stays_in_week_nights);
    let stay = StayDates::new(arrival, arrival.checked_add(nights.days())?);
    let booked = arrival.checked_sub(i64::from(columns.lead_time).days())?;
    let cancelled = cancelled(&columns, booked)?;
    let price = price(&columns.adr)?;
    let guests = i32::from(columns.adults) + children(&columns.children)? + i32::from(columns.babies);
    if !window.contains(arrival) {
        return Ok(Err(LeftOut::OutsideWindow));
    }
    let stay = match stay {
        Ok(stay) => stay,
        Err(StayDatesError::TooLong) => return Ok(Err(LeftOut::TooManyNights)),
        Err(_) => return Ok(Err(LeftOut::NoNights)),
    };
    let Some(price) = price else { return Ok(Err(LeftOut::NoPrice)) };
    Ok(match guests {
        ..1 => Err(LeftOut::NoGuests),
        1..=MAX_OCCUPANCY => {
            let Columns { hotel, reserved_room_type: room_type, .. } = columns;
            Ok(Row { number, hotel, room_type, booked, stay, guests, price, cancelled })
        }
        _ => Err(LeftOut::TooManyGuests),
    })
}

fn arrival(columns: &Columns) -> Result<Date> {
    let (year, month, day) =
        (columns.arrival_date_year, &columns.arrival_date_month, columns.arrival_date_day_of_month);
    ensure!((1900..=2199).contains(&year), "the year of arrival must be from 1900 to 2199");
    let text = format!("{year}-{month}-{day}");
    Date::strptime("%Y-%B-%d", &text).with_context(|| format!("{text:?} is no date"))
}

/// The day of the cancellation, if there was one; never before the booking.
fn cancelled(columns: &Columns, booked: Date) -> Result<Option<Date>> {
    match columns.reservation_status.as_str() {
        "Canceled" => Ok(Some(date(&columns.reservation_status_date)?.max(booked))),
        "Check-Out" | "No-Show" => Ok(None),
        other => bail!("{other:?} is no reservation_status"),
    }
}

/// The table is published with two date formats: `2015-07-01` and `7/1/2015`.
fn date(text: &str) -> Result<Date> {
    let form = if text.contains('/') { "%m/%d/%Y" } else { "%Y-%m-%d" };
    Date::strptime(form, text).with_context(|| format!("{text:?} is no date"))
}

/// The price of a night; `None` if it is zero or negative.
fn price(adr: &str) -> Result<Option<Money>> {
    let (negative, digits) = adr.strip_prefix('-').map_or((false, adr), |digits| (true, digits));
    let price = Money::parse(CURRENCY, digits).with_context(|| format!("adr {adr:?}"))?;
    Ok((!negative && price.minor() > 0).then_some(price))
}

/// The number of children; a missing value counts as 0.
fn children(text: &str) -> Result<i32> {
    match text {
        "NA" | "NULL" | "" => Ok(0),
        number => Ok(number.parse::<u16>().with_context(|| format!("children {number:?}"))?.into()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;
    use rstest::rstest;

    use super::*;

    const HEADER: &str = "hotel,lead_time,arrival_date_year,arrival_date_month,arrival_date_day_of_month,\
        stays_in_weekend_nights,stays_in_week_nights,adults,children,babies,reserved_room_type,company,adr,\
        reservation_status,reservation_status_date\n";

    fn parse(rows: &str) -> Result<Recording> {
        Recording::parse(format!("{HEADER}{rows}").as_bytes(), Window::default())
    }

    #[test]
    fn row_is_parsed_with_its_dates() {
        let read = parse("Hill,3,2016,March,1,2,1,2,1,1,A,NULL,80.5,Check-Out,2016-03-04\n").expect("a recording");
        let expected = Row {
            number: 1,
            hotel: "Hill".to_owned(),
            room_type: "A".to_owned(),
            booked: day(2016, 2, 27),
            stay: StayDates::new(day(2016, 3, 1), day(2016, 3, 4)).expect("a stay"),
            guests: 4,
            price: Money::parse(CURRENCY, "80.50").expect("money"),
            cancelled: None,
        };
        assert_eq!(expected.total_minor(), 24_150);
        assert_eq!(read.rows, [expected]);
    }

    #[rstest]
    #[case("Canceled,2016-02-29", Some(day(2016, 2, 29)))]
    #[case("Canceled,2/9/2016", Some(day(2016, 2, 27)))] // before it was booked
    #[case("Canceled,3/1/2016", Some(day(2016, 3, 1)))]
    #[case("No-Show,3/1/2016", None)]
    fn cancellation_has_its_status_date(#[case] status: &str, #[case] cancelled: Option<Date>) {
        let read = parse(&format!("Hill,3,2016,March,1,0,1,2,NA,0,A,NULL,80,{status}\n")).expect("a recording");
        assert_eq!(read.rows[0].cancelled, cancelled);
    }

    #[rstest]
    #[case("0,0,2,0,0,A,NULL,80", LeftOut::NoNights)]
    #[case("80,11,2,0,0,A,NULL,80", LeftOut::TooManyNights)]
    #[case("0,1,2,0,0,A,NULL,0.00", LeftOut::NoPrice)]
    #[case("0,1,2,0,0,A,NULL,-6.38", LeftOut::NoPrice)]
    #[case("0,1,0,0,0,A,NULL,80", LeftOut::NoGuests)]
    #[case("0,1,20,1,0,A,NULL,80", LeftOut::TooManyGuests)]
    fn unsellable_row_is_left_out_and_counted_by_reason(#[case] columns: &str, #[case] reason: LeftOut) {
        let good = "Hill,0,2016,March,1,0,1,2,0,0,A,NULL,80,Check-Out,2016-03-02\n";
        let read = parse(&format!("Hill,0,2016,March,1,{columns},Check-Out,2016-03-02\n{good}")).expect("a recording");
        assert_eq!(read.left_out, BTreeMap::from([(reason, 1)]));
        assert_eq!(read.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2]);
    }

    #[rstest]
    #[case("Hill,0,2016,March,32,0,1,2,0,0,A,NULL,80,Check-Out,2016-03-02\n", "row 1")]
    #[case("Hill,0,2016,Mars,1,0,1,2,0,0,A,NULL,80,Check-Out,2016-03-02\n", "is no date")]
    #[case("Hill,0,30000,March,1,0,1,2,0,0,A,NULL,80,Check-Out,2016-03-02\n", "year")]
    #[case("Hill,-1,2016,March,1,0,1,2,0,0,A,NULL,80,Check-Out,2016-03-02\n", "lead_time")]
    #[case("Hill,0,2016,March,1,0,1,2,0,0,A,NULL,80.123,Check-Out,2016-03-02\n", "at most 2 decimals")]
    #[case("Hill,0,2016,March,1,0,1,2,0,0,A,NULL,8e1,Check-Out,2016-03-02\n", "adr")]
    #[case("Hill,0,2016,March,1,0,1,2,many,0,A,NULL,80,Check-Out,2016-03-02\n", "children")]
    #[case("Hill,0,2016,March,1,0,1,2,0,0,A,NULL,80,Canceled,yesterday\n", "is no date")]
    #[case("Hill,0,2016,March,1,0,1,2,0,0,A,NULL,80,Gone,2016-03-02\n", "reservation_status")]
    #[case("Hill,0,2016\n", "row 1")]
    fn invalid_row_is_an_error_with_its_number(#[case] row: &str, #[case] named: &str) {
        let error = format!("{:#}", parse(row).expect_err("not a recording"));
        assert!(error.contains(named) && error.contains("row 1"), "{error}");
    }

    #[test]
    fn missing_column_is_named_in_the_error() {
        let error = Recording::parse(b"hotel,lead_time\nHill,3\n", Window::default()).expect_err("no recording");
        assert!(format!("{error:#}").contains("arrival_date_year"), "{error:#}");
    }

    #[test]
    fn gzip_and_plain_file_give_the_same_recording() {
        let text = format!("{HEADER}Hill,3,2016,March,1,2,1,2,1,1,A,NULL,80.5,Check-Out,2016-03-04\n");
        let dir = tempfile::tempdir().expect("a folder");
        let (plain, compressed) = (dir.path().join("a.csv"), dir.path().join("a.csv.gz"));
        std::fs::write(&plain, &text).expect("written");
        let mut gzip =
            flate2::write::GzEncoder::new(File::create(&compressed).expect("a file"), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, text.as_bytes()).expect("written");
        gzip.finish().expect("written");
        let [plain, compressed] = [plain, compressed].map(|path| Recording::open(&path, Window::default()));
        let (plain, compressed) = (plain.expect("read"), compressed.expect("read"));
        assert_eq!((plain.digest, plain.rows), (compressed.digest, compressed.rows));
    }

    #[test]
    fn window_leaves_out_other_arrivals() {
        let window = Window { from: Some(day(2016, 3, 2)), until: Some(day(2016, 3, 4)) };
        let row = |day| format!("Hill,0,2016,March,{day},0,1,2,0,0,A,NULL,80,Check-Out,2016-03-09\n");
        let text = format!("{HEADER}{}{}{}{}", row(1), row(2), row(3), row(4));
        let read = Recording::parse(text.as_bytes(), window).expect("a recording");
        assert_eq!(read.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(read.left_out, BTreeMap::from([(LeftOut::OutsideWindow, 2)]));
    }
}
