//! Runs a real Envoy.

mod common;

use std::fs;
use std::net::SocketAddr;

use anyhow::Result;
use common::{installed, scratch};
use staymesh_devenv::port::{free_port, is_free};
use staymesh_devenv::{Component, Envoy, EnvoyOptions, dev_dir, install};

#[test]
fn envoy_starts_stops_and_refuses_invalid_configuration() -> Result<()> {
    installed(&[Component::Envoy])?;
    let dir = scratch()?;
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let config = dir.path().join("envoy.yaml");
    let address = format!("{{ address: 127.0.0.1, port_value: {} }}", admin.port());
    fs::write(&config, format!("admin: {{ address: {{ socket_address: {address} }} }}\n"))?;
    let binary = install::envoy(&dev_dir())?;
    Envoy::validate(&binary, &config)?;

    let wrong = dir.path().join("wrong.yaml");
    fs::write(&wrong, "static_resources: { listenerz: [] }\n")?;
    let error = Envoy::validate(&binary, &wrong);
    assert!(error.is_err_and(|e| e.to_string().contains("listenerz")));

    let log = dir.path().join("envoy.log");
    let options = EnvoyOptions { binary, config, admin, concurrency: 1, log };
    let mut envoy = Envoy::start(options.clone())?;
    assert!(!is_free(admin.port()));
    envoy.stop()?;
    assert!(is_free(admin.port()));

    let error = Envoy::start(EnvoyOptions { config: wrong, ..options }).map(drop);
    assert!(error.is_err_and(|e| format!("{e:#}").contains("listenerz")));
    Ok(())
}
