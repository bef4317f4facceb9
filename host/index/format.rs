//! Whether the files in an index's folder are what this host would write. Knows nothing of what they hold.

use std::path::Path;

/// Changes whenever what is on disk is read differently; another number starts empty.
const FORMAT: u32 = 1;

/// What must be equal for the files to be read.
#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
struct Format {
    format: u32,
    /// Digest of the embedding model.
    model: String,
}

/// Creates the format file of a new index, or compares the one that is there.
pub(super) fn check(folder: &Path, model: &str) -> Result<(), String> {
    let ours = Format { format: FORMAT, model: model.to_owned() };
    let file = folder.join("format.json");
    if !file.exists() && !folder.join("text").exists() {
        let content = serde_json::to_vec(&ours).map_err(|error| error.to_string())?;
        return std::fs::write(&file, content).map_err(|error| error.to_string());
    }
    let content = std::fs::read(&file).map_err(|error| format!("format.json: {error}"))?;
    match serde_json::from_slice::<Format>(&content) {
        Ok(theirs) if theirs == ours => Ok(()),
        Ok(theirs) => Err(format!("it has format {} where {FORMAT} is needed, or another model", theirs.format)),
        Err(error) => Err(format!("format.json: {error}")),
    }
}

/// Removes all that is derived from documents; vectors by their texts stay good.
pub(super) fn wipe(folder: &Path) -> std::io::Result<()> {
    for name in ["text", "patterns", "vectors"] {
        let folder = folder.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    match std::fs::remove_file(folder.join("format.json")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
