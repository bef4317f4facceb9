//! What criterion has measured: the medians of its last run, from the files that it keeps.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::report::Micro;

/// By name. `folder`: criterion's own, such as `target/criterion`.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Micro>> {
    let mut found = Vec::new();
    for entry in ignore::WalkBuilder::new(folder).standard_filters(false).build().filter_map(Result::ok) {
        if entry.path().ends_with("new/estimates.json") {
            found.push(of(entry.path())?);
        }
    }
    ensure!(!found.is_empty(), "no figures in {}: run cargo bench --bench micro first", folder.display());
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn of(file: &Path) -> anyhow::Result<Micro> {
    let wrong = || format!("{} is not what criterion writes", file.display());
    let json = |file: &Path| -> anyhow::Result<Value> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(wrong)
    };
    let name = json(&file.with_file_name("benchmark.json"))?["full_id"].as_str().with_context(wrong)?.to_owned();
    let median = &json(file)?["median"];
    let number = |value: &Value| value.as_f64().with_context(wrong);
    let interval = &median["confidence_interval"];
    Ok(Micro {
        name,
        median: number(&median["point_estimate"])?,
        low: number(&interval["lower_bound"])?,
        high: number(&interval["upper_bound"])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two files as criterion 0.8 writes them, without the fields that are not read.
    #[test]
    fn medians_are_read_and_those_of_earlier_runs_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("cache/get/new");
        for place in [&new, &folder.path().join("cache/get/base")] {
            std::fs::create_dir_all(place).unwrap();
            let estimate = r#"{"confidence_interval":{"confidence_level":0.95,"lower_bound":890.0,"upper_bound":910.5},"point_estimate":900.25,"standard_error":4.0}"#;
            let estimates = format!(r#"{{"mean":{{}},"median":{estimate}}}"#);
            std::fs::write(place.join("estimates.json"), estimates).unwrap();
            std::fs::write(place.join("benchmark.json"), r#"{"group_id":"cache","full_id":"cache/get"}"#).unwrap();
        }
        let expected = Micro { name: "cache/get".into(), median: 900.25, low: 890.0, high: 910.5 };
        assert_eq!(read(folder.path()).unwrap(), [expected]);
        std::fs::write(new.join("estimates.json"), "{}").unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("estimates.json"));
        assert!(read(&folder.path().join("nothing")).unwrap_err().to_string().contains("cargo bench --bench micro"));
    }
}
