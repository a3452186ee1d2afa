//! What `cargo xtask up` prints when everything runs.

use std::fmt::Write;

use super::stack::Mesh;

/// The addresses, and what to try.
pub(super) fn text(mesh: &Mesh) -> String {
    let mut text = format!(
        "\nStaymesh runs.\n\n  public    {}\n  internal  {}\n  logs      {}\n\n",
        mesh.public,
        mesh.internal,
        mesh.logs.display()
    );
    for (service, address) in &mesh.services {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {service:<14} {address}");
    }
    text.push_str("\nCtrl-C stops everything.\n");
    text
}
