//! The generated configuration in a real Envoy, in front of a server that implements the real contract.

mod address_limits;
mod auth;
mod codes;
mod config;
mod contract;
mod cors;
mod edge;
mod errors;
mod grpc;
mod held;
mod keys;
mod limits;
mod methods;
mod operations;
mod pages;
mod reading;
mod rest;
mod upstream;
