//! The simulator over real HTTP: as a merchant, as a guest, and as the receiver of its webhooks.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod http;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod settlement;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transfers;
