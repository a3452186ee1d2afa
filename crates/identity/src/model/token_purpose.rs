//! What the token of a mailed link is for.

use std::time::Duration;

/// What the token of a mailed link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenPurpose {
    /// Confirms the address of an account.
    ConfirmEmail,
    /// Sets a new password.
    ResetPassword,
}

impl TokenPurpose {
    /// The text in column `mail_token.purpose`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmEmail => "confirm_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// Time from the mail to the expiry of the token.
    pub(crate) const fn life(self) -> Duration {
        match self {
            Self::ConfirmEmail => Duration::from_hours(48),
            Self::ResetPassword => Duration::from_mins(30),
        }
    }
}
