//! OAuth 2.1 as a client of remote servers: what is read and what is said, without any IO.
//!
//! The rules of the MCP authorization specification and of the RFCs behind it, one file each: what a server asks for
//! (`challenge`, RFC 6750 and 9728), where its metadata is and whether it may be believed (`address`, `metadata`, RFC
//! 8414 and 9728), which scopes are asked for (`scope`), how the hub is known there (`client`, RFC 7591), and what is
//! said to the endpoints and heard from them (`form`, `answer`, RFC 6749, 7636, 8707 and 9207). Whatever comes from
//! outside is read strictly, and nothing of it is believed that does not fit the server that it is for.

/// What holds secrets shows no more than its name.
macro_rules! concealed {
    ($($name:ident),*) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

mod address;
mod answer;
mod challenge;
mod client;
mod form;
mod metadata;
mod scope;
mod spec;

concealed! { Form, Redirected, Registered, TokenAnswer }

pub use address::{Address, authorization_server_urls, protected_resource_urls};
pub use answer::{Redirected, Refused, TokenAnswer};
pub use challenge::Challenge;
pub use client::{ClientAuth, Registered, registration};
pub use form::{Form, with_query};
pub use metadata::{AuthorizationServer, Misfit, ProtectedResource};
pub use scope::{Scopes, wanted};
pub use spec::{Grant, OauthSpec};
