//! Test fixtures: a PostgreSQL database for each test, and a complete local mesh.

mod mesh;
mod midnight;
mod postgres;

pub use mesh::{Setting, TestMesh, binary};
pub use midnight::clear_of_midnight;
pub use postgres::TestDatabase;
