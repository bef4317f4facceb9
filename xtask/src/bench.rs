//! `cargo xtask bench`: builds what is measured in release mode, has each layer measured by criterion, then a server
//! over HTTP by the suite. Knows neither what is measured nor how; that is `benches/`.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use crate::process::{Failure, cargo, run};
use crate::toolchain::{self, Choice};
use crate::{components, process};

#[derive(Args)]
pub(crate) struct Options {
    /// Short: shows that everything works; its figures mean little.
    #[arg(long)]
    quick: bool,
    /// An earlier report.json to compare with.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Where the report goes [default: target/bench/SECONDS].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Only one part.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Minutes of the mixed day [default: 10].
    #[arg(long)]
    minutes: Option<f64>,
    /// The folder that the server indexes; without it, this repository.
    #[arg(long, value_name = "FOLDER")]
    tree: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Micro,
    Http,
    Load,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Micro => "micro",
            Self::Http => "http",
            Self::Load => "load",
        }
    }
}

pub(crate) fn bench(root: &Path, toolchain: Choice, options: &Options) -> Result<(), Failure> {
    toolchain::require_cpp()?;
    components::plugins(root, toolchain)?;
    let target = target(root);
    if options.only.is_none_or(|part| part == Part::Micro) {
        // Figures of earlier runs, perhaps of what is not measured any more, would pass for those of this one. There
        // may be none.
        let _ = std::fs::remove_dir_all(target.join("criterion"));
        let mut command = cargo(root);
        command.args(["bench", "--bench", "micro"]);
        if options.quick {
            // Criterion's own: it stops as soon as it has an idea.
            command.args(["--", "--quick"]);
        }
        run(&mut command, "a layer cannot be measured: the message is above")?;
    }
    let remedy = "the compiler's message is above";
    run(cargo(root).args(["build", "--release", "--bin", "corsac"]), remedy)?;
    run(cargo(root).args(["build", "--release", "--package", "suite", "--features", "load"]), remedy)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let out = match &options.out {
        Some(out) => absolute(out)?,
        None => target.join("bench").join(now.to_string()),
    };
    let mut suite = std::process::Command::new(target.join("release/suite"));
    suite.current_dir(root).arg("all").arg("--server").arg(target.join("release/corsac"));
    suite.arg("--criterion").arg(target.join("criterion")).arg("--out").arg(out).arg("--tree");
    suite.arg(options.tree.as_deref().map_or_else(|| Ok(root.to_owned()), absolute)?);
    if let Some(against) = &options.against {
        suite.arg("--against").arg(absolute(against)?);
    }
    if let Some(part) = options.only {
        suite.args(["--only", part.word()]);
    }
    if let Some(minutes) = options.minutes {
        suite.arg("--minutes").arg(minutes.to_string());
    }
    if options.quick {
        suite.arg("--quick");
    }
    run(&mut suite, "what was wrong is above; the report has what was measured before")
}

/// Paths are the caller's, not the root's.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::new(format!("cannot tell where {} is", path.display()), error))
}

/// Where cargo puts what it builds, which its configuration may say.
fn target(root: &Path) -> PathBuf {
    let metadata = process::output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]));
    let found = metadata.and_then(|text| {
        let rest = text.split_once("\"target_directory\":\"")?.1;
        Some(PathBuf::from(rest.split_once('"')?.0))
    });
    found.unwrap_or_else(|| root.join("target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_it_builds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let target = target(root);
        assert!(target.is_absolute() && target.is_dir(), "{}", target.display());
    }
}
