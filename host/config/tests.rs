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
        "CACHE_TTL_SEMANTIC",
        "CACHE_TTL_SYNTAX",
        "CACHE_TTL_HYBRID",
        "CACHE_TTL_SUGGESTIONS",
        "MAX_CONCURRENT_SEARCHES",
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
        ("[plugins.x]\nmemory_bytes = 1\n", &[], "memory_bytes of a plugin is 1"),
        ("[telemetry]\notlp_endpoint = \"https://x:4318\"\n", &[], "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("[telemetry]\nsample_ratio = 1.5\n", &[], "telemetry.sample_ratio (OTEL_TRACES_SAMPLER_ARG) is 1.5"),
        ("[cache]\nother_ttl_seconds = 9000000000000000000\n", &[], "life time"),
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
