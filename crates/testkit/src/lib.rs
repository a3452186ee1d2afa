//! What tests stand on: real stores, each test with its own, and the whole mesh.

mod mesh;
mod midnight;
mod postgres;

pub use mesh::{Setting, TestMesh};
pub use midnight::clear_of_midnight;
pub use postgres::TestDatabase;
