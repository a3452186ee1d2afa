//! Attacks on a mesh from one address: what must fail, and that other addresses do not notice. Each test has addresses of its
//! own.

mod dismissed;
mod hoarding;
mod logins;
mod unfinished;
