//! What the simulator takes as `psp_simulate` in a return URL: see `docs/SANDBOX.md`. It is the simulator that acts on it;
//! here it is only read, so that one who has misspelt it is told so before a payment is made. A test keeps the two equal.

use reqwest::Url;

/// The parameter.
const PARAMETER: &str = "psp_simulate";
/// Longest value, in bytes.
const MAX_TEXT: usize = 200;
/// Longest delay and longest review, in seconds.
const MAX_SECONDS: u32 = 24 * 3600;
/// What is said of one that is no good.
const PROBLEM: &str = "its parameter psp_simulate must be like 'webhook=lose,answer=timeout-after', escaped: see the sandbox \
                       for the names webhook, answer, refund and review, each once, and their values";

/// Whether the simulator takes this address.
pub(super) fn check(url: &str) -> Result<(), &'static str> {
    let parsed = Url::parse(url).ok();
    let text = parsed.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == PARAMETER));
    text.is_none_or(|(_, text)| is_known(&text)).then_some(()).ok_or(PROBLEM)
}

fn is_known(text: &str) -> bool {
    let mut seen = Vec::new();
    text.len() <= MAX_TEXT
        && text.split(',').all(|part| {
            part.split_once('=').is_some_and(|(name, value)| {
                let name = name.trim();
                let fresh = !seen.contains(&name);
                seen.push(name);
                fresh && is_switch(name, value.trim())
            })
        })
}

fn is_switch(name: &str, value: &str) -> bool {
    let after = |kind: &str| {
        let seconds = value.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':'));
        seconds.and_then(|seconds| seconds.parse::<u32>().ok()).is_some_and(|seconds| seconds <= MAX_SECONDS)
    };
    match name {
        "webhook" => matches!(value, "lose" | "duplicate" | "reorder") || after("delay"),
        "answer" | "refund" => matches!(value, "timeout-before" | "timeout-after" | "error"),
        "review" => after("approve") || after("reject"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use staymesh_domain::PaymentId;

    use super::*;
    use crate::{
        psp::{CheckoutOrder, Psp, PspError},
        testing::{eur, simulator},
    };

    #[tokio::test]
    async fn the_real_simulator_takes_what_passes_here_and_nothing_else() {
        let (psp, _running) = simulator(None).await;
        let texts = [
            "webhook=lose",
            " webhook = delay:30 ,answer=error,refund=timeout-after, review=reject:5",
            "review=approve:86400",
            "",
            ",",
            "webhook",
            "webhook=explode",
            "webhook=delay",
            "webhook=delay:-1",
            "webhook=delay:86401",
            "webhook=lose,webhook=lose",
            "webhook=lose,",
            "answer=lose",
            "review=approve",
            "surprise=1",
            &format!("webhook=lose{}", " ".repeat(200)),
        ];
        let mut taken = 0;
        for text in texts {
            let mut url = Url::parse("https://shop.example/?x=1").expect("a URL");
            url.query_pairs_mut().append_pair(PARAMETER, text).append_pair(PARAMETER, "only the first counts");
            let order = CheckoutOrder {
                payment_id: PaymentId::new(),
                amount: eur(1),
                description: "Reservation".into(),
                return_url: url.to_string(),
                expire_time: Timestamp::now() + SignedDuration::from_mins(15),
            };
            // That an answer fails as it was told to shows that the switch was read.
            let refused = psp.create_checkout(order).await == Err(PspError::Refused("invalid_request".into()));
            assert_eq!(psp.check_return_url(url.as_str()).is_err(), refused, "{text:?}");
            taken += usize::from(!refused);
        }
        assert_eq!(taken, 3);
    }

    #[test]
    fn other_addresses_are_no_matter_of_it() {
        for url in ["", "https://shop.example/", "https://shop.example/?psp_simulated=x", "nonsense"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
