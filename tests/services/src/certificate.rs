//! Certificates for servers on loopback, of an authority that nobody else knows.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certificate for 127.0.0.1 and localhost, with its key, and the authority that vouches for it. All PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

impl Certificate {
    pub fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let (authority_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let vouching = authority.self_signed(&authority_key).unwrap().pem();
        let server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap().pem();
        Self { authority: vouching, certificate, key: key.serialize_pem() }
    }

    /// Writes `authority.pem`, `certificate.pem` and `key.pem` (readable by its owner only) into a folder; their paths.
    pub fn write(&self, folder: &Path) -> [PathBuf; 3] {
        use std::os::unix::fs::PermissionsExt;
        let files = [("authority", &self.authority), ("certificate", &self.certificate), ("key", &self.key)];
        files.map(|(name, text)| {
            let file = folder.join(format!("{name}.pem"));
            std::fs::write(&file, text).unwrap();
            let mode = if name == "key" { 0o600 } else { 0o644 };
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        })
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}
