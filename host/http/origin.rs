//! Keeps web pages of others away from a server that asks nobody who he is. A browser sends where a
//! request comes from: a page may only talk to the server that it came from, unless the operator lets its
//! origin in. And a server on loopback answers only to loopback names, so that a name that an attacker
//! points at 127.0.0.1 does not reach it.

use axum::http::{HeaderMap, header};

use crate::http::problem::{Code, Problem};

/// Which `Host` a server answers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// It is reached under names that it cannot know.
    #[default]
    Any,
    /// `localhost`, `127.0.0.0/8` and `[::1]`, with any port.
    Loopback,
}

/// Requests without these headers (programs, not browsers) pass. `granted`: the operator lets the origin in.
pub(super) fn check(hosts: Hosts, granted: bool, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST);
    if hosts == Hosts::Loopback && host.is_some_and(|host| !is_loopback(host)) {
        return Err(Problem::new(Code::Forbidden, "this server answers on loopback only: ask for localhost"));
    }
    if granted {
        return Ok(());
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let from = origin.split_once("://").map(|(_, authority)| authority);
    if from.is_some() && from == host {
        return Ok(());
    }
    let detail = "a page of another origin may not use this server; the operator lets it in with security.cors_origins";
    Err(Problem::new(Code::Forbidden, detail))
}

fn is_loopback(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let address = without_port.trim_start_matches('[').trim_end_matches(']');
    address.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(hosts: Hosts, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().expect("a header")));
        check(hosts, false, &headers).is_ok()
    }

    #[test]
    fn pages_of_others_are_kept_away() {
        assert!(allowed(Hosts::Any, "search.example:8000", None));
        assert!(allowed(Hosts::Any, "search.example:8000", Some("https://search.example:8000")));
        assert!(!allowed(Hosts::Any, "search.example:8000", Some("https://evil.example")));
        assert!(!allowed(Hosts::Any, "search.example:8000", Some("null")));
    }

    #[test]
    fn loopback_answers_to_its_own_names_only() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "[::1]"] {
            assert!(allowed(Hosts::Loopback, host, None), "{host}");
        }
        for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "8.8.8.8:8000", ""] {
            assert!(!allowed(Hosts::Loopback, host, None), "{host}");
        }
        assert!(!allowed(Hosts::Loopback, "evil.example", Some("http://evil.example")));
    }
}
