//! Precedence, the example file, and what a wrong value is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::{CommandFactory, Parser};

use super::*;
use crate::runtime::{InstancePolicy, PluginOptions};
use crate::telemetry::LogFormat;

const EXAMPLE: &str = include_str!("../../examples/corsac.toml");

fn serve(arguments: &[&str]) -> ServeArguments {
    let line = ["corsac", "serve"].iter().chain(arguments);
    match CommandLine::try_parse_from(line).unwrap().command {
        Command::Serve(arguments) => *arguments,
        other => panic!("{other:?}"),
    }
}

fn load_with_file(text: &str, arguments: &[&str]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corsac.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    Settings::load(&serve(&[&["--config", file], arguments].concat()))
}

#[test]
fn the_command_line_is_well_formed() {
    CommandLine::command().debug_assert();
}

#[test]
fn the_example_shows_exactly_the_defaults() {
    let example: Settings = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(example, Settings::default());
    // Nothing may be missing from it either: every key of the defaults occurs.
    let defaults = toml::to_string(&Settings::default()).unwrap();
    for line in defaults.lines().filter(|line| !line.is_empty()) {
        let key = line.split('=').next().unwrap().trim();
        assert!(EXAMPLE.contains(key) || key == "[plugins]", "the example does not show {key}");
    }
}

#[test]
fn what_is_commented_out_in_the_example_is_valid() {
    let uncommented: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        })
        .collect();
    let settings: Settings = toml::from_str(&uncommented.join("\n")).unwrap();
    assert_eq!(settings.server.data, Some("/var/lib/corsac".into()));
    let policy = settings.plugin("rank-recency");
    assert_eq!((policy.deadline_ms, policy.instances, policy.max_probes), (200, InstancePolicy::Warm, 32));
    assert_eq!(policy.settings["half-life-days"], "30");
    assert_eq!(settings.plugin("rank-fields"), PluginOptions::default());
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:9000\"\nlog_format = \"json\"\n[cache.ttl_seconds]\nsemantic = 5\n";
    let settings = load_with_file(file, &["--listen", "127.0.0.1:0", "--cache-ttl-syntax", "7", "--no-index"]).unwrap();
    assert_eq!(settings.server.listen.port(), 0);
    assert_eq!(settings.server.log_format, LogFormat::Json);
    assert_eq!(settings.cache.ttl_seconds["semantic"], 5);
    assert_eq!(settings.cache.ttl_seconds["syntax"], 7);
    assert_eq!(settings.cache.ttl_seconds["suggestions"], 86400);
    assert!(!settings.index.on_start);
}

#[test]
fn relative_folders_of_a_file_are_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corsac.toml");
    std::fs::write(&file, "[server]\ndata = \"data\"\nplugin_folders = [\"mine\", \"/theirs\"]\n").unwrap();
    let settings = Settings::read(&file).unwrap();
    assert_eq!(settings.server.data, Some(folder.path().join("data")));
    assert_eq!(settings.server.plugin_folders, [folder.path().join("mine"), PathBuf::from("/theirs")]);
}

#[test]
fn every_serve_flag_has_a_variable() {
    let command = CommandLine::command();
    let serve = command.find_subcommand("serve").unwrap();
    let automatic = ["help", "version", "path"];
    for flag in serve.get_arguments().filter(|argument| !automatic.contains(&argument.get_id().as_str())) {
        assert!(flag.get_env().is_some(), "--{} has no variable", flag.get_id());
    }
    let variables: Vec<_> = serve.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    for earlier in [
        "CACHE_COMPRESSION_THRESHOLD",
        "CACHE_TTL",
        "CACHE_TTL_HYBRID",
        "CACHE_TTL_SEMANTIC",
        "CACHE_TTL_SUGGESTIONS",
        "CACHE_TTL_SYNTAX",
        "DATABASE_URL",
        "DB_MAX_OVERFLOW",
        "DB_POOL_SIZE",
        "DB_POOL_TIMEOUT",
        "DB_SLOW_QUERY_MS",
        "MAX_CONCURRENT_SEARCHES",
        "REDIS_MAX_CONNECTIONS",
    ] {
        assert!(variables.contains(&earlier), "{earlier} is not read");
    }
}

#[test]
fn wrong_values_are_named() {
    for (file, arguments, expected) in [
        ("[server]\nlisten_on = 1\n", &[][..], "listen_on"),
        ("[plugins.x]\nmemory = 1\n", &[], "memory"),
        ("[server]\nsearch_timeout_ms = \"soon\"\n", &[], "search_timeout_ms"),
        ("", &["--max-concurrent-searches", "0"], "server.max_concurrent_searches is 0, but must be from 1"),
        ("[plugins.x]\nmemory_bytes = 1\n", &[], "plugins.x.memory_bytes is 1, but must be from 65536"),
        ("[plugin_defaults]\ndeadline_ms = 0\n[plugins.x]\n", &[], "plugin_defaults.deadline_ms is 0"),
        ("[telemetry]\notlp_endpoint = \"https://x:4318\"\n", &[], "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("[telemetry]\nsample_ratio = 1.5\n", &[], "telemetry.sample_ratio (OTEL_TRACES_SAMPLER_ARG) is 1.5"),
        ("[ecs]\nacceleration = 200.0\n", &[], "ecs.acceleration is 200, but must be from 0.1 to 100"),
        ("[ecs]\nspawn_radius = nan\n", &[], "ecs.spawn_radius is NaN"),
        ("[ecs]\ntick_ms = 1\n", &[], "ecs.tick_ms is 1, but must be from 10"),
        (
            "[ecs]\nseconds_per_year = 31536000.0\n",
            &[],
            "ecs.seconds_per_year is 31536000, but must be from 0.001 to 10000",
        ),
        ("[cache]\nother_ttl_seconds = 9000000000000000000\n", &[], "cache.other_ttl_seconds (CACHE_TTL) is 9"),
        ("[cache.ttl_seconds]\nsyntax = 946080001\n", &[], "cache.ttl_seconds.syntax is 946080001, but must be from 0"),
    ] {
        let message = load_with_file(file, arguments).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} does not name {expected}");
    }
    let missing = Settings::load(&serve(&["--config", "/nowhere/corsac.toml"])).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/corsac.toml"));
}

#[test]
fn each_tree_has_a_data_folder_of_its_own_outside_the_tree() {
    let parent = tempfile::tempdir().unwrap();
    let (one, two) = (parent.path().join("one"), parent.path().join("two"));
    std::fs::create_dir(&one).unwrap();
    std::fs::create_dir(&two).unwrap();
    assert_ne!(data_folder_name(Some(&one)), data_folder_name(Some(&two)));
    assert_eq!(data_folder_name(Some(&one)), data_folder_name(Some(&one.join("."))));
    assert!(data_folder_name(Some(&one)).starts_with("one-"));
    assert!(!data_folder_name(Some(Path::new("/a b/ü"))).contains(['/', ' ']));
}

#[test]
fn plugin_check_and_eval_parse() {
    let check = CommandLine::try_parse_from(["corsac", "plugin", "check", "a.wasm"]).unwrap();
    assert!(matches!(check.command, Command::Plugin(PluginCommand::Check { .. })));
    let eval = CommandLine::try_parse_from(["corsac", "eval", "data", "--mode", "vector"]).unwrap();
    assert!(matches!(eval.command, Command::Eval { mode: Some(_), .. }));
}

/// The environment is of the process, so `tests/it/access.rs` shows that it stands between flag and file.
#[test]
fn flags_win_over_the_file_for_what_hosts_share_and_for_who_may_ask() {
    let file = "[database]\nurl = \"postgres://file@db/corsac\"\npool_size = 7\nslow_query_ms = 250\n\
                [redis]\nurl = \"redis://file:6379\"\nprefix = \"mine\"\n\
                [security]\nkeys = \"on\"\nrate_per_minute = 60\ncors_origins = [\"https://a.example\"]\n";
    let flags = [
        ["--database-url", "postgresql://flag@db/corsac"],
        ["--db-pool-size", "9"],
        ["--redis-url", "rediss://flag:6379,rediss://other:6379"],
        ["--keys", "off"],
        ["--cors-origin", "https://b.example:8443"],
    ];
    let settings = load_with_file(file, &flags.concat()).unwrap();
    let database = settings.database;
    assert_eq!(database.url, Some(Secret::new("postgresql://flag@db/corsac")));
    assert_eq!((database.pool_size, database.slow_query_ms, database.max_overflow), (9, 250, 30));
    assert_eq!(settings.redis.url.unwrap().expose(), "rediss://flag:6379,rediss://other:6379");
    assert_eq!((settings.redis.prefix.as_str(), settings.redis.max_connections), ("mine", 20));
    assert_eq!((settings.security.keys, settings.security.rate_per_minute), (KeyPolicy::Off, 60));
    // Like folders, origins add up.
    assert_eq!(settings.security.cors_origins, ["https://a.example", "https://b.example:8443"]);
    let alone = load_with_file(file, &[]).unwrap();
    assert_eq!(alone.database.url.unwrap().expose(), "postgres://file@db/corsac");
    assert_eq!(alone.security.keys, KeyPolicy::On);
}

#[test]
fn wrong_values_of_the_shared_parts_are_named() {
    for (file, expected) in [
        ("[database]\npool = 1\n", "unknown field `pool`"),
        ("[redis]\nurls = []\n", "unknown field `urls`"),
        ("[security]\napi_keys = \"on\"\n", "unknown field `api_keys`"),
        ("[secrets]\n", "unknown field `secrets`"),
        ("[database]\npool_size = 0\n", "database.pool_size (DB_POOL_SIZE) is 0"),
        ("[redis]\ntimeout_ms = 0\n", "redis.timeout_ms is 0"),
        ("[security]\nrate_per_minute = 99999999\n", "security.rate_per_minute (CORSAC_RATE_PER_MINUTE) is 99999999"),
        ("[security]\nkeys = \"maybe\"\n", "line 2, `keys`: unknown value, expected one of `auto`, `on`, `off`"),
        ("[security]\ncors_origins = [\"https://a.example/\"]\n", "`https://a.example/`, which is no origin"),
        ("[security]\ncors_origins = [\"https://A.example\"]\n", "no origin"),
        ("[security]\ncors_origins = [\"https://*.example\"]\n", "no origin"),
        ("[security]\ncors_origins = [\"null\"]\n", "no origin"),
        ("[index]\nretrieval = \"postgres\"\n", "there is no database"),
        ("[index.model]\ncore_percent = 0\n", "index.model.core_percent is 0"),
        (
            "[database]\nurl = \"postgres://db/x\"\n[index]\nretrieval = \"postgres\"\nmodel.folder = \"m\"\n",
            "index.model.folder (CORSAC_MODEL) is set, but index.retrieval is postgres",
        ),
    ] {
        let message = load_with_file(file, &[]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} does not say {expected}");
    }
}

const PASSWORD: &str = "hunter2";

#[test]
fn settings_print_no_secret() {
    let settings = Settings {
        database: DatabaseSettings { url: Some(Secret::new("postgres://u:hunter2@db/x")), ..Default::default() },
        redis: RedisSettings { url: Some(Secret::new("redis://:hunter2@cache")), ..Default::default() },
        security: SecuritySettings { admin_key: Some(Secret::new("hunter2".repeat(6))), ..Default::default() },
        ..Settings::default()
    };
    let arguments = [
        ["--database-url", "postgres://u:hunter2@db/x"],
        ["--redis-url", "redis://:hunter2@cache"],
        ["--admin-key", "hunter2hunter2hunter2hunter2hunter2"],
    ];
    let arguments = serve(&arguments.concat());
    let printed = [
        format!("{settings:?}"),
        format!("{settings:#?}"),
        toml::to_string(&settings).unwrap(),
        serde_json::to_string(&settings).unwrap(),
        format!("{arguments:?}"),
        format!("{:?}", Settings::load(&arguments).unwrap()),
    ];
    for text in printed {
        assert!(text.contains("***") && !text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn mistakes_beside_a_secret_do_not_tell_it() {
    for (file, named) in [
        ("[database]\nurl = \"mysql://u:hunter2@db/x\"\n", "DATABASE_URL (database.url) must begin with postgres://"),
        ("[database]\nurl = \"hunter2\"\n", "DATABASE_URL"),
        ("[redis]\nurl = \"redis://ok,http://:hunter2@b\"\n", "REDIS_URL (redis.url) must begin with redis://"),
        ("[security]\nadmin_key = \"hunter2\"\n", "CORSAC_ADMIN_KEY"),
        ("[security]\nadmin_key = \"hunter2 hunter2 hunter2 hunter2 hunter2\"\n", "CORSAC_ADMIN_KEY"),
        // Mistakes of syntax and of kind, of which the parser would show the line.
        ("[database]\nurl = \"postgres://u:hunter2@db/x\n", "line 2, `url`"),
        ("[database]\nurl = postgres://u:hunter2@db/x\n", "line 2, `url`"),
        ("[database]\nurl postgres://u:hunter2@db/x?a=b\n", "line 2"),
        ("[database]\nhunter2\n", "line 2"),
        ("[database]\npool_size = \"postgres://u:hunter2@db/x\"\n", "line 2, `pool_size`"),
        ("[database]\npool_size = \"a\\\"hunter2\"\n", "line 2, `pool_size`"),
        ("[security]\nkeys = \"hunter2\"\n", "line 2, `keys`"),
        ("[database]\nurls = \"postgres://u:hunter2@db/x\"\n", "urls"),
        ("[redis]\nurl = [\"redis://:hunter2@a\"]\n", "line 2, `url`"),
    ] {
        let error = load_with_file(file, &[]).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(named), "{text} does not name {named}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn keys_are_wanted_on_every_address_but_loopback() {
    for (address, wanted) in [
        ("127.0.0.1:1", false),
        ("127.9.9.9:1", false),
        ("[::1]:1", false),
        ("[::ffff:127.0.0.1]:1", false),
        ("0.0.0.0:1", true),
        ("[::]:1", true),
        ("10.0.0.1:1", true),
        ("[::ffff:10.0.0.1]:1", true),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(KeyPolicy::Auto.requires_keys(address), wanted, "{address}");
        assert!(KeyPolicy::On.requires_keys(address) && !KeyPolicy::Off.requires_keys(address));
    }
}

#[test]
fn key_commands_parse() {
    let create = ["corsac", "key", "create", "--name", "a", "--scope", "search", "--rate", "600/minute"];
    let parsed = CommandLine::try_parse_from(create).unwrap().command;
    assert!(matches!(parsed, Command::Key(KeyCommand::Create { rate: Some(600), expires_days: None, .. })));
    for wrong in ["600/hour", "-1", "many", "4294967296"] {
        let line = ["corsac", "key", "create", "--name", "a", "--scope", "search", "--rate", wrong];
        assert!(CommandLine::try_parse_from(line).is_err(), "{wrong}");
    }
    assert!(CommandLine::try_parse_from(["corsac", "key", "revoke"]).is_err());
}
