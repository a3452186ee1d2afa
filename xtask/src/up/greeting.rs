//! What `cargo xtask up` prints when everything runs.

use std::fmt::Write;

use anyhow::Result;
use staymesh_localmesh::{ADMIN_EMAIL, LocalMesh, SERVICES};

/// The walk through a booking, to be pasted into a shell with curl and python3.
const WALK: &str = include_str!("walk.sh");

/// The addresses and keys that the documentation refers to, and what to try.
pub(super) fn text(mesh: &LocalMesh) -> Result<String> {
    Ok(format!(
        "\nStaymesh runs.\n\n  public         {}\n  internal       {}\n{}\n  administrator  {ADMIN_EMAIL}, password {}; logs in at the internal gateway\n  \
         provider key   {}\n  logs           {}\n  mails          {}\n\nTry it: paste this into another shell, or run \
         `cargo xtask up --smoke`.\n\n{}\nCtrl-C stops everything.\n",
        mesh.public_url(),
        mesh.internal_url(),
        services(mesh)?,
        mesh.admin_password()?,
        mesh.secret("psp-api-key")?,
        mesh.logs().display(),
        mesh.mails().display(),
        WALK.replace("{{PUBLIC}}", &mesh.public_url()),
    ))
}

/// For each service its gRPC address, the HTTP address of its operations server, and its database. The simulated provider
/// has an HTTP address only.
fn services(mesh: &LocalMesh) -> Result<String> {
    let mut text = String::new();
    for service in SERVICES {
        let url = mesh.service_url(service)?;
        let Ok(database) = mesh.database_url(service) else {
            write!(text, "\n  {service:<14} {url}\n")?;
            continue;
        };
        let address = url.trim_start_matches("http://");
        write!(
            text,
            "\n  {service:<14} gRPC {address}, operations http://{}\n  {:<14} {database}\n",
            mesh.operations(service)?,
            ""
        )?;
    }
    Ok(text)
}
