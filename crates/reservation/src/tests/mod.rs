//! Tests of the booking engine as a whole.

mod changes;
mod model;
mod races;
