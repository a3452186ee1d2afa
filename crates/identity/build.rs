//! A new migration file makes the crate compile again.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/identity");
}
