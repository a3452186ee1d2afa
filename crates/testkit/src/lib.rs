//! What tests stand on: real stores, each test with its own, and the whole mesh.

mod mesh;
mod postgres;

pub use mesh::{Setting, TestMesh};
pub use postgres::TestDatabase;
