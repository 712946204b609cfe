//! What the owner of a server says of logins there.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How the hub gets tokens for a server. All of it may be absent: then everything is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthSpec {
    /// Whose rights the hub has there.
    pub grant: Grant,
    /// The only authorization server that may be used, where somebody has said so; credentials go nowhere else then.
    pub issuer: Option<String>,
    /// The name under which the hub is known there.
    pub client_id: Option<String>,
    /// Its secret; as written a reference to a variable.
    pub client_secret: Option<String>,
    /// Its key, PKCS#8 in PEM; as written a reference to a variable.
    pub private_key: Option<String>,
    /// The file that the key is in.
    pub private_key_file: Option<String>,
    /// The address of a document that describes the hub, which is its name where that is understood.
    pub client_metadata_url: Option<String>,
    /// Scopes that are asked for in any case.
    pub scopes: Vec<String>,
}

/// Whose rights the hub has at a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// Those of somebody who has logged in.
    #[default]
    AuthorizationCode,
    /// Its own.
    ClientCredentials,
}

impl Grant {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::AuthorizationCode, Self::ClientCredentials];

    /// Its name, in the configuration and in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
        }
    }
}
