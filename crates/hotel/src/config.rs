//! Settings of the hotel service, read from flags and environment variables.

use staymesh_mesh::config::{ClientConfig, NodeConfig};

/// Settings of the hotel service.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    /// URL of the reservation service, for example `http://reservation:50051`.
    #[arg(long, env = "STAYMESH_RESERVATION_URL")]
    pub reservation_url: String,
}
