//! Partial updates: a patch holds a value for each field to change, and leaves the others as they are.

/// A patch, and the version it was made for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change<Patch> {
    /// The new values.
    pub(crate) patch: Patch,
    /// The etag the caller has read; empty to update whatever version is current.
    pub(crate) etag: String,
}

/// Overwrites each listed field for which the patch has a value.
macro_rules! apply_patch {
    ($patch:expr => $fields:expr; $($field:ident),+ $(,)?) => {
        $(if let Some(value) = $patch.$field { $fields.$field = value; })+
    };
}
pub(super) use apply_patch;
