//! Tests of the handlers against real stores: PostgreSQL for each test, Redis where needed.

mod client_secrets;
mod clients;
mod database;
mod gateways;
mod guests;
mod keys;
mod logins;
mod operator;
mod outage;
mod ownership;
mod races;
mod roles;
mod sign_up;
