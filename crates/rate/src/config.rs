//! What the service reads from its environment.

use staymesh_mesh::config::{ClientConfig, NodeConfig};

/// How the rate service is configured.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    /// Where the hotel service listens, for example `http://hotel:50051`.
    #[arg(long, env = "STAYMESH_HOTEL_URL")]
    pub hotel_url: String,
}
