//! Tests of the booking engine as a whole.

mod model;
mod races;
