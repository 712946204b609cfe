//! The hub as a client of servers that want a login: the scenarios about authorization, for both revisions.
//!
//! Somebody opens the address that `mcp-orch login` prints, whenever the hub says that a login is needed. Of the scenarios
//! of the suite four are left out, none of which is scored: `auth/dpop` and `auth/dpop-nonce`, workload identities
//! (`auth/wif-jwt-bearer`) and `auth/enterprise-managed-authorization` are extensions that the hub does not have.

use crate::client::play;

macro_rules! scenarios {
    ($($name:ident: $scenario:literal, $revision:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            play(concat!("auth/", $scenario), $revision).await;
        }
    )*};
}

mod of_2025_11_25 {
    use super::play;

    scenarios! {
        metadata_are_where_the_server_says: "metadata-default", "2025-11-25";
        metadata_are_found_for_the_path_and_as_openid_has_them: "metadata-var1", "2025-11-25";
        metadata_are_found_for_the_host_and_of_an_issuer_with_a_path: "metadata-var2", "2025-11-25";
        metadata_are_at_any_address_and_below_the_issuer: "metadata-var3", "2025-11-25";
        the_hub_is_known_by_a_document: "basic-cimd", "2025-11-25";
        the_hub_is_known_beforehand: "pre-registration", "2025-11-25";
        scopes_are_those_of_the_challenge: "scope-from-www-authenticate", "2025-11-25";
        scopes_are_those_of_the_metadata: "scope-from-scopes-supported", "2025-11-25";
        scopes_are_nobodys: "scope-omitted-when-undefined", "2025-11-25";
        more_rights_are_asked_for: "scope-step-up", "2025-11-25";
        more_rights_are_not_asked_for_endlessly: "scope-retry-limit", "2025-11-25";
        a_secret_is_in_the_header: "token-endpoint-auth-basic", "2025-11-25";
        a_secret_is_in_the_form: "token-endpoint-auth-post", "2025-11-25";
        there_is_no_secret: "token-endpoint-auth-none", "2025-11-25";
        the_hub_has_rights_of_its_own_with_a_secret: "client-credentials-basic", "2025-11-25";
        the_hub_has_rights_of_its_own_with_a_key: "client-credentials-jwt", "2025-11-25";
    }
}

mod of_2026_07_28 {
    use super::play;

    scenarios! {
        metadata_are_where_the_server_says: "metadata-default", "2026-07-28";
        metadata_are_found_for_the_path_and_as_openid_has_them: "metadata-var1", "2026-07-28";
        metadata_are_found_for_the_host_and_of_an_issuer_with_a_path: "metadata-var2", "2026-07-28";
        metadata_are_at_any_address_and_below_the_issuer: "metadata-var3", "2026-07-28";
        metadata_of_another_issuer_are_not_believed: "metadata-issuer-mismatch", "2026-07-28";
        metadata_of_another_resource_are_not_believed: "resource-mismatch", "2026-07-28";
        the_hub_is_known_by_a_document: "basic-cimd", "2026-07-28";
        the_hub_is_known_beforehand: "pre-registration", "2026-07-28";
        the_hub_makes_itself_known_at_every_issuer: "authorization-server-migration", "2026-07-28";
        scopes_are_those_of_the_challenge: "scope-from-www-authenticate", "2026-07-28";
        scopes_are_those_of_the_metadata: "scope-from-scopes-supported", "2026-07-28";
        scopes_are_nobodys: "scope-omitted-when-undefined", "2026-07-28";
        more_rights_are_asked_for: "scope-step-up", "2026-07-28";
        more_rights_are_not_asked_for_endlessly: "scope-retry-limit", "2026-07-28";
        tokens_that_last_are_asked_for: "offline-access-scope", "2026-07-28";
        tokens_that_last_are_not_asked_for_in_vain: "offline-access-not-supported", "2026-07-28";
        a_secret_is_in_the_header: "token-endpoint-auth-basic", "2026-07-28";
        a_secret_is_in_the_form: "token-endpoint-auth-post", "2026-07-28";
        there_is_no_secret: "token-endpoint-auth-none", "2026-07-28";
        an_issuer_that_says_who_it_is_is_believed: "iss-supported", "2026-07-28";
        an_issuer_that_never_says_who_it_is_is_believed: "iss-not-advertised", "2026-07-28";
        an_issuer_that_does_not_say_who_it_is_is_not_believed: "iss-supported-missing", "2026-07-28";
        another_issuer_is_not_believed: "iss-wrong-issuer", "2026-07-28";
        another_issuer_is_not_believed_unasked: "iss-unexpected", "2026-07-28";
        an_issuer_that_is_spelt_otherwise_is_another: "iss-normalized", "2026-07-28";
        the_hub_has_rights_of_its_own_with_a_secret: "client-credentials-basic", "2026-07-28";
        the_hub_has_rights_of_its_own_with_a_key: "client-credentials-jwt", "2026-07-28";
    }
}
