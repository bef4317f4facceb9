//! Encrypted ways to PostgreSQL and Redis: taken when the certificate is trusted, refused when it is not.

use serde_json::json;
use services::{Certificate, Postgres, PostgresOptions, Redis};

use crate::support::client::wait_for;
use crate::support::server::{Process, corsac, data_folder, patient};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_spoken_to_in_tls_and_only_if_its_certificate_is_trusted() {
    let certificate = Certificate::new();
    let tls = Some(certificate.clone());
    let postgres = Postgres::start_with(PostgresOptions { tls, ..PostgresOptions::default() });
    let files = tempfile::tempdir().unwrap();
    let [authority, ..] = certificate.write(files.path());
    let url = format!("{}?sslmode=verify-full", postgres.database());

    let data = data_folder();
    let trusting = format!("{url}&sslrootcert={}", authority.display());
    let server = Process::serve_with(data.path(), &[], &[("DATABASE_URL", &trusting)]).await;
    let documents = json!({"documents": [{"path": "a.md", "content": "quokkas eat leaves"}]});
    assert_eq!(server.post("/api/documents", documents).await.status, 200);
    let encrypted = "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name LIKE 'corsac/%'";
    assert_eq!(postgres.sql("postgres", encrypted), "t");

    let data = data_folder();
    let mut doubting = corsac(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    let output = doubting.args(["--db-pool-timeout", "1"]).env("DATABASE_URL", &url).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.to_lowercase().contains("certificate"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_spoken_to_in_tls_and_only_if_its_certificate_is_trusted() {
    let certificate = Certificate::new();
    let (redis, url) = Redis::start_with_tls(&certificate);
    let files = tempfile::tempdir().unwrap();
    let [authority, ..] = certificate.write(files.path());
    let documents = json!({"documents": [{"path": "a.md", "content": "quokkas eat leaves"}]});

    for (trusted, state) in [(true, "up"), (false, "away")] {
        redis.command(&["FLUSHALL"]);
        let data = data_folder();
        let mut environment = vec![("REDIS_URL", url.as_str())];
        if trusted {
            environment.push(("SSL_CERT_FILE", authority.to_str().unwrap()));
        }
        let config = patient(data.path());
        let server = Process::serve_with(data.path(), &["--config", &config], &environment).await;
        assert_eq!(server.post("/api/documents", documents.clone()).await.status, 200);
        let answer = server.query("semantic", "quokkas").await;
        assert_eq!(answer["results"].as_array().unwrap().len(), 1);
        wait_for("the state of redis", async || {
            let health = server.get("/api/search/health").await.json();
            (health["parts"]["redis"]["state"] == state).then_some(())
        })
        .await;
        let kept = async || !redis.command(&["KEYS", "corsac:*semantic*"]).starts_with("*0");
        if trusted {
            wait_for("the answer in redis", async || kept().await.then_some(())).await;
        } else {
            assert!(!kept().await);
        }
    }
}
