//! `staymesh identity …`: what nobody can do through the API, because nobody may before it is done.

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use secrecy::SecretString;
use staymesh_identity::{KeyConfig, admin};
use staymesh_mesh::auth::Role;
use staymesh_store::StoreConfig;

/// Administrators, programs and keys.
#[derive(Subcommand)]
pub(crate) enum Identity {
    /// Make an account for an administrator; safe to repeat
    CreateAdmin(CreateAdmin),
    /// Register a program with a secret of your choice, or bring its registration up to date; safe to repeat
    RegisterClient(RegisterClient),
    /// Make a new signing key that takes over from the present one after a while
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
    /// What the program may do
    #[arg(long)]
    role: ClientRole,
    /// What the program is, for people; its id when not given
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
                    .context("making the administrator")?;
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
                    .context("registering the program")?;
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
