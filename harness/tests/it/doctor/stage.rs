//! Who plays in the cases: certificates, servers and Envoy.

use crate::support::{process::Server, python, stocktake, write};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd,
};
use std::{collections::BTreeMap, fs, net::TcpListener, path::Path};
use tempfile::TempDir;

/// All that runs; it ends when this is dropped.
pub struct Stage {
    folder: TempDir,
    ports: BTreeMap<String, u16>,
    _servers: Vec<Server>,
}

impl Stage {
    /// Starts everything and waits until it serves.
    pub fn set(python: &Path) -> Stage {
        let folder = TempDir::new().unwrap();
        certificates(folder.path());
        let path = folder.path().to_str().unwrap().to_owned();
        let tokens = folder.path().join("tokens");
        let servers = [
            ("ours", stocktake::serve(&["--replica", "one"])),
            ("other", stocktake::serve(&["--replica", "two"])),
            ("locked", stocktake::serve(&["--tokens", tokens.to_str().unwrap()])),
            ("python", python::serve(python, "inventory_server.py", &[])),
            ("backends", python::serve(python, "doctor_backends.py", &[&path])),
        ];
        let port = |address: &str| address.rsplit(':').next().unwrap().parse().unwrap();
        let mut ports: BTreeMap<String, u16> = servers
            .iter()
            .map(|(name, server)| ((*name).to_owned(), port(&server.address)))
            .collect();
        ports.extend(told(&folder.path().join("backends.json")));
        ports.insert("dead".to_owned(), dead());
        let mut arguments = vec![path];
        arguments.extend(ports.iter().map(|(name, port)| format!("{name}={port}")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let envoy = python::serve(python, "doctor_envoy.py", &arguments);
        let edges = told(&folder.path().join("listeners.json"));
        ports.extend(edges.into_iter().map(|(name, port)| (format!("edge:{name}"), port)));
        let mut kept = vec![envoy];
        kept.extend(servers.into_iter().map(|(_, server)| server));
        Stage {
            folder,
            ports,
            _servers: kept,
        }
    }

    /// The target of a case: a scheme and a name, such as `http edge:rbac`; any other text as it is.
    pub fn target(&self, written: &str) -> String {
        match written.split_once(' ') {
            Some((scheme, name)) => format!("{scheme}://127.0.0.1:{}", self.ports[name]),
            None => written.to_owned(),
        }
    }

    /// A file beside the certificates.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn told(file: &Path) -> BTreeMap<String, u16> {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// A port on which nothing listens: it was free a moment ago.
fn dead() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn certificates(folder: &Path) {
    let named = |name: &str| {
        let mut distinguished = DistinguishedName::new();
        distinguished.push(DnType::CommonName, name);
        distinguished
    };
    let issuer = |name: &str| {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (known, stranger) = (issuer("the issuer of this test"), issuer("a proxy that opens TLS"));
    write(folder, "ca.pem", &known.pem());
    write(folder, "tokens", "read-only reader-3f9c2ab77d10e6 a dashboard\n");
    for (file, host) in [
        ("cert", "127.0.0.1"),
        ("othername", "shop.example"),
        ("expired", "127.0.0.1"),
        ("stranger", "127.0.0.1"),
    ] {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name = named(host);
        if file == "expired" {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let by = if file == "stranger" { &stranger } else { &known };
        let certificate = params.signed_by(&key, by).unwrap();
        write(folder, &format!("{file}.pem"), &certificate.pem());
        write(folder, &format!("{file}.key"), &key.serialize_pem());
    }
    fs::copy(folder.join("cert.key"), folder.join("key.pem")).unwrap();
}
