//! The generated configuration in a real Envoy, in front of a server that implements the real contract.

mod address_limits;
mod auth;
mod config;
mod contract;
mod edge;
mod errors;
mod grpc;
mod held;
mod keys;
mod limits;
mod operations;
mod pages;
mod rest;
mod upstream;
