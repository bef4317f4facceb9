//! `corsac plugin check`: what a file is, and whether this host would load it.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use crate::config::Settings;
use crate::runtime::{CONTRACT, LoadError, Loader, PluginOptions, Source, calls_out, exported_names, imported_names};
use crate::upstream::Host;

/// Stands for whatever hosts a plugin may be granted; nothing answers to it, and the trial call asks nobody.
const SOME_HOST: &str = "granted.invalid";

/// What is known of a file, for people; `loads` decides the exit code.
pub struct Report {
    pub text: String,
    pub loads: bool,
}

/// Does with the file all that the server does before it serves a plugin, and tells. Without the operator's settings it
/// is taken to have what it asks for.
pub async fn check(file: &Path, settings: Option<&Settings>) -> Result<Report, LoadError> {
    let read_error =
        |error: std::io::Error| LoadError::Read { file: file.display().to_string(), reason: error.to_string() };
    let bytes: Arc<[u8]> = std::fs::read(file).map_err(read_error)?.into();
    let mut text = format!(
        "{}\n  size      {} bytes\n  digest    {}\n",
        file.display(),
        bytes.len(),
        blake3::hash(&bytes).to_hex()
    );
    let loader = Loader::new(None)?;
    let outcome = describe(&loader, &bytes, file, settings, &mut text).await;
    let loads = outcome.is_ok();
    match outcome {
        Ok(()) => text += "this host loads it\n",
        Err(error) => {
            let _ = writeln!(text, "this host does not load it: {error}");
        }
    }
    Ok(Report { text, loads })
}

async fn describe(
    loader: &Loader,
    bytes: &Arc<[u8]>,
    file: &Path,
    settings: Option<&Settings>,
    text: &mut String,
) -> Result<(), LoadError> {
    let (component, kinds) = loader.compile(bytes)?;
    let lines = |names: Vec<String>| if names.is_empty() { "nothing".into() } else { names.join("\n            ") };
    let _ = writeln!(text, "  exports   {}", lines(exported_names(&component)));
    let _ = writeln!(text, "  imports   {}", lines(imported_names(&component)));
    let wants_grant = calls_out(&component) && settings.is_none();
    let options = |name: &str| match settings {
        Some(settings) => settings.plugin(name),
        None => PluginOptions { http: some_hosts(wants_grant), ..PluginOptions::default() },
    };
    let source = Source::File(file.to_owned());
    let plugins = loader.load_compiled((component, kinds), bytes, &source, &options).await?;
    for plugin in plugins {
        let about = &plugin.description;
        let _ = writeln!(text, "  {:<9} {} {}: {}", plugin.kind.name(), about.name, about.version, about.purpose);
        if !plugin.inputs.features.is_empty() || !plugin.inputs.texts.is_empty() || plugin.inputs.embeddings {
            let mut asks = [plugin.inputs.features.clone(), plugin.inputs.texts.clone()].concat();
            asks.extend(plugin.inputs.embeddings.then(|| "embeddings".to_owned()));
            let _ = writeln!(text, "  asks for  {}", asks.join(", "));
        }
        if let Some(rules) = plugin.rules() {
            let traits = &rules.traits;
            let society = if rules.society.is_some() { "with a society" } else { "without a society" };
            let _ = writeln!(
                text,
                "  traits    {} personality, {} physical, {} abilities; {society}",
                traits.personality.len(),
                traits.physical.len(),
                traits.abilities.len()
            );
            let _ = writeln!(text, "  spirits   {}", rules.spirits.join(", "));
        }
        if wants_grant {
            let grant = "of the operator: hosts that it may call";
            let _ = writeln!(text, "  needs     a grant {grant}, as `http` in [plugins.{}]", about.name);
        }
        let statistics = plugin.statistics.read();
        let _ = writeln!(text, "  memory    {} bytes after one call", statistics.memory_high_water_bytes);
    }
    let _ = writeln!(text, "  contract  corsac:plugin {CONTRACT}");
    Ok(())
}

fn some_hosts(are_wanted: bool) -> Vec<Host> {
    are_wanted.then(|| SOME_HOST.parse().ok()).flatten().into_iter().collect()
}
