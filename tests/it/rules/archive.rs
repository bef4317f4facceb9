//! Rules in versions: one takes the other's place by its file, and what was archived comes back after its
//! file is gone, with the settings that it had.

use std::path::Path;
use std::sync::Arc;

use corsac::rules::{Rules, RulesSource};
use corsac::runtime::RulesOfPlugins;

use super::{Loads, ask, tight};
use crate::support::{fixture, folder_of, runtime_over};

/// The hostile fixture in another version: its version is in the file as one text.
fn edition_b() -> Vec<u8> {
    let mut bytes = std::fs::read(fixture("hostile-rules")).unwrap();
    let version = b"1.0.0-edition-a";
    let found: Vec<usize> = (0..bytes.len() - version.len()).filter(|at| bytes[*at..].starts_with(version)).collect();
    assert_eq!(found.len(), 1);
    bytes[found[0] + version.len() - 1] = b'b';
    bytes
}

/// Writes beside, then renames, as an operator should.
fn put(bytes: &[u8], to: &Path) {
    let partial = to.with_extension("partial");
    std::fs::write(&partial, bytes).unwrap();
    std::fs::rename(&partial, to).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_swap_by_file_and_come_back_from_the_archive() {
    let folder = folder_of(&[("h.wasm", fixture("hostile-rules"))]);
    let runtime = runtime_over(&folder).await;
    let source = RulesOfPlugins::new(runtime.clone());
    let before = source.current("hostile-rules").unwrap();
    let archived = before.archive();
    assert_eq!((archived.name.as_str(), archived.version.as_str()), ("hostile-rules", "1.0.0-edition-a"));
    assert_eq!(archived.component, std::fs::read(fixture("hostile-rules")).unwrap());
    // What still serves is not loaded again.
    let draws = |rules: Arc<dyn Rules>| async move { rules.first_traits("fox", 1, 7).await.unwrap()[0] };
    assert_eq!(source.revive(&archived).await.unwrap().about(), before.about());

    put(&edition_b(), &folder.path().join("h.wasm"));
    assert_eq!(runtime.refresh().await.loaded, ["h.wasm"]);
    let now = source.current("hostile-rules").unwrap();
    assert_eq!(now.about().label(), "hostile-rules@1.0.0-edition-b");
    assert_ne!(now.about().digest, before.about().digest);
    assert_eq!((draws(before.clone()).await, draws(now).await), (0.25, 0.75), "who holds the old version keeps it");

    let about = before.about().clone();
    drop(before);
    let revived = source.revive(&archived).await.unwrap();
    assert_eq!(revived.about(), &about);
    assert_eq!(draws(revived.clone()).await, 0.25);
    assert!(Arc::ptr_eq(&revived, &source.revive(&archived).await.unwrap()), "a revived version is held");
    assert_eq!(source.known(), ["hostile-rules"]);
    assert_eq!(source.current("hostile-rules").unwrap().about().label(), "hostile-rules@1.0.0-edition-b");

    // An archive that does not hold what it says is refused, and named.
    let mut forged = archived.clone();
    forged.settings.push(("misbehave".into(), "tick-nan".into()));
    forged.digest = [7; 32];
    let error = source.revive(&forged).await.err().unwrap();
    assert_eq!((error.rules.as_str(), error.call), ("hostile-rules@1.0.0-edition-a", "revive"));
    assert_eq!(error.error.kind(), "contract");
    forged.component.truncate(100);
    assert_eq!(source.revive(&forged).await.err().unwrap().error.kind(), "internal");
}

/// The archive's settings decide, not those of now: they are part of the digest.
#[tokio::test(flavor = "multi_thread")]
async fn archived_rules_keep_their_settings() {
    let before = Loads::new().rules("hostile-rules", tight("tick-error-internal")).await;
    let archived = before.archive();
    assert_eq!(archived.settings, [("misbehave".to_owned(), "tick-error-internal".to_owned())]);

    let folder = folder_of(&[("h.wasm", fixture("hostile-rules"))]);
    let source = RulesOfPlugins::new(runtime_over(&folder).await);
    let now = source.current("hostile-rules").unwrap();
    assert_ne!(now.about().digest, archived.digest);
    assert_eq!(ask(&*now, "tick").await, Ok(()));
    let revived = source.revive(&archived).await.unwrap();
    assert_eq!(revived.about().digest, archived.digest);
    assert_eq!(ask(&*revived, "tick").await.unwrap_err().error.kind(), "internal");
}
