//! `staymesh-dev psp-simulator`: the process of the simulated payment provider.

use anyhow::{Result, anyhow};
use clap::Args;
use staymesh_mesh::{config::TelemetryConfig, shutdown, telemetry};

/// Settings of the simulated payment provider. It is not a service of the mesh, but writes the same log format.
#[derive(Args)]
pub(crate) struct PspSimulator {
    #[command(flatten)]
    config: staymesh_psp_simulator::Config,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

impl PspSimulator {
    pub(crate) async fn run(self) -> Result<()> {
        let stop = shutdown::on_signal()?;
        let telemetry =
            telemetry::init("psp-simulator", &self.telemetry).map_err(|error| anyhow!("telemetry: {error}"))?;
        staymesh_psp_simulator::serve(self.config, stop).await?;
        telemetry.flush();
        Ok(())
    }
}
