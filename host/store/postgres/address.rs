//! The database's URL, which holds a password: no error and no log line may repeat any of its values.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::store::StoreError;

/// What may stand behind `?`, as the driver has it. It would ignore others, and log them with their values.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

pub(super) fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    let wrong = |reason: &str| StoreError::Unavailable(format!("the database's URL (DATABASE_URL) {reason}"));
    let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    for name in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()) {
        let known = PARAMETERS.contains(&name) || name.starts_with("options[") || name.starts_with("options%5B");
        if !known {
            // A password with a `?` in it would be taken for a name.
            let shown = name.len() <= 30 && url.matches('?').count() == 1 && !query.contains('@');
            return Err(match shown {
                true => wrong(&format!("has the parameter `{name}`, which is not known")),
                false => wrong("has a `?` or `@` in its password: write it as %3F or %40"),
            });
        }
    }
    PgConnectOptions::from_str(url).map_err(|_| {
        wrong("cannot be read: it is like `postgres://user:password@host:5432/database?sslmode=verify-full`")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn what_a_url_says_is_taken() {
        let options =
            parse("postgres://u:p%40s@db.internal:6432/corsac?sslmode=require&options[lock_timeout]=1s").unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db.internal", 6432));
        assert_eq!((options.get_username(), options.get_database()), ("u", Some("corsac")));
        for parameter in PARAMETERS.iter().filter(|name| !name.contains("capacity") && !name.contains("mode")) {
            let value = match *parameter {
                "port" => "1",
                "hostaddr" => "127.0.0.1",
                _ => "x",
            };
            parse(&format!("postgres://u@h/d?{parameter}={value}")).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_value() {
        for (url, named) in [
            ("postgres://u:hunter2@h/d?pasword=hunter2", "`pasword`"),
            ("postgres://u:hunter2@h:port/d", "cannot be read"),
            ("postgres://u:hunter2@h/d?sslmode=hunter2", "cannot be read"),
            ("postgres://u:hunter2@h/d?port=hunter2", "cannot be read"),
            ("postgres://u:hunter2@h/d?hostaddr=hunter2", "cannot be read"),
            ("postgres://u:a?hunter2@h/d", "in its password"),
            ("postgres://u:hunter2?a=1@h/d?b=2", "in its password"),
        ] {
            let error = parse(url).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(
                text.contains(named) && text.contains("DATABASE_URL") && !text.contains("hunter2"),
                "{url}: {text}"
            );
        }
    }
}
