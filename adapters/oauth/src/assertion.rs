//! A text that the hub's key has signed, in place of a secret (RFC 7523 2.2 and 3).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orch_core::Timestamp;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::secret;

/// What such a text is called in a request.
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long one is good, in seconds: it is used at once.
const GOOD: u64 = 60;

/// A key: of the curve P-256, or of RSA.
enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    fn read(pem: &str) -> Result<Self, String> {
        let unreadable =
            || "`privateKey` is no private key: PKCS#8 in PEM, of P-256 or RSA, is wanted".to_owned();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
        let der = der.secret_pkcs8_der();
        match EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            Ok(key) => Ok(Self::Ecdsa(key)),
            Err(_) => RsaKeyPair::from_pkcs8(der).map(Self::Rsa).map_err(|_| unreadable()),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ecdsa(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => key.sign(&random, text).ok().map(|signature| signature.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

/// The text of a file with a key.
pub(crate) fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("`privateKeyFile` {file} cannot be read: {error}"))
}

/// Says to an issuer, with the key, that this is the client of that name.
pub(crate) fn sign(pem: &str, client: &str, issuer: &str, now: Timestamp) -> Result<String, String> {
    let key = Key::read(pem)?;
    let (now, id) = (now.0 / 1000, secret::mint()?);
    let head = json!({ "alg": key.algorithm(), "typ": "JWT" });
    let claims =
        json!({ "iss": client, "sub": client, "aud": issuer, "jti": id, "iat": now, "exp": now + GOOD });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(head), part(claims));
    let signature = key.sign(text.as_bytes()).ok_or("the private key cannot sign")?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn pem(der: &[u8]) -> String {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
    }

    fn verify(
        assertion: &str,
        algorithm: &'static dyn VerificationAlgorithm,
        public: &[u8],
    ) -> Vec<serde_json::Value> {
        let (text, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(algorithm, public).verify(text.as_bytes(), &signature).unwrap();
        let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        text.split('.').map(read).collect()
    }

    #[test]
    fn what_a_key_of_either_kind_has_signed_is_verified() {
        let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let curve_der = curve.to_pkcs8v1().unwrap();
        let rsa_der = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
        check(curve_der.as_ref(), &ECDSA_P256_SHA256_FIXED, curve.public_key().as_ref(), "ES256");
        check(rsa_der.as_ref(), &RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref(), "RS256");
    }

    #[track_caller]
    fn check(der: &[u8], algorithm: &'static dyn VerificationAlgorithm, public: &[u8], name: &str) {
        let signed = sign(&pem(der), "hub", "https://as.example", Timestamp(5_000)).unwrap();
        let parts = verify(&signed, algorithm, public);
        assert_eq!(parts[0]["alg"], name);
        for (claim, value) in [("iss", "hub"), ("sub", "hub"), ("aud", "https://as.example")] {
            assert_eq!(parts[1][claim], value);
        }
        assert_eq!((parts[1]["iat"].as_u64(), parts[1]["exp"].as_u64()), (Some(5), Some(65)));
    }

    #[test]
    fn what_is_no_key_is_said_without_repeating_it() {
        for pem in ["", "s3cret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            let why = sign(pem, "hub", "https://as.example", Timestamp(0)).unwrap_err();
            assert!(why.contains("`privateKey` is no private key") && !why.contains("s3cret"), "{why}");
        }
    }
}
