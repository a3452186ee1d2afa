//! An account that sends requests: its token subject and its access token.

use std::time::Duration;

use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
};

/// The gRPC deadline of every request: the longest that the production configuration accepts.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// An account with an access token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The `sub` claim of the token, which becomes the owner of a reservation.
    pub subject: String,
    /// The value of the `authorization` header, `Bearer TOKEN`.
    pub bearer: MetadataValue<Ascii>,
}

impl Caller {
    /// A request with this caller's token and a deadline of [`REQUEST_TIMEOUT`].
    pub fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.set_timeout(REQUEST_TIMEOUT);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }
}
