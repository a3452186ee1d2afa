//! `staymesh identity …`: the first administrator, service accounts and key rotation, on the database alone. The API
//! cannot do these, because its callers must be authenticated already.

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use secrecy::SecretString;
use staymesh_identity::{KeyConfig, admin};
use staymesh_mesh::auth::Role;
use staymesh_store::StoreConfig;

/// Administrators, clients and signing keys.
#[derive(Subcommand)]
pub(crate) enum Identity {
    /// Create the account of an administrator; idempotent
    CreateAdmin(CreateAdmin),
    /// Register a client with a secret of your choice, or update its registration; idempotent
    RegisterClient(RegisterClient),
    /// Create a signing key that replaces the current one after the publish lead
    RotateKeys(RotateKeys),
}

#[derive(Args)]
pub(crate) struct CreateAdmin {
    /// The address to log in with
    email: String,
    /// The password, 8 to 128 characters
    #[arg(long, env = "STAYMESH_ADMIN_PASSWORD", hide_env_values = true)]
    password: SecretString,
    #[command(flatten)]
    store: StoreConfig,
}

#[derive(Args)]
pub(crate) struct RegisterClient {
    /// The client id: 3 to 64 characters of a-z, 0-9 and '-'
    id: String,
    /// Role of the client
    #[arg(long)]
    role: ClientRole,
    /// Display name of the client; defaults to its id
    #[arg(long)]
    name: Option<String>,
    /// The secret, at least 32 characters
    #[arg(long, env = "STAYMESH_CLIENT_SECRET", hide_env_values = true)]
    secret: SecretString,
    #[command(flatten)]
    store: StoreConfig,
}

#[derive(Clone, Copy, ValueEnum)]
enum ClientRole {
    Service,
    Partner,
}

#[derive(Args)]
pub(crate) struct RotateKeys {
    #[command(flatten)]
    keys: KeyConfig,
    #[command(flatten)]
    store: StoreConfig,
}

impl Identity {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::CreateAdmin(command) => {
                let pool = staymesh_store::connect(&command.store)?;
                let outcome = admin::create_admin(&pool, &command.email, &command.password)
                    .await
                    .context("creating the administrator")?;
                println!("{outcome:?}");
            }
            Self::RegisterClient(command) => {
                let pool = staymesh_store::connect(&command.store)?;
                let role = match command.role {
                    ClientRole::Service => Role::Service,
                    ClientRole::Partner => Role::Partner,
                };
                let name = command.name.as_deref().unwrap_or(&command.id);
                admin::register_client(&pool, &command.id, name, role, &command.secret)
                    .await
                    .context("registering the client")?;
                println!("{} is registered", command.id);
            }
            Self::RotateKeys(command) => {
                let pool = staymesh_store::connect(&command.store)?;
                let rotation = admin::rotate_keys(&pool, &command.keys).await.context("rotating keys")?;
                println!("{rotation:?}");
            }
        }
        Ok(())
    }
}
