//! AWS Signature Version 4, as far as one request with its whole body needs it.
//!
//! Written out here: the algorithm is a page long and has published vectors, while the crate `aws-sigv4` brings some
//! thirty others (another `http` among them) into a static binary for that page.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Whose signature it is, and for what.
pub(crate) struct Key<'a> {
    pub id: &'a str,
    pub secret: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

/// When it is signed, in UTC: `20150830T123600Z`.
pub(crate) struct Moment {
    pub whole: String,
}

/// What is signed. `headers` have lower-case names and are in the order of these; `path` is as it is sent, and `query` is in
/// its canonical form.
pub(crate) struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Moment {
    /// Of milliseconds since 1970 (civil calendar from days, H. Hinnant).
    pub(crate) fn of(ms: u64) -> Self {
        let (seconds, days) = (ms / 1_000 % 86_400, ms / 86_400_000 + 719_468);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        Self { whole: format!("{year:04}{month:02}{day:02}T{hours:02}{minutes:02}{:02}Z", seconds % 60) }
    }

    fn day(&self) -> &str {
        self.whole.get(..8).unwrap_or_default()
    }
}

impl Signed<'_> {
    /// The value of the header `Authorization`.
    pub(crate) fn authorization(&self, key: &Key<'_>, moment: &Moment) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let scope = format!("{}/{}/{}/aws4_request", moment.day(), key.region, key.service);
        let request = hex(&Sha256::digest(self.canonical(&names).as_bytes()));
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{request}", moment.whole);
        let signature = hex(&hmac(&key.derived(moment.day()), &text));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", key.id)
    }

    fn canonical(&self, names: &str) -> String {
        // Every service but S3 wants the path, as it is sent, encoded once more.
        let path: Vec<String> = self.path.split('/').map(encoded).collect();
        let line = |(name, value): &(&str, &str)| {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            format!("{name}:{}\n", words.join(" "))
        };
        let headers: String = self.headers.iter().map(line).collect();
        let body = hex(&Sha256::digest(self.body));
        format!("{}\n{}\n{}\n{headers}\n{names}\n{body}", self.method, path.join("/"), self.query)
    }
}

impl Key<'_> {
    fn derived(&self, day: &str) -> [u8; 32] {
        let first = hmac(format!("AWS4{}", self.secret).as_bytes(), day);
        let parts = [self.region, self.service, "aws4_request"];
        parts.into_iter().fold(first, |key, part| hmac(&key, part))
    }
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    // An HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| DIGITS.get(usize::from(digit))).collect()
}

/// A part of a path in which nothing but unreserved characters stands for itself (RFC 3986, 2.3).
pub(crate) fn encoded(part: &str) -> String {
    let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let one = |byte: u8| {
        if unreserved(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    part.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const MS: u64 = 1_440_938_160_000;

    fn key(service: &str) -> Key<'_> {
        Key { id: "AKIDEXAMPLE", secret: SECRET, region: "us-east-1", service }
    }

    #[test]
    fn a_moment_is_written_without_separators() {
        assert_eq!(Moment::of(MS).whole, "20150830T123600Z");
        assert_eq!(Moment::of(951_782_399_999).whole, "20000228T235959Z");
    }

    /// The example of AWS's documentation on deriving a signing key.
    #[test]
    fn the_signing_key_is_derived_as_documented() {
        let derived = Key { service: "iam", ..key("iam") }.derived("20120215");
        assert_eq!(hex(&derived), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
    }

    /// `get-vanilla`, `post-vanilla` and the worked example of AWS's documentation (IAM, `ListUsers`).
    #[test]
    fn requests_are_signed_as_in_the_published_vectors() {
        let plain = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let iam = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        for (method, query, headers, service, signature) in [
            (
                "GET",
                "",
                &plain[..],
                "service",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                "",
                &plain[..],
                "service",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "GET",
                "Action=ListUsers&Version=2010-05-08",
                &iam[..],
                "iam",
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ] {
            let signed = Signed { method, path: "/", query, headers, body: b"" };
            let authorization = signed.authorization(&key(service), &Moment::of(MS));
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
            let names = if service == "iam" { "content-type;host;x-amz-date" } else { "host;x-amz-date" };
            assert!(authorization.starts_with(&format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, SignedHeaders={names}, "
            )));
        }
    }

    /// Signed by botocore 1.43, AWS's own library for Python, at the same moment.
    #[test]
    fn a_question_is_signed_as_by_another_implementation() {
        let model =
            encoded("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-v2:1");
        let headers = [
            ("content-type", "application/json"),
            ("host", "bedrock-runtime.us-east-1.amazonaws.com"),
            ("x-amz-date", "20260728T120001Z"),
            ("x-amz-security-token", "t0ken+/="),
        ];
        let path = format!("/model/{model}/converse");
        let body = br#"{"messages":[]}"#;
        let signed = Signed { method: "POST", path: &path, query: "", headers: &headers, body };
        let authorization = signed.authorization(&key("bedrock"), &Moment::of(1_785_240_001_000));
        let expected = "d793eb4198354f4f15100d1bbbb664a45c72a34d5233aaf34554aa3894c93b33";
        assert!(authorization.ends_with(expected), "{authorization}");
    }

    #[test]
    fn the_name_of_a_model_is_encoded_and_once_more_where_it_is_signed() {
        let path = format!("/model/{}/converse", encoded("anthropic.claude-v2:1"));
        assert_eq!(path, "/model/anthropic.claude-v2%3A1/converse");
        let signed = Signed { method: "POST", path: &path, query: "", headers: &[], body: b"" };
        assert!(signed.canonical("").starts_with("POST\n/model/anthropic.claude-v2%253A1/converse\n"));
    }
}
