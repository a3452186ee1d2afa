//! Keyset pagination: page sizes, cursors and page tokens (AIP-158).
//!
//! A page continues after the last key of the previous page instead of at an offset. Rows inserted or deleted between two
//! pages do not repeat or hide other rows, and every page costs the same. The opaque token contains the key and a hash of
//! the request's filters, so that it is refused with other filters.
//!
//! The token is neither secret nor signed. It only says where to start; the query decides what the caller may see, as on
//! the first page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{FieldError, FieldErrors};

/// Why page size or page token is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A negative page size.
    #[error("must not be negative")]
    Size,
    /// Not a page token of this list.
    #[error("must be the next_page_token of an earlier response")]
    Token,
    /// A token of a request with other filters.
    #[error("belongs to a request with other filters; keep them while paging")]
    OtherFilters,
}

impl PageError {
    /// `page_size` or `page_token`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Size => "page_size",
            Self::Token | Self::OtherFilters => "page_token",
        }
    }
}

impl From<PageError> for FieldError {
    fn from(error: PageError) -> Self {
        Self::new(error.field(), error.to_string())
    }
}

/// The largest number of rows of a page, 1 to [`Self::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u16);

impl PageSize {
    /// The size if the request does not give one.
    pub const DEFAULT: u16 = 50;
    /// Larger sizes are reduced to this instead of refused, as AIP-158 requires.
    pub const MAX: u16 = 500;

    /// The size from a request: 0 selects the default.
    ///
    /// # Errors
    /// [`PageError::Size`] if negative.
    pub fn new(requested: i32) -> Result<Self, PageError> {
        match u16::try_from(requested) {
            Ok(0) => Ok(Self(Self::DEFAULT)),
            Ok(size) => Ok(Self(size.min(Self::MAX))),
            Err(_) if requested < 0 => Err(PageError::Size),
            Err(_) => Ok(Self(Self::MAX)),
        }
    }

    /// The number of rows, as a slice index.
    pub fn get(self) -> usize {
        self.0.into()
    }

    /// `LIMIT` for the query: one row more than the page, which shows whether there is another page.
    pub fn limit(self) -> i64 {
        i64::from(self.0) + 1
    }
}

/// The page that a request selects. `K` is the sort key of the list, such as `i32` or `(String, i32)`. It must be unique, and
/// the whole key must be in the query's `ORDER BY`.
///
/// ```
/// use staymesh_domain::Page;
///
/// # fn main() -> Result<(), staymesh_domain::PageError> {
/// let filters = ["city", "Lisbon"];
/// let first: Page<i32> = Page::parse(2, "", &filters)?;
/// let rows = vec![10, 20, 30]; // ... where id > $after order by id limit first.size.limit()
/// let (shown, next_page_token) = first.cut(rows, |id| *id);
/// assert_eq!(shown, [10, 20]);
///
/// let second: Page<i32> = Page::parse(2, &next_page_token, &filters)?;
/// assert_eq!(second.after, Some(20));
/// assert!(Page::<i32>::parse(2, &next_page_token, &["city", "Porto"]).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K> {
    /// The largest number of rows.
    pub size: PageSize,
    /// The key of the last row of the previous page; `None` on the first page.
    pub after: Option<K>,
    filters: [u8; FILTER_HASH],
}

const FILTER_HASH: usize = 8;
/// Longer than any token that this crate creates, in bytes. Longer tokens are refused without decoding.
const MAX_TOKEN: usize = 4096;

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Parses `page_size` and `page_token` of a request. `filters` are all other inputs that decide which rows are in the
    /// list, including the caller's id if it does; their order matters.
    ///
    /// # Errors
    /// See [`PageError`].
    pub fn parse(page_size: i32, page_token: &str, filters: &[&str]) -> Result<Self, PageError> {
        let size = PageSize::new(page_size)?;
        let (after, filters) = after(page_token, filters)?;
        Ok(Self { size, after, filters })
    }

    /// As [`Self::parse`]; adds every violation of `page_size` and `page_token` to `errors` and then returns `None`.
    pub fn collect(errors: &mut FieldErrors, page_size: i32, page_token: &str, filters: &[&str]) -> Option<Self> {
        let size = errors.value(PageSize::new(page_size));
        let position = errors.value(after(page_token, filters));
        let (size, (after, filters)) = size.zip(position)?;
        Some(Self { size, after, filters })
    }

    /// A token that continues after `key`, also when there are no rows after it yet: for readers that follow a list as it grows.
    pub fn token(key: &K, filters: &[&str]) -> String {
        encode(key, hash(filters))
    }

    /// Truncates rows fetched with [`PageSize::limit`] to the page and returns them with the `next_page_token`, which is
    /// empty on the last page.
    pub fn cut<T>(&self, rows: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, String) {
        self.cut_to(usize::MAX, rows, key)
    }

    /// As [`Self::cut`], with at most `most` rows, but one in any case: for rows that differ much in length.
    pub fn cut_to<T>(&self, most: usize, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, String) {
        let size = self.size.get().min(most.max(1));
        let more = rows.len() > size;
        rows.truncate(size);
        let token = match rows.last() {
            Some(last) if more => encode(&key(last), self.filters),
            _ => String::new(),
        };
        (rows, token)
    }
}

/// The key that a token continues after, and the hash of the filters.
fn after<K: DeserializeOwned>(page_token: &str, filters: &[&str]) -> Result<(Option<K>, [u8; FILTER_HASH]), PageError> {
    let filters = hash(filters);
    Ok((if page_token.is_empty() { None } else { Some(decode(page_token, filters)?) }, filters))
}

fn hash(filters: &[&str]) -> [u8; FILTER_HASH] {
    let mut sha = Sha256::new();
    for filter in filters {
        // The length distinguishes ["ab", "c"] from ["a", "bc"].
        sha.update(filter.len().to_be_bytes());
        sha.update(filter.as_bytes());
    }
    let mut short = [0; FILTER_HASH];
    short.copy_from_slice(&sha.finalize()[..FILTER_HASH]);
    short
}

fn encode<K: Serialize>(key: &K, filters: [u8; FILTER_HASH]) -> String {
    let mut bytes = filters.to_vec();
    // Serializing numbers, strings and tuples of them to JSON cannot fail. If it does, the list ends here.
    match serde_json::to_writer(&mut bytes, key) {
        Ok(()) => URL_SAFE_NO_PAD.encode(bytes),
        Err(_) => String::new(),
    }
}

fn decode<K: DeserializeOwned>(token: &str, filters: [u8; FILTER_HASH]) -> Result<K, PageError> {
    if token.len() > MAX_TOKEN {
        return Err(PageError::Token);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| PageError::Token)?;
    let (token_filters, key) = bytes.split_first_chunk::<FILTER_HASH>().ok_or(PageError::Token)?;
    if *token_filters != filters {
        return Err(PageError::OtherFilters);
    }
    serde_json::from_slice(key).map_err(|_| PageError::Token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn size_is_defaulted_and_limited() {
        let size = |requested| PageSize::new(requested).map(PageSize::get);
        assert_eq!(size(0), Ok(50));
        assert_eq!(size(1), Ok(1));
        assert_eq!(size(500), Ok(500));
        assert_eq!(size(501), Ok(500));
        assert_eq!(size(i32::MAX), Ok(500));
        assert_eq!(size(-1), Err(PageError::Size));
        assert_eq!(size(i32::MIN), Err(PageError::Size));
        assert_eq!(FieldError::from(PageError::Size).field, "page_size");
    }

    #[test]
    fn full_last_page_has_no_token() {
        let page: Page<i32> = Page::parse(3, "", &[]).unwrap();
        assert_eq!(page.cut(vec![1, 2, 3], |id| *id), (vec![1, 2, 3], String::new()));
        assert_eq!(page.cut(vec![], |id| *id), (vec![], String::new()));
    }

    #[test]
    fn page_of_long_rows_is_shorter_and_continues_after_the_last_one_shown() {
        let page: Page<i32> = Page::parse(3, "", &[]).unwrap();
        for (most, shown) in [(0, 1), (1, 1), (2, 2), (3, 3), (9, 3)] {
            let (rows, token) = page.cut_to(most, vec![1, 2, 3, 4], |id| *id);
            assert_eq!((rows.len(), Page::parse(3, &token, &[]).unwrap().after), (shown, rows.last().copied()));
        }
        assert_eq!(page.cut_to(2, vec![1, 2], |id| *id), (vec![1, 2], String::new()));
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let (_, good) = Page::<i32>::parse(1, "", &["a"]).unwrap().cut(vec![7, 8], |id| *id);
        let forged = URL_SAFE_NO_PAD.encode([&hash(&["a"])[..], b"\"text\""].concat());
        for token in ["x", "====", "\u{0}", &good[1..], &forged, &"A".repeat(10_000)] {
            let error = FieldError::from(Page::<i32>::parse(1, token, &["a"]).unwrap_err());
            assert_eq!(error.field, "page_token", "{token}");
        }
        assert_eq!(Page::<i32>::parse(1, &good, &["b"]), Err(PageError::OtherFilters));
    }

    proptest! {
        #[test]
        fn paging_returns_every_row_once(rows in 0..200_i32, size in 1..50_i32) {
            let all: Vec<i32> = (0..rows).collect();
            let mut seen = Vec::new();
            let mut token = String::new();
            loop {
                let page: Page<i32> = Page::parse(size, &token, &["f"]).unwrap();
                let limit = usize::try_from(page.size.limit()).unwrap();
                let fetched = all.iter().copied().filter(|id| page.after.is_none_or(|after| *id > after)).take(limit);
                let (shown, next) = page.cut(fetched.collect(), |id| *id);
                seen.extend(shown);
                if next.is_empty() {
                    break;
                }
                token = next;
            }
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn composite_keys_round_trip(name in ".{0,80}", id in any::<i32>()) {
            let page: Page<(String, i32)> = Page::parse(1, "", &["x", "y"]).unwrap();
            let rows = vec![(name.clone(), id), (String::new(), 0)];
            let (_, token) = page.cut(rows, Clone::clone);
            let next: Page<(String, i32)> = Page::parse(1, &token, &["x", "y"]).unwrap();
            prop_assert_eq!(next.after, Some((name, id)));
            prop_assert!(Page::<(String, i32)>::parse(1, &token, &["xy", ""]).is_err());
        }
    }
}
