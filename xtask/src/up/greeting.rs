//! What `cargo xtask up` prints when everything runs.

use anyhow::Result;
use staymesh_localmesh::{ADMIN_EMAIL, LocalMesh, SERVICES};

/// The walk through a booking, to be pasted into a shell with curl and python3.
const WALK: &str = include_str!("walk.sh");

/// The addresses, and what to try.
pub(super) fn text(mesh: &LocalMesh) -> Result<String> {
    let services: Vec<String> = SERVICES
        .into_iter()
        .map(|service| Ok(format!("  {service:<14} {}", mesh.service_url(service)?)))
        .collect::<Result<_>>()?;
    Ok(format!(
        "\nStaymesh runs.\n\n  public         {}\n  internal       {}\n{}\n\n  administrator  {ADMIN_EMAIL}, password {}; logs in at the internal gateway\n  \
         logs           {}\n  mails          {}\n\nTry it: paste this into another shell, or run `cargo xtask up --smoke`.\n\n{}\nCtrl-C stops everything.\n",
        mesh.public_url(),
        mesh.internal_url(),
        services.join("\n"),
        mesh.admin_password()?,
        mesh.logs().display(),
        mesh.mails().display(),
        WALK.replace("{{PUBLIC}}", &mesh.public_url()),
    ))
}
