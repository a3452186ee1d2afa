//! The texts of the status page, one file for each language. The compiler requires every message in each.

pub(super) mod english;
pub(super) mod french;
pub(super) mod german;
pub(super) mod portuguese;
pub(super) mod spanish;
