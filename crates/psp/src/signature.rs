//! Webhook signatures: a header `t=UNIX,v1=HEX`, where HEX is the HMAC-SHA256 of `UNIX.BODY`. It is the scheme of Stripe
//! (<https://docs.stripe.com/webhooks/signature>); the simulator signs the same way.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Largest difference between the time of a signature and now, in seconds, in both directions.
pub const TOLERANCE: i64 = 300;
/// Longest header, in bytes. It holds several signatures while secrets rotate.
const MAX_HEADER: usize = 1024;
/// Largest number of signatures of a header that are tried.
const MAX_SIGNATURES: usize = 5;

/// Why an event is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Missing, malformed, or not made over this body with one of the secrets.
    #[error("the signature of the event is missing or wrong")]
    Invalid,
    /// Genuine, but outside of the time tolerance: perhaps a replay.
    #[error("the event was signed more than five minutes from now")]
    WrongTime,
}

/// Verifies a header over the body with each of the secrets, in constant time for each signature.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify(header: &str, body: &[u8], secrets: &[SecretString], now: Timestamp) -> Result<(), SignatureError> {
    let (time, signatures) = parse(header).ok_or(SignatureError::Invalid)?;
    let genuine = secrets.iter().any(|secret| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            return false;
        };
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if !genuine {
        return Err(SignatureError::Invalid);
    }
    let time: i64 = time.parse().map_err(|_| SignatureError::Invalid)?;
    if time.abs_diff(now.as_second()) > TOLERANCE.unsigned_abs() {
        return Err(SignatureError::WrongTime);
    }
    Ok(())
}

/// The time as written, because that text is signed, and the signatures of version 1.
fn parse(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    if header.len() > MAX_HEADER {
        return None;
    }
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", value) if time.is_none() => time = Some(value),
            ("t", _) => return None,
            ("v1", value) if signatures.len() < MAX_SIGNATURES => signatures.push(hex::decode(value).ok()?),
            _ => {}
        }
    }
    Some((time?, signatures))
}

#[cfg(test)]
fn sign(secret: &str, time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn check(header: &str, body: &[u8]) -> Result<(), SignatureError> {
        let secrets = ["the old secret".into(), "the new secret".into()];
        verify(header, body, &secrets, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn verify_accepts_each_secret_during_rotation() {
        for secret in ["the old secret", "the new secret"] {
            assert_eq!(check(&sign(secret, NOW, b"body"), b"body"), Ok(()));
        }
        let rotating =
            format!("{},v1={},v0=zz", sign("not ours", NOW, b"body"), &sign("the new secret", NOW, b"body")[16..]);
        assert_eq!(check(&rotating, b"body"), Ok(()), "{rotating}");
    }

    #[test]
    fn verify_rejects_wrong_and_malformed_headers() {
        let good = sign("the new secret", NOW, b"body");
        assert_eq!(check(&good, b"Body"), Err(SignatureError::Invalid));
        let twice = format!("t={},{good}", NOW + 1);
        let long = format!("{good},{}", "v0=x,".repeat(300));
        let other_time = good.replace(&NOW.to_string(), &(NOW + 1).to_string());
        let other = sign("not ours", NOW, b"body");
        let none = format!("t={NOW}");
        for bad in ["", "t=,v1=", "v1=00", "t=1,v1=xyz", &twice, &long, &other_time, &good[..40], &other, &none] {
            assert_eq!(check(bad, b"body"), Err(SignatureError::Invalid), "{bad}");
        }
        let empty_secret = verify(&sign("", NOW, b"x"), b"x", &[], Timestamp::from_second(NOW).unwrap());
        assert_eq!(empty_secret, Err(SignatureError::Invalid));
    }

    #[test]
    fn verify_tolerates_five_minutes_in_both_directions() {
        for (offset, expected) in [(0, Ok(())), (-300, Ok(())), (300, Ok(()))]
            .into_iter()
            .chain([-301, 301, -NOW, i64::MAX - NOW].map(|offset| (offset, Err(SignatureError::WrongTime))))
        {
            assert_eq!(check(&sign("the new secret", NOW + offset, b"body"), b"body"), expected, "{offset}");
        }
    }

    proptest! {
        #[test]
        fn verify_of_arbitrary_header_does_not_panic(header in ".{0,200}") {
            prop_assert!(check(&header, b"body").is_err());
        }
    }
}
