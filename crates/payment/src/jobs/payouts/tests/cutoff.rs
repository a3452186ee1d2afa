use jiff::civil::date;

use super::super::default_cutoff;

#[test]
fn default_cutoff_is_yesterday_in_utc() {
    let cutoff = |time: &str| default_cutoff(time.parse().unwrap());
    assert_eq!(cutoff("2030-03-01T00:00:00Z"), date(2030, 2, 28));
    assert_eq!(cutoff("2030-03-01T23:59:59Z"), date(2030, 2, 28));
    assert_eq!(cutoff("2030-03-02T03:00:00+04:00"), date(2030, 2, 28), "by UTC");
}
