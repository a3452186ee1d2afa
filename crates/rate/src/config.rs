//! Settings of the rate service, read from flags and environment variables.

use staymesh_mesh::config::{ClientConfig, NodeConfig};

/// Settings of the rate service.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    /// URL of the hotel service, for example `http://hotel:50051`.
    #[arg(long, env = "STAYMESH_HOTEL_URL")]
    pub hotel_url: String,
}
