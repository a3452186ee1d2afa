//! Fault switches, for example `webhook=lose, answer=timeout-after`, in a request header or in an order.

use serde::{Deserialize, Serialize};

/// Longest text of switches, in bytes.
pub(crate) const MAX_TEXT: usize = 200;
/// Longest delay of an event and longest review, in seconds.
const MAX_SECONDS: u32 = 24 * 3600;

/// The faults to inject into one request, or into everything about one checkout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Switches {
    /// Fault of the events.
    pub(crate) webhook: Option<WebhookFault>,
    /// Fault of the answer to this call.
    pub(crate) answer: Option<AnswerFault>,
    /// Fault of the first answer to each refund of this checkout.
    pub(crate) refund: Option<AnswerFault>,
    /// The planned decision of a manual review; without it the review waits for a decision.
    pub(crate) review: Option<ReviewPlan>,
}

/// A fault of a webhook event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookFault {
    /// It is never sent.
    Lose,
    /// It is sent twice, at the same time.
    Duplicate,
    /// It is held back until a later event of the same checkout was delivered.
    Reorder,
    /// It is sent this many seconds late.
    Delay(u32),
}

/// A fault of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnswerFault {
    /// The work is not done, and no answer comes.
    TimeoutBefore,
    /// The work is done, and no answer comes.
    TimeoutAfter,
    /// The work is not done; the answer is 500.
    Error,
}

/// A planned decision of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReviewPlan {
    pub(crate) decision: Decision,
    pub(crate) after_seconds: u32,
}

/// How a review or a 3-D Secure challenge ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Approve,
    Reject,
}

impl Switches {
    /// Reads `name=value, name=value`.
    ///
    /// # Errors
    /// When the text is invalid; the message does not repeat any of it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be like 'webhook=lose, answer=timeout-after', with the names webhook, answer, refund and \
                            review, each once, in at most 200 bytes";
        const WEBHOOK: &str = "webhook must be lose, duplicate, reorder or delay:SECONDS, at most a day";
        const REVIEW: &str = "review must be approve:SECONDS or reject:SECONDS, at most a day";
        if text.len() > MAX_TEXT {
            return Err(FORM);
        }
        let mut switches = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or(FORM)?;
            let value = value.trim();
            let fresh = match name.trim() {
                "webhook" => switches.webhook.replace(WebhookFault::parse(value).ok_or(WEBHOOK)?).is_none(),
                "answer" => switches.answer.replace(AnswerFault::parse(value)?).is_none(),
                "refund" => switches.refund.replace(AnswerFault::parse(value)?).is_none(),
                "review" => switches.review.replace(ReviewPlan::parse(value).ok_or(REVIEW)?).is_none(),
                _ => false,
            };
            if !fresh {
                return Err(FORM);
            }
        }
        Ok(switches)
    }

    /// These switches; each unset one is taken from `others`.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            webhook: self.webhook.or(others.webhook),
            answer: self.answer.or(others.answer),
            refund: self.refund.or(others.refund),
            review: self.review.or(others.review),
        }
    }
}

impl WebhookFault {
    fn parse(value: &str) -> Option<Self> {
        Some(match value {
            "lose" => Self::Lose,
            "duplicate" => Self::Duplicate,
            "reorder" => Self::Reorder,
            _ => Self::Delay(seconds(value.strip_prefix("delay:")?)?),
        })
    }
}

impl AnswerFault {
    fn parse(value: &str) -> Result<Self, &'static str> {
        match value {
            "timeout-before" => Ok(Self::TimeoutBefore),
            "timeout-after" => Ok(Self::TimeoutAfter),
            "error" => Ok(Self::Error),
            _ => Err("answer and refund must be timeout-before, timeout-after or error"),
        }
    }
}

impl ReviewPlan {
    fn parse(value: &str) -> Option<Self> {
        let (decision, after) = value.split_once(':')?;
        Some(Self { decision: Decision::parse(decision)?, after_seconds: seconds(after)? })
    }
}

impl Decision {
    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value {
            "approve" => Some(Self::Approve),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

fn seconds(text: &str) -> Option<u32> {
    text.parse().ok().filter(|seconds| *seconds <= MAX_SECONDS)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_switch_is_read() {
        let all = Switches::parse(" webhook = delay:30 ,answer=timeout-after,refund=error, review=reject:5");
        let expected = Switches {
            webhook: Some(WebhookFault::Delay(30)),
            answer: Some(AnswerFault::TimeoutAfter),
            refund: Some(AnswerFault::Error),
            review: Some(ReviewPlan { decision: Decision::Reject, after_seconds: 5 }),
        };
        assert_eq!(all, Ok(expected));
        for (text, fault) in
            [("lose", WebhookFault::Lose), ("duplicate", WebhookFault::Duplicate), ("reorder", WebhookFault::Reorder)]
        {
            assert_eq!(Switches::parse(&format!("webhook={text}")).unwrap().webhook, Some(fault));
        }
        assert_eq!(
            Switches::parse("answer=timeout-before").unwrap().or(expected),
            Switches { answer: Some(AnswerFault::TimeoutBefore), ..expected }
        );
    }

    #[rstest]
    #[case("")]
    #[case(",")]
    #[case("webhook")]
    #[case("webhook=")]
    #[case("webhook=explode")]
    #[case("webhook=delay")]
    #[case("webhook=delay:")]
    #[case("webhook=delay:-1")]
    #[case("webhook=delay:86401")]
    #[case("webhook=lose,webhook=lose")]
    #[case("webhook=lose,")]
    #[case("answer=timeout")]
    #[case("refund=lose")]
    #[case("review=approve")]
    #[case("review=maybe:5")]
    #[case("surprise=1")]
    fn whatever_is_no_switch_is_refused(#[case] text: &str) {
        assert!(Switches::parse(text).is_err());
        assert!(Switches::parse(&"webhook=lose ".repeat(20)).is_err());
    }
}
