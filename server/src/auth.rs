//! Bearer tokens (RFC 6750): who may call, and who may write.
//!
//! The file has one token a line: its role, the token, and optionally words that say whose it is. Kept are hashes alone,
//! and nothing here puts a token, or anything that stands in its place, into an error or a log.

use crate::{
    error,
    fault::Active,
    reload::{FileError, Read},
};
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::{Code, Status};

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The methods that the REST mapping maps to GET.
    ReadOnly,
    /// All methods.
    ReadWrite,
}

/// The tokens that are accepted.
pub struct Tokens(Vec<(Hash, Role)>);

type Hash = [u8; 32];

/// Why a call is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has no token, more than one, or something else in its place.
    Missing,
    /// Nobody has this token.
    Unknown,
    /// It writes, and its token may only read.
    ReadOnly,
}

/// Shorter tokens can be guessed.
const SHORTEST: usize = 16;

impl Tokens {
    /// The tokens of a file: a line is empty, a comment that begins with `#`, or `ROLE TOKEN [WORDS]` with the role
    /// `read-only` or `read-write`.
    pub fn of([file]: [Read; 1]) -> Result<Tokens, FileError> {
        let file = file?;
        let text = std::str::from_utf8(&file.content).map_err(|_| file.wrong(None, "not UTF-8 text"))?;
        let mut tokens = Tokens(Vec::new());
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (hash, role) = entry(line).map_err(|problem| file.wrong(number, problem))?;
            if tokens.role(&hash).is_some() {
                return Err(file.wrong(number, "this token stands on a line above as well: keep one of them"));
            }
            tokens.0.push((hash, role));
        }
        if tokens.0.is_empty() {
            let problem = "no token: nobody could call; write lines of `read-only TOKEN` or `read-write TOKEN`";
            return Err(file.wrong(None, problem));
        }
        Ok(tokens)
    }

    /// Whether a call with these headers is let in.
    pub fn admit(&self, headers: &HeaderMap, writes: bool) -> Result<(), Refused> {
        let token = bearer(headers).ok_or(Refused::Missing)?;
        match self.role(&hash(token)) {
            None => Err(Refused::Unknown),
            Some(Role::ReadOnly) if writes => Err(Refused::ReadOnly),
            Some(_) => Ok(()),
        }
    }

    /// Compares with every token in constant time, so that the time of the answer tells nothing of any of them.
    fn role(&self, hash: &Hash) -> Option<Role> {
        self.0.iter().fold(None, |found, (known, role)| {
            if bool::from(known.ct_eq(hash)) {
                Some(*role)
            } else {
                found
            }
        })
    }
}

fn entry(line: &str) -> Result<(Hash, Role), &'static str> {
    let mut words = line.split_ascii_whitespace();
    let role = match words.next() {
        Some("read-only") => Role::ReadOnly,
        Some("read-write") => Role::ReadWrite,
        _ => return Err("a line begins with its role, `read-only` or `read-write`"),
    };
    let token = words.next().ok_or("the token is missing behind the role")?.as_bytes();
    if !is_token(token) {
        return Err(
            "the token has characters that no bearer token can have: use A-Z a-z 0-9 - . _ ~ + / and = at the end",
        );
    }
    if token.len() < SHORTEST {
        return Err("the token is shorter than 16 characters: make a longer one, such as by `openssl rand -hex 32`");
    }
    Ok((hash(token), role))
}

/// `b64token` of RFC 6750 section 2.1.
fn is_token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    end > 0
        && text[..end]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

/// The token of `authorization: Bearer TOKEN`, where there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_at_checked(7)?;
    // The name of a scheme has no case (RFC 9110 section 11.1).
    let token = scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())?;
    is_token(token).then_some(token)
}

fn hash(token: &[u8]) -> Hash {
    Sha256::digest(token).into()
}

impl Refused {
    /// How the call ends.
    pub fn status(self, active: Active) -> Status {
        let (code, reason, text) = match self {
            Refused::Missing => (
                Code::Unauthenticated,
                "TOKEN_MISSING",
                "this service wants a token: send `authorization: Bearer TOKEN`",
            ),
            Refused::Unknown => (Code::Unauthenticated, "TOKEN_UNKNOWN", "the token is not known here"),
            Refused::ReadOnly => (
                Code::PermissionDenied,
                "TOKEN_READ_ONLY",
                "the token may only read, and this method writes",
            ),
        };
        error::refused(code, reason, text.to_owned(), active)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reload::File;
    use http::HeaderValue;
    use tonic_types::StatusExt;

    const READER: &str = "reader-reader-0123";
    const WRITER: &str = "0123456789abcdefABCDEF-._~+/==";

    fn tokens(text: &str) -> Result<Tokens, String> {
        let file = File {
            path: "tokens".into(),
            content: text.into(),
        };
        Tokens::of([Ok(file)]).map_err(|error| error.to_string())
    }

    fn admit(tokens: &Tokens, values: &[&str], writes: bool) -> Result<(), Refused> {
        let value = |text: &&str| (header::AUTHORIZATION, HeaderValue::from_str(text).unwrap());
        tokens.admit(&values.iter().map(value).collect(), writes)
    }

    #[test]
    fn a_role_decides_over_writing() {
        let text = format!("# comment\n\nread-only {READER}\n  read-write\t{WRITER} the rollout job\r\n");
        let tokens = tokens(&text).unwrap();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let (reader, writer) = (format!("{scheme} {READER}"), format!("{scheme} {WRITER}"));
            assert_eq!(admit(&tokens, &[&reader], false), Ok(()));
            assert_eq!(admit(&tokens, &[&reader], true), Err(Refused::ReadOnly));
            assert_eq!(admit(&tokens, &[&writer], false), Ok(()));
            assert_eq!(admit(&tokens, &[&writer], true), Ok(()));
        }
    }

    #[test]
    fn all_else_is_not_let_in() {
        let tokens = tokens(&format!("read-write {WRITER}")).unwrap();
        let twice = format!("Bearer {WRITER}");
        let longer = format!("Bearer {WRITER}=");
        let cut = &twice[..twice.len() - 1];
        let table: [(&[&str], Refused); 9] = [
            (&[], Refused::Missing),
            (&[""], Refused::Missing),
            (&["Bearer"], Refused::Missing),
            (&["Bearer "], Refused::Missing),
            (&["Basic dXNlcjpwYXNz"], Refused::Missing),
            (&[WRITER], Refused::Missing),
            (&[&twice, &twice], Refused::Missing),
            (&[&longer], Refused::Unknown),
            (&[cut], Refused::Unknown),
        ];
        for (values, refused) in table {
            assert_eq!(admit(&tokens, values, false), Err(refused), "{values:?}");
        }
    }

    #[test]
    fn a_wrong_line_is_named_and_its_words_are_not() {
        let table = [
            ("", "tokens: no token"),
            ("# only a comment\n", "tokens: no token"),
            (
                "secret-secret-secret read-only",
                "tokens:1: a line begins with its role",
            ),
            ("\nadmin secret-secret-secret", "tokens:2: a line begins with its role"),
            ("read-only", "tokens:1: the token is missing"),
            ("read-only secret", "tokens:1: the token is shorter than 16"),
            ("read-only secret:secret:secret", "tokens:1: the token has characters"),
            ("read-only ====================", "tokens:1: the token has characters"),
            (
                "read-only secret-secret-secret\nread-write secret-secret-secret",
                "tokens:2: this token stands",
            ),
        ];
        for (text, expected) in table {
            let error = tokens(text).err().unwrap();
            assert!(error.starts_with(expected), "{text:?}: {error}");
            assert!(!error.contains("secret") && !error.contains("admin"), "{error}");
        }
    }

    #[test]
    fn a_refusal_has_its_code_and_reason() {
        for (refused, code, reason) in [
            (Refused::Missing, Code::Unauthenticated, "TOKEN_MISSING"),
            (Refused::Unknown, Code::Unauthenticated, "TOKEN_UNKNOWN"),
            (Refused::ReadOnly, Code::PermissionDenied, "TOKEN_READ_ONLY"),
        ] {
            let status = refused.status(Active::default());
            assert_eq!(status.code(), code);
            assert_eq!(status.get_error_details().error_info().unwrap().reason, reason);
        }
    }
}
