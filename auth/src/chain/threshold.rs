//! What an address alone decides, before anything is known of who is there.

use std::net::IpAddr;

use super::Chain;
use crate::{Credentials, Refusal};

impl Chain {
    /// Whether connections from an address are listened to: so that nobody shakes hands with one that is banned.
    ///
    /// # Errors
    ///
    /// The address is banned, or has failed too often of late.
    pub fn admits(&self, address: IpAddr) -> Result<(), Refusal> {
        let who = Credentials {
            client_id: String::new(),
            username: None,
            password: None,
            address: Some(address),
            listener: String::new(),
            certificate: None,
        };
        self.may_try(&self.current.load(), &who)
    }
}
