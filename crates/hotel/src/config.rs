//! What the service reads from its environment.

use staymesh_mesh::config::{ClientConfig, NodeConfig};

/// How the hotel service is configured.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    /// Where the reservation service listens, for example `http://reservation:50051`.
    #[arg(long, env = "STAYMESH_RESERVATION_URL")]
    pub reservation_url: String,
}
