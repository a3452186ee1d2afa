//! The state of a group block.

/// The state of a group block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockStatus {
    /// Its rooms are on sale; confirming it needs them to be left.
    Tentative,
    /// Its rooms are reserved until the cut-off.
    Definite,
    /// It was cancelled.
    Cancelled,
}

impl BlockStatus {
    /// The text in column `group_block.status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tentative => "tentative",
            Self::Definite => "definite",
            Self::Cancelled => "cancelled",
        }
    }

    /// The name in the metadata of errors: that of the contract without its prefix.
    pub const fn contract_name(self) -> &'static str {
        match self {
            Self::Tentative => "TENTATIVE",
            Self::Definite => "DEFINITE",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status with this [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Tentative, Self::Definite, Self::Cancelled].into_iter().find(|status| status.as_str() == name)
    }
}
