//! Plugin files come, change, break and go while queries run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corsac::runtime::{CompiledCache, LoadError, Loader, PluginKind, PluginOptions, Runtime, RuntimeOptions, Source};

use crate::support::{fixture, folder_of, plugin, put, query, runtime_over, scores};

/// Which version answers, by its scores (version × 1000 + 999 and down).
async fn answering_version(runtime: &Runtime) -> u32 {
    let ranker = runtime.registry().find(PluginKind::Ranker, "versioned").unwrap();
    let ranking = ranker.rank(&query("which"), scores(&[3.0, 2.0, 1.0]), true).await.unwrap();
    let versions: Vec<u32> = ranking.scores.iter().map(|score| *score as u32 / 1000).collect();
    let explained = format!("version {}", versions[0]);
    assert!(versions.iter().all(|version| *version == versions[0]), "one answer of two versions: {versions:?}");
    assert!(ranking.explanations.iter().all(|line| *line == explained), "{:?}", ranking.explanations);
    assert_eq!(ranker.description.version, format!("{}.0.0", versions[0]));
    versions[0]
}

async fn load(bytes: &[u8]) -> Result<usize, LoadError> {
    let loader = Arc::new(Loader::new(None).unwrap());
    let source = Source::File("it.wasm".into());
    loader.load(bytes.into(), &source, &|_| PluginOptions::default()).await.map(|plugins| plugins.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_answers_and_a_bad_one_leaves_the_old() {
    let folder = folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]);
    let file = folder.path().join("v.wasm");
    let runtime = runtime_over(&folder).await;
    assert_eq!(answering_version(&runtime).await, 1);

    put(&fixture("versioned-ranker-v2"), &file);
    assert_eq!(runtime.refresh().await.loaded, ["v.wasm"]);
    assert_eq!(answering_version(&runtime).await, 2);

    std::fs::write(&file, &std::fs::read(fixture("versioned-ranker-v1")).unwrap()[..9000]).unwrap();
    let refreshed = runtime.refresh().await;
    assert!(matches!(&refreshed.failed[..], [(_, LoadError::Damaged(_))]), "{refreshed:?}");
    assert_eq!(answering_version(&runtime).await, 2);
    assert_eq!(runtime.registry().failures().len(), 1);

    put(&fixture("versioned-ranker-v1"), &file);
    runtime.refresh().await;
    assert_eq!(answering_version(&runtime).await, 1);
    assert!(runtime.registry().failures().is_empty());

    std::fs::remove_file(&file).unwrap();
    assert_eq!(runtime.refresh().await.removed, ["v.wasm"]);
    assert!(runtime.registry().find(PluginKind::Ranker, "versioned").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_queries_in_flight_see_one_version_each_and_none_fails() {
    let folder = folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]);
    let file = folder.path().join("v.wasm");
    let runtime = runtime_over(&folder).await;
    let stop = Arc::new(AtomicBool::new(false));
    let queries: Vec<_> = (0..1000)
        .map(|_| {
            let (runtime, stop) = (runtime.clone(), stop.clone());
            tokio::spawn(async move {
                let mut seen = std::collections::BTreeSet::new();
                while !stop.load(Ordering::Relaxed) {
                    seen.insert(answering_version(&runtime).await);
                    tokio::task::yield_now().await;
                }
                seen
            })
        })
        .collect();
    for version in [2, 1, 2, 1, 2] {
        put(&fixture(&format!("versioned-ranker-v{version}")), &file);
        assert_eq!(runtime.refresh().await.loaded.len(), 1);
    }
    // Whoever asks from here on must get the last version.
    assert_eq!(answering_version(&runtime).await, 2);
    stop.store(true, Ordering::Relaxed);
    let mut seen = std::collections::BTreeSet::new();
    for query in queries {
        seen.extend(query.await.unwrap());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2]);
    assert!(runtime.draining().is_empty(), "old versions are gone with their last query");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_is_followed() {
    let folder = folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]);
    let runtime = runtime_over(&folder).await;
    let _watch = runtime.watch().unwrap();
    put(&fixture("versioned-ranker-v2"), &folder.path().join("v.wasm"));
    let swapped = async {
        while answering_version(&runtime).await != 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), swapped).await.expect("the new file is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_plugin_is_refused_with_what_to_do() {
    let wrong = std::fs::read(fixture("wrong-world")).unwrap();
    let error = load(&wrong).await.unwrap_err();
    assert!(matches!(&error, LoadError::NoWorld { found, .. } if !found.is_empty()), "{error}");
    let text = error.to_string();
    assert!(text.contains("corsac:plugin/ranking@0.1"), "{text}");

    let whole = std::fs::read(plugin("rank-relevance")).unwrap();
    for length in [0, 3, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        let error = load(&whole[..length]).await.unwrap_err();
        // Eight bytes are a whole, empty module.
        let expected = matches!(error, LoadError::Damaged(_) | LoadError::NotWasm { .. }) || length == 8;
        assert!(expected, "{length}: {error}");
    }
    assert!(matches!(load(b"#!/bin/sh\n").await, Err(LoadError::NotWasm { .. })));
    assert_eq!(load(&wat::parse_str("(module)").unwrap()).await, Err(LoadError::Untyped));

    let other = wat::parse_str(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f")))
           (instance $e (export "f" (func $f))) (export "corsac:plugin/ranking@9.0.0" (instance $e)))"#,
    );
    let error = load(&other.unwrap()).await.unwrap_err();
    assert!(matches!(error, LoadError::WrongContract { .. }), "{error}");

    let foreign = wat::parse_str(
        r#"(component (import "acme:db/sql@1.0.0" (instance (export "q" (func))))
           (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f")))
           (instance $e (export "describe" (func $f))) (export "corsac:plugin/ranking@0.1.0" (instance $e)))"#,
    );
    assert_eq!(load(&foreign.unwrap()).await, Err(LoadError::UnknownImports(vec!["acme:db/sql@1.0.0".into()])));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_of_one_name_are_told_apart() {
    let folder = folder_of(&[("a.wasm", fixture("versioned-ranker-v1")), ("b.wasm", fixture("versioned-ranker-v2"))]);
    let runtime = runtime_over(&folder).await;
    assert_eq!(answering_version(&runtime).await, 1);
    let registry = runtime.registry();
    assert!(matches!(&registry.failures()[0].error, LoadError::NameTaken { by, .. } if by == "a.wasm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_folder_overrides_an_earlier_one() {
    let first = folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]);
    let second = folder_of(&[("v.wasm", fixture("versioned-ranker-v2"))]);
    let folders = vec![first.path().to_owned(), second.path().to_owned()];
    let runtime = Runtime::start(RuntimeOptions { folders, ..Default::default() }).await.unwrap();
    assert_eq!(answering_version(&runtime).await, 2);
    std::fs::remove_file(second.path().join("v.wasm")).unwrap();
    runtime.refresh().await;
    assert_eq!(answering_version(&runtime).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_on_request_starts_its_figures_anew() {
    let folder = folder_of(&[("v.wasm", fixture("versioned-ranker-v1"))]);
    let runtime = runtime_over(&folder).await;
    answering_version(&runtime).await;
    assert_eq!(runtime.registry().get("versioned").unwrap().statistics.read().calls, 1);
    let plugin = runtime.reload("versioned").await.unwrap();
    assert_eq!(plugin.statistics.read().calls, 0);
    assert!(runtime.reload("nobody").await.unwrap_err().to_string().contains("versioned"));
}

/// Compiled code that was tampered with, cut, exchanged or made elsewhere is never run.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_compiled_code_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = || {
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .collect();
        files.sort();
        files
    };
    let load = |name: &'static str| {
        let loader = Loader::new(Some(CompiledCache::open(folder.path()).unwrap())).unwrap();
        loader.compile(&std::fs::read(fixture(name)).unwrap()).map(|(_, kinds)| kinds)
    };
    load("versioned-ranker-v1").unwrap();
    let [file] = &compiled()[..] else { panic!("one file expected") };
    let good = std::fs::read(file).unwrap();
    load("versioned-ranker-v1").unwrap();
    assert_eq!(std::fs::read(file).unwrap(), good, "loaded from the cache, not written again");

    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [flipped, good[..good.len() / 2].to_vec(), vec![], b"anything".to_vec()] {
        std::fs::write(file, &bad).unwrap();
        assert_eq!(load("versioned-ranker-v1").unwrap(), [PluginKind::Ranker]);
        assert_ne!(std::fs::read(file).unwrap(), bad, "replaced by code compiled here");
    }

    load("versioned-ranker-v2").unwrap();
    let [first, second] = &compiled()[..] else { panic!("two files expected") };
    std::fs::copy(first, second).unwrap();
    let exchanged = std::fs::read(second).unwrap();
    load("versioned-ranker-v1").unwrap();
    load("versioned-ranker-v2").unwrap();
    assert_ne!(std::fs::read(second).unwrap(), exchanged, "code of one plugin does not stand in for another's");
}
