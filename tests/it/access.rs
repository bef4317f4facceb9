//! API keys from the command line to the running server, and secrets that no output may show.

use std::path::Path;
use std::process::Output;

use serde_json::json;
use services::{Postgres, PostgresKind};

use crate::support::client::wait_for;
use crate::support::server::{Local, Process, corsac, data_folder};
use crate::support::tree::Tree;

/// Exit code, standard output, standard error.
fn read(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// `corsac key` over the store of a data folder; what it prints.
fn key(data: &Path, arguments: &[&str]) -> String {
    let always = ["key", arguments[0], "--data", data.to_str().unwrap()];
    let (code, output, errors) = read(corsac(always.iter().chain(&arguments[1..]).copied()).output().unwrap());
    assert_eq!(code, 0, "{errors}");
    output.trim_end().to_owned()
}

fn id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_and_revoked_beside_a_running_server_counts_within_seconds() {
    let data = data_folder();
    let first = key(data.path(), &["create", "--name", "first", "--scope", "admin"]);
    let server = Process::serve(data.path(), &["--keys", "on"]).await;
    let ask = async |key: &str| server.send(server.getting("/api/search/stats").bearer_auth(key)).await.unwrap();
    assert_eq!(ask(&first).await.status, 200);
    server.get("/api/search/stats").await.problem(401, "unauthorized");

    let second = key(data.path(), &["create", "--name", "second", "--scope", "search", "--rate", "0"]);
    wait_for("the new key to be known", async || (ask(&second).await.status == 200).then_some(())).await;
    let list = key(data.path(), &["list"]);
    for shown in [id(&first), id(&second), "first", "second", "admin", "search", "never", "no limit"] {
        assert!(list.contains(shown), "{shown} is not in\n{list}");
    }
    key(data.path(), &["revoke", id(&second)]);
    wait_for("the key's end", async || (ask(&second).await.status == 401).then_some(())).await;
    assert_eq!(ask(&first).await.status, 200);

    // Neither the log nor the store has a secret.
    let secrets = [&first, &second].map(|key| key.rsplit_once('_').unwrap().1);
    assert!(server.log().contains(id(&second)), "{}", server.log());
    for secret in secrets {
        assert!(!server.log().contains(secret) && !list.contains(secret));
        for file in std::fs::read_dir(data.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
    let gone = ["key", "revoke", id(&second), "--data", data.path().to_str().unwrap()];
    let (code, _, errors) = read(corsac(gone).output().unwrap());
    assert!(code == 1 && errors.contains(id(&second)) && errors.contains("corsac key list"), "{errors}");
}

/// Two hosts over one database: the command tells both, and neither is disturbed by it.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_share_a_database_share_its_keys() {
    let url = Postgres::shared(PostgresKind::Debian).database();
    let command = |arguments: &[&str]| {
        let mut command = corsac(["key"].iter().chain(arguments).copied());
        let (code, output, errors) = read(command.env("DATABASE_URL", &url).env("HOME", "/nowhere").output().unwrap());
        assert_eq!(code, 0, "{errors}");
        output.trim_end().to_owned()
    };
    let first = command(&["create", "--name", "first", "--scope", "search"]);
    let (one, two) = (data_folder(), data_folder());
    let arguments = ["--keys", "on", "--database-url", &url];
    let hosts = [Process::serve(one.path(), &arguments).await, Process::serve(two.path(), &arguments).await];
    let ask = async |host: &Process, key: &str| {
        host.send(host.getting("/api/search/stats").bearer_auth(key)).await.unwrap().status
    };
    let second = command(&["create", "--name", "second", "--scope", "search"]);
    for host in &hosts {
        assert_eq!(ask(host, &first).await, 200);
        wait_for("the new key", async || (ask(host, &second).await == 200).then_some(())).await;
    }
    command(&["revoke", id(&second)]);
    for host in &hosts {
        wait_for("the key's end", async || (ask(host, &second).await == 401).then_some(())).await;
    }
    assert!(!command(&["list"]).contains("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_managed_over_http() {
    let administrator = "an administrator's key of 40 characters!".replace(' ', "-");
    let tree = Tree::of(&[("a.md", "text")]);
    let server = Local::start(&tree, |settings| {
        settings.security.keys = corsac::config::KeyPolicy::On;
        settings.security.admin_key = Some(corsac::config::Secret::new(&administrator));
    })
    .await;
    let post = |path: &str, key: &str, body: serde_json::Value| {
        server.send(server.posting(path, body.to_string()).header("x-api-key", key))
    };
    let wish = json!({"name": "writer", "scopes": ["index"], "expires_days": 1, "rate_per_minute": 100});
    let made = post("/api/keys", &administrator, wish.clone()).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let (writer, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(made["expires_at"].as_str().unwrap() > made["created_at"].as_str().unwrap(), "{made}");

    // Good at once on the host that made it, for what it may do.
    let documents = json!([{"path": "b.md", "content": "posted"}]);
    let reply = post("/api/documents", writer, documents).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("ratelimit").starts_with("\"requests\";r=99;"), "{}", reply.header("ratelimit"));
    post("/api/search/hybrid", writer, json!({"query": "text"})).await.unwrap().problem(403, "missing-scope");
    post("/api/keys", writer, wish).await.unwrap().problem(403, "missing-scope");
    let wrong = post("/api/keys", &administrator, json!({"name": "x", "scopes": ["search", "root"]})).await.unwrap();
    assert_eq!(wrong.violated(), ["scopes"]);

    let list = server.send(server.getting("/api/keys").bearer_auth(&administrator)).await.unwrap();
    assert!(list.text().contains(id) && !list.text().contains(writer), "{}", list.text());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let delete = client.delete(server.url(&format!("/api/keys/{id}"))).bearer_auth(&administrator);
    assert_eq!(delete.send().await.unwrap().status(), 204);
    post("/api/documents", writer, json!([])).await.unwrap().problem(401, "unauthorized");
}

#[test]
fn a_server_for_others_does_not_start_without_a_key() {
    let data = data_folder();
    let name = data.path().to_str().unwrap();
    let (code, _, errors) =
        read(corsac(["serve", "--data", name, "--listen", "127.0.0.1:0", "--keys", "on"]).output().unwrap());
    assert_eq!(code, 1, "{errors}");
    for part in ["need an API key", "corsac key create --name first --scope admin --data", name, "CORSAC_ADMIN_KEY"] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
    let (code, _, errors) =
        read(corsac(["key", "create", "--name", "a", "--scope", "search,root", "--data", name]).output().unwrap());
    assert!(code == 1 && errors.contains("`root` is not a scope"), "{errors}");
}

/// Flag over variable over file, with the environment of a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn variables_stand_between_flags_and_the_file() {
    let data = data_folder();
    let file = Tree::of(&[("corsac.toml", "[security]\nkeys = \"on\"\n[database]\nurl = \"postgres://file@x/y\"\n")]);
    let config = file.path().join("corsac.toml");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap(), "--config"];
    let serve = || corsac(arguments.iter().copied().chain([config.to_str().unwrap()]));
    // Each value is wrong, so that the error shows which one was read.
    let says = |mut command: std::process::Command| read(command.output().unwrap()).2;
    let mut variable = serve();
    variable.env("DATABASE_URL", "mysql://u:hunter2@x/y");
    assert!(says(variable).contains("DATABASE_URL (database.url) must begin with"));
    let mut both = serve();
    both.args(["--db-pool-size", "0"]).env("DB_POOL_SIZE", "20000");
    assert!(says(both).contains("DB_POOL_SIZE) is 0"));
    let mut variable = serve();
    variable.env("DB_POOL_SIZE", "20000");
    assert!(says(variable).contains("DB_POOL_SIZE) is 20000"));
}

#[test]
fn no_output_shows_a_secret() {
    let data = data_folder();
    let folder = data.path().to_str().unwrap().to_owned();
    let serve = || corsac(["serve", "--listen", "127.0.0.1:0", "--data", &folder]);
    let mut runs = Vec::new();
    for (variable, value) in [
        ("DATABASE_URL", "mysql://u:hunter2@127.0.0.1/x"),
        ("DATABASE_URL", "u:hunter2@127.0.0.1/x"),
        ("DATABASE_URL", "postgres://u:hunter2@127.0.0.1/x?pasword=hunter2"),
        ("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:99999/x"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:99999"),
        ("REDIS_URL", "http://:hunter2@127.0.0.1"),
        ("CORSAC_ADMIN_KEY", "hunter2"),
    ] {
        let mut command = serve();
        command.env(variable, value);
        runs.push((format!("{variable}={value}"), command, Some(variable)));
    }
    // A database that is not there.
    let mut command = serve();
    command
        .env("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x")
        .env("DB_POOL_TIMEOUT", "1")
        .env("RUST_LOG", "debug");
    runs.push(("an absent database".to_owned(), command, Some("the document store is unavailable")));
    for subcommand in [&["serve", "--help"][..], &["key", "create", "--help"], &["key", "list", "--help"]] {
        let mut command = corsac(subcommand.iter().copied());
        command.env("DATABASE_URL", "postgres://u:hunter2@127.0.0.1/x");
        command.env("REDIS_URL", "redis://:hunter2@127.0.0.1").env("CORSAC_ADMIN_KEY", "hunter2".repeat(5));
        runs.push((subcommand.join(" "), command, Some("DATABASE_URL")));
    }
    for (what, mut command, named) in runs {
        let (_, output, errors) = read(command.output().unwrap());
        let all = output + &errors;
        assert!(!all.contains("hunter2") && !all.contains("panicked"), "{what}: {all}");
        assert!(named.is_none_or(|named| all.contains(named)), "{what}: {all}");
    }
}
