//! SCRAM-SHA-256 against the password files of a chain, for enhanced authentication in MQTT 5.0 (4.12).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::scram::{ScramError, Server};
use crate::{Credentials, Identity, Refusal};

use super::{Chain, Link, Links};

pub(super) const METHOD: &str = "scram-sha-256";

/// A client between its first and its last message.
#[derive(Debug)]
pub struct Conversation {
    server: Server,
    groups: Vec<String>,
}

impl Chain {
    /// Whether a user can be known by SCRAM-SHA-256 at all.
    #[must_use]
    pub fn takes_scram(&self) -> bool {
        files(&self.current.load()).any(|file| file.scram_decoy().is_some())
    }

    /// Takes the data of the CONNECT or AUTH that begins, and gives the data of the AUTH that answers (0x18).
    ///
    /// # Errors
    ///
    /// Who is banned or failed too often, and who cannot be understood.
    pub fn begin_scram(&self, who: &Credentials, data: &[u8]) -> Result<(Conversation, Vec<u8>), Refusal> {
        let begun = self.begin(who, data);
        begun.inspect_err(|refusal| self.tally.count_refusal(METHOD, *refusal))
    }

    fn begin(&self, who: &Credentials, data: &[u8]) -> Result<(Conversation, Vec<u8>), Refusal> {
        let links = self.current.load_full();
        self.may_try(&links, who)?;
        let mut nonce = [0; 18];
        getrandom::fill(&mut nonce).map_err(|_| Refusal::Unavailable)?;
        let nonce = STANDARD_NO_PAD.encode(nonce);
        let mut groups = Vec::new();
        let mut decoys = files(&links).filter_map(|file| file.scram_decoy());
        let Some(decoy) = decoys.next() else {
            return Err(Refusal::BadCredentials);
        };
        let begun = Server::begin(data, &nonce, decoy, |name| {
            let (stored, found) = files(&links).find_map(|file| file.find_scram(name))?;
            groups = found;
            Some(stored)
        });
        let (server, answer) = begun.map_err(|error| fail(&links, who, error))?;
        let claimed = named(who, server.name());
        self.may_try(&links, &claimed)?;
        if who.username.as_ref().is_some_and(|name| name != server.name()) {
            return Err(fail(
                &links,
                &claimed,
                ScramError::Malformed("n is not the user name of CONNECT"),
            ));
        }
        Ok((Conversation { server, groups }, answer))
    }

    /// Takes the data of the client's AUTH, and gives its identity and the data of the CONNACK or AUTH that ends it.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadCredentials`] if nothing was proven.
    pub fn finish_scram(
        &self,
        who: &Credentials,
        conversation: Conversation,
        data: &[u8],
    ) -> Result<(Identity, Vec<u8>), Refusal> {
        let finished = self.finish(who, conversation, data);
        match &finished {
            Ok(_) => self.tally.count_known(METHOD),
            Err(refusal) => self.tally.count_refusal(METHOD, *refusal),
        }
        finished
    }

    fn finish(
        &self,
        who: &Credentials,
        Conversation { server, groups }: Conversation,
        data: &[u8],
    ) -> Result<(Identity, Vec<u8>), Refusal> {
        let links = self.current.load_full();
        let claimed = named(who, server.name());
        // Others may have failed under this name since.
        self.may_try(&links, &claimed)?;
        let answer = server.finish(data).map_err(|error| fail(&links, &claimed, error))?;
        let identity = Identity {
            username: claimed.username,
            groups,
            method: METHOD,
            ..Identity::default()
        };
        Ok((identity, answer))
    }
}

pub(super) fn files(links: &Links) -> impl Iterator<Item = &crate::password::PasswordFile> {
    links.links.iter().filter_map(|link| match link {
        Link::PasswordFile(file) => Some(file),
        Link::Jwt(_) | Link::Http(_) | Link::Directory(_) | Link::Certificate(_) | Link::Anonymous(_) => None,
    })
}

/// The client with the name that it claims inside the conversation.
fn named(who: &Credentials, name: &str) -> Credentials {
    Credentials {
        username: Some(name.to_owned()),
        ..who.clone()
    }
}

fn fail(links: &Links, who: &Credentials, error: ScramError) -> Refusal {
    tracing::debug!(client = %who.client_id, "SCRAM failed: {error}");
    links.limits.count_failure(who);
    Refusal::BadCredentials
}
