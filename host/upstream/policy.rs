//! Whom the server may call: names that the operator listed, and addresses that are nobody's inside. Decides;
//! resolves nothing and sends nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// A host as the operator lists it: `search.internal:9200`, `[::1]:9200`, or `api.example`, which stands for the
/// ports 80 and 443. A listed literal address is an allowance of that very address, and `localhost` of loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Host {
    /// Lower case; IPv6 without brackets.
    name: String,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host: write `name`, `name:port`, an address like `10.0.0.1:9200` or `[::1]:9200`, without scheme and path"
)]
pub struct BadHost(String);

impl Host {
    /// Whom a URL would call; none for one without a host or of another scheme than HTTP's.
    pub fn of(url: &url::Url) -> Option<Self> {
        let name = match url.host()? {
            url::Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        let is_http = matches!(url.scheme(), "http" | "https");
        (is_http && !name.is_empty()).then(|| Self { name, port: url.port_or_known_default() })
    }

    /// Whether what this host allows includes `other`.
    pub fn covers(&self, other: &Host) -> bool {
        let port = match (self.port, other.port) {
            (Some(listed), Some(asked)) => listed == asked,
            (None, Some(asked)) => asked == 80 || asked == 443,
            (None, None) => true,
            (Some(_), None) => false,
        };
        port && self.name == other.name
    }

    /// The address that it is, if it is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(IpAddr::V6(address)) => write!(formatter, "[{address}]")?,
            _ => formatter.write_str(&self.name)?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { name: address.to_string(), port: None });
        }
        if text.contains(['/', '@', '?', '#', '*']) || text.contains(char::is_whitespace) {
            return Err(bad());
        }
        // The URL parser gives default ports no number, so the port is read before it.
        let port =
            text.rsplit_once(':').filter(|(name, _)| !name.is_empty() && (!name.contains(':') || name.ends_with(']')));
        let port = port.map(|(_, port)| port.parse::<u16>()).transpose().map_err(|_| bad())?;
        let url = url::Url::parse(&format!("http://{text}/")).map_err(|_| bad())?;
        Ok(Self { port, ..Self::of(&url).ok_or_else(bad)? })
    }
}

impl Serialize for Host {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The operator's word on hosts and networks.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub hosts: Vec<Host>,
    /// Networks whose addresses may be called although they are not public.
    pub networks: Vec<IpNet>,
}

impl Policy {
    /// Why a host may not be called, before anything is resolved.
    pub(super) fn check(&self, host: &Host) -> Result<(), String> {
        // One that is listed by its number is meant, wherever it is; a name's addresses are looked at when it has them.
        match self.hosts.iter().any(|listed| listed.covers(host)) {
            true => Ok(()),
            false => Err("it is not in upstream.allowed_hosts".to_owned()),
        }
    }

    /// Whether a name may be answered with this address. `name` is as in the URL.
    pub(super) fn permits(&self, name: &str, address: IpAddr) -> bool {
        let stands_for = embedded(address);
        let in_networks = |address: &IpAddr| self.networks.iter().any(|network| network.contains(address));
        is_public(address)
            || in_networks(&address)
            || stands_for.as_ref().is_some_and(in_networks)
            || (name.trim_end_matches('.').eq_ignore_ascii_case("localhost") && address.is_loopback())
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, third: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), bits)
}

/// Of the IANA registry of special-purpose addresses (RFC 6890), all that no public service has.
const INSIDE_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// As above: local NAT64 (RFC 8215), discard, Teredo and other protocol assignments, documentation, segment routing,
/// unique local, link-local, site-local, multicast. `::1` and `::` are among the addresses that embed IPv4 ones.
const INSIDE_V6: [Ipv6Net; 10] = [
    v6(0x64, 0xff9b, 1, 48),
    v6(0x100, 0, 0, 64),
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x3fff, 0, 0, 20),
    v6(0x5f00, 0, 0, 16),
    v6(0xfc00, 0, 0, 7),
    v6(0xfe80, 0, 0, 10),
    v6(0xfec0, 0, 0, 10),
    v6(0xff00, 0, 0, 8),
];

/// Whether an address is one of the public Internet, also when it is written in a form that stands for another.
fn is_public(address: IpAddr) -> bool {
    match (address, embedded(address)) {
        (_, Some(inner)) => is_public(inner),
        (IpAddr::V4(address), None) => !INSIDE_V4.iter().any(|network| network.contains(&address)),
        (IpAddr::V6(address), None) => !INSIDE_V6.iter().any(|network| network.contains(&address)),
    }
}

/// The IPv4 address that an IPv6 one carries: mapped and compatible (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let parts = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    };
    match parts {
        // Loopback has its own number, which as an IPv4 one (0.0.0.1) is no public one either.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => v4(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    fn url(text: &str) -> Host {
        Host::of(&url::Url::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn what_is_inside_is_not_public_in_any_form() {
        let inside = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "::ffff:0:10.0.0.1",
        ];
        for address in inside {
            assert!(!is_public(address.parse().unwrap()), "{address}");
            assert!(!Policy::default().permits("evil.example", address.parse().unwrap()), "{address}");
        }
        for address in ["93.184.215.14", "172.32.0.1", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_is_allowed_in_every_form() {
        let policy = Policy { hosts: vec![], networks: vec!["10.1.0.0/16".parse().unwrap()] };
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"] {
            assert!(policy.permits("search.internal", address.parse().unwrap()), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "169.254.169.254"] {
            assert!(!policy.permits("search.internal", address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn localhost_is_loopback_and_nothing_else_is() {
        let policy = Policy::default();
        assert!(policy.permits("localhost", "127.0.0.1".parse().unwrap()));
        assert!(policy.permits("LOCALHOST.", "::1".parse().unwrap()));
        assert!(!policy.permits("localhost", "10.0.0.1".parse().unwrap()));
        assert!(!policy.permits("localhost.example", "127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_listed_host_covers_its_port_alone() {
        assert!(host("search.internal:9200").covers(&url("http://Search.Internal:9200/a")));
        assert!(!host("search.internal:9200").covers(&url("http://search.internal:9201/")));
        assert!(host("api.example").covers(&url("https://api.example/v1")));
        assert!(host("api.example").covers(&url("http://api.example./")));
        assert!(!host("api.example").covers(&url("http://api.example:8080/")));
        assert!(!host("api.example").covers(&url("http://evil-api.example/")));
        assert!(host("api.example:80").covers(&url("http://api.example/")));
        assert!(host("[::1]:9200").covers(&url("http://[::1]:9200/")));
        // The many spellings of one address are one host.
        assert!(host("127.0.0.1:9200").covers(&url("http://0x7f.1:9200/")));
        assert!(!host("api.example").covers(&url("http://api.example@evil.example/")));
    }

    #[test]
    fn what_is_no_host_is_said() {
        for text in ["", "http://a", "a/b", "a b", "*.example", "a:port", "a:70000", "user@a", ":9200"] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
        for text in ["a.example", "a.example:9200", "10.0.0.1:80", "[::1]:9200", "[::1]"] {
            assert_eq!(host(text).to_string(), text);
        }
    }

    #[test]
    fn only_listed_hosts_are_called() {
        let policy = Policy { hosts: vec![host("search.internal:9200")], networks: vec![] };
        assert_eq!(policy.check(&url("http://search.internal:9200/")), Ok(()));
        assert!(policy.check(&url("http://169.254.169.254/")).unwrap_err().contains("upstream.allowed_hosts"));
    }
}
