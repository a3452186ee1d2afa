//! Conversion of violated named constraints to domain errors.

use crate::StoreError;

/// Converts violations of named constraints to domain errors; all other errors stay [`StoreError`]s.
///
/// Covers keys, foreign keys, CHECKs, exclusions and triggers that raise in the name of a constraint (`raise exception ...
/// using errcode = 'check_violation', constraint = 'payment_status_transition'`).
///
/// ```
/// use staymesh_store::{ResultExt, StoreError};
///
/// #[derive(Debug, thiserror::Error)]
/// enum BookingError {
///     #[error("sold out")]
///     SoldOut,
///     #[error("unknown room type")]
///     UnknownRoomType,
///     #[error(transparent)]
///     Store(#[from] StoreError),
/// }
///
/// async fn reserve(connection: &mut sqlx::PgConnection, rooms: i32) -> Result<(), BookingError> {
///     sqlx::query("update room_type_inventory set total_reserved = total_reserved + $1")
///         .bind(rooms)
///         .execute(connection)
///         .await
///         .on_constraint("room_type_inventory_not_overbooked", |_| BookingError::SoldOut)?;
///     Ok(())
/// }
///
/// async fn add(connection: &mut sqlx::PgConnection) -> Result<(), BookingError> {
///     sqlx::query("insert into room_type_inventory default values").execute(connection).await.on_constraints(|name| {
///         match name {
///             "room_type_inventory_not_overbooked" => Some(BookingError::SoldOut),
///             "room_type_inventory_room_type_fkey" => Some(BookingError::UnknownRoomType),
///             _ => None,
///         }
///     })?;
///     Ok(())
/// }
/// ```
pub trait ResultExt<T>: Sized {
    /// Converts a violation of the constraint `name` with `to`.
    ///
    /// # Errors
    /// The result of `to`, or the store error.
    fn on_constraint<D: From<StoreError>>(self, name: &str, to: impl FnOnce(StoreError) -> D) -> Result<T, D>;

    /// As [`Self::on_constraint`] for several constraints: `to` gets the name, and returns `None` for those it does not know.
    ///
    /// # Errors
    /// The result of `to`, or the store error.
    fn on_constraints<D: From<StoreError>>(self, to: impl FnOnce(&str) -> Option<D>) -> Result<T, D>;
}

impl<T, E: Into<StoreError>> ResultExt<T> for Result<T, E> {
    fn on_constraint<D: From<StoreError>>(self, name: &str, to: impl FnOnce(StoreError) -> D) -> Result<T, D> {
        self.map_err(|error| {
            let error = error.into();
            if error.constraint() == Some(name) { to(error) } else { error.into() }
        })
    }

    fn on_constraints<D: From<StoreError>>(self, to: impl FnOnce(&str) -> Option<D>) -> Result<T, D> {
        self.map_err(|error| {
            let error = error.into();
            error.constraint().and_then(to).unwrap_or_else(|| error.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;

    #[derive(Debug)]
    enum Refused {
        SoldOut,
        Store(StoreError),
    }

    impl From<StoreError> for Refused {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }

    fn violation(name: &str) -> Result<(), StoreError> {
        Err(StoreError::Constraint { name: name.to_owned(), cause: Cause::new("") })
    }

    #[test]
    fn on_constraint_converts_the_named_constraint_only() {
        let taken = violation("not_overbooked").on_constraint("not_overbooked", |_| Refused::SoldOut);
        assert!(matches!(taken, Err(Refused::SoldOut)));
        let other = violation("another").on_constraint("not_overbooked", |_| Refused::SoldOut);
        assert!(matches!(other, Err(Refused::Store(StoreError::Constraint { name, .. })) if name == "another"));
    }

    #[test]
    fn on_constraints_passes_other_errors() {
        let lost: Result<(), _> = Err(sqlx::Error::PoolTimedOut);
        let passed = lost.on_constraints(|_| Some(Refused::SoldOut));
        assert!(matches!(passed, Err(Refused::Store(StoreError::Unavailable(_)))));
    }

    #[test]
    fn on_constraints_selects_by_name() {
        let to = |name: &str| (name == "not_overbooked").then_some(Refused::SoldOut);
        assert!(matches!(violation("not_overbooked").on_constraints(to), Err(Refused::SoldOut)));
        assert!(matches!(violation("another").on_constraints(to), Err(Refused::Store(_))));
    }
}
