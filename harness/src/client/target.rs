//! The address of a target and how it is reached.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// An address: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    tls: bool,
}

/// An address that is not accepted; says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

impl Target {
    /// `https://host[:port]`, `http://host[:port]`, or `host:port` (plaintext, on loopback only).
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let refuse = |text: String| Err(TargetError(text));
        let text = text.trim();
        // First, so that no later sentence repeats a password.
        if text.contains('@') {
            return refuse("an address holds no user and no password: give secrets by --token-env or --header".into());
        }
        let (tls, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(true), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(false), rest),
            Some((scheme, rest)) => {
                return refuse(format!(
                    "`{scheme}://` is no scheme here: write https://{rest} or http://{rest}"
                ));
            }
            None => (None, text),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(at) = authority.find(['/', '?', '#']) {
            let (authority, path) = authority.split_at(at);
            return refuse(format!(
                "`{path}` is too much: an address is scheme, host and port, as in {authority}"
            ));
        }
        let (host, port) = split(authority)?;
        let target = Target {
            host,
            port: port.unwrap_or(if tls == Some(true) { 443 } else { 80 }),
            tls: tls == Some(true),
        };
        match (tls, port) {
            (None, None) => refuse(format!("`{text}` has no port: write {text}:50051, or https://{text}")),
            (None, Some(_)) if !target.is_loopback() => refuse(format!(
                "`{text}` does not say how: write https://{text} for TLS or http://{text} for plaintext"
            )),
            _ => Ok(target),
        }
    }

    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether it is this machine by its name or address: `localhost`, 127.0.0.0/8, `::1`.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// Host and port, an IPv6 address in brackets; the port is left out where the scheme implies it.
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.bracketed(),
            _ => self.host_and_port(),
        }
    }

    fn host_and_port(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// The same host and port with the other scheme, as an error recommends it.
    pub(super) fn with_other_scheme(&self) -> String {
        Target {
            tls: !self.tls,
            ..self.clone()
        }
        .to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.tls { "https" } else { "http" },
            self.host_and_port()
        )
    }
}

fn split(authority: &str) -> Result<(String, Option<u16>), TargetError> {
    let refuse = |text: String| Err(TargetError(text));
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) if port.starts_with(':') => (host, port.strip_prefix(':')),
            _ => return refuse(format!("`{authority}` is no address: write [::1]:50051")),
        },
        None if authority.matches(':').count() > 1 => {
            return refuse(format!(
                "`{authority}` is ambiguous: write an IPv6 address in brackets, as in [::1]:50051"
            ));
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if authority.starts_with('[') && !host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
        return refuse(format!("`{host}` is no IPv6 address"));
    }
    if host.is_empty() {
        return refuse("an address needs a host: write https://host or http://host:port".into());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !authority.starts_with('[') && !host.chars().all(is_name) {
        return refuse(format!(
            "`{host}` is no host name: write letters, digits, `-` and `.` (punycode for others)"
        ));
    }
    let port = match port.map(|port| (port, port.parse::<u16>())) {
        None => None,
        Some((_, Ok(number))) if number > 0 => Some(number),
        Some((port, _)) => return refuse(format!("`{port}` is no port: write a number from 1 to 65535")),
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// How a target is reached.
#[derive(Clone)]
pub struct Options {
    /// PEM file with certificates to trust beside those of the system.
    pub ca: Option<PathBuf>,
    /// Sent as `:authority`; over TLS it is also the name that the certificate must bear.
    pub authority: Option<String>,
    /// Sent with every call, reflection included; as in [`Call`](super::Call).
    pub metadata: Vec<(String, Vec<u8>)>,
    /// For name, TCP, TLS and the first HTTP/2 frame together.
    pub connect_timeout: Duration,
}

/// Keys without values: metadata holds secrets.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.metadata.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Options")
            .field("ca", &self.ca)
            .field("authority", &self.authority)
            .field("metadata", &keys)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca: None,
            authority: None,
            metadata: Vec::new(),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn accepts_addresses() {
        for (text, shown, loopback) in [
            ("https://example.com", "https://example.com:443", false),
            ("https://Example.com/", "https://example.com:443", false),
            ("HTTPS://example.com:8443", "https://example.com:8443", false),
            ("http://example.com:50051", "http://example.com:50051", false),
            ("http://10.0.0.7", "http://10.0.0.7:80", false),
            ("localhost:50051", "http://localhost:50051", true),
            ("127.8.9.1:1", "http://127.8.9.1:1", true),
            ("[::1]:50051", "http://[::1]:50051", true),
            ("[::ffff:127.0.0.1]:50051", "http://[::ffff:127.0.0.1]:50051", true),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:443", false),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(
                (target.to_string().as_str(), target.is_loopback()),
                (shown, loopback),
                "{text}"
            );
        }
        assert_eq!(Target::parse("https://example.com").unwrap().authority(), "example.com");
        assert_eq!(Target::parse("https://[::1]:444").unwrap().authority(), "[::1]:444");
    }

    #[test]
    fn refuses_addresses_with_what_to_write() {
        for (text, part) in [
            (
                "example.com:443",
                "write https://example.com:443 for TLS or http://example.com:443 for plaintext",
            ),
            ("0.0.0.0:50051", "write https://0.0.0.0:50051"),
            ("localhost", "has no port: write localhost:50051"),
            (
                "grpc://example.com:1",
                "write https://example.com:1 or http://example.com:1",
            ),
            ("https://example.com/v1", "`/v1` is too much"),
            ("https://example.com?x=1", "`?x=1` is too much"),
            ("::1:50051", "in brackets"),
            ("[::1", "write [::1]:50051"),
            ("[abc]:1", "no IPv6 address"),
            ("", "needs a host"),
            ("http://:50051", "needs a host"),
            ("http://a b:1", "no host name"),
            ("http://bücher:1", "no host name"),
            ("http://a:0", "`0` is no port"),
            ("http://a:65536", "`65536` is no port"),
            ("http://a:", "`` is no port"),
        ] {
            let error = Target::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn metadata_values_are_not_shown() {
        let metadata = vec![("authorization".to_owned(), b"hunter2".to_vec())];
        let shown = format!(
            "{:?}",
            Options {
                metadata,
                ..Options::default()
            }
        );
        assert!(
            shown.contains("authorization") && !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
    }

    #[test]
    fn a_password_is_never_repeated() {
        let error = Target::parse("https://me:hunter2@example.com").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("--token-env"), "{error}");
    }
}
