//! Keys, scopes and rates over a store in memory, with a clock that the tests wind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::FakeRelativeClock;
use parking_lot::Mutex;

use super::limit::Limit;
use super::*;
use crate::store::{KeyStore, StoreError, StoredKey};

/// Keys in memory, or away.
#[derive(Default)]
struct Memory {
    keys: Mutex<Vec<StoredKey>>,
    away: Mutex<bool>,
}

#[async_trait]
impl KeyStore for Memory {
    async fn add_key(&self, key: &StoredKey) -> Result<(), StoreError> {
        self.keys.lock().push(key.clone());
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        match *self.away.lock() {
            true => Err(StoreError::Unavailable("away".into())),
            false => Ok(self.keys.lock().clone()),
        }
    }

    async fn remove_key(&self, id: &str) -> Result<bool, StoreError> {
        let mut keys = self.keys.lock();
        let before = keys.len();
        keys.retain(|key| key.id != id);
        Ok(keys.len() < before)
    }
}

/// For tests of other layers, which know no store.
pub(crate) fn in_memory(policy: Policy) -> Keyring {
    Keyring::new(Arc::<Memory>::default(), policy)
}

fn keyring(store: &Arc<Memory>, rate_per_minute: u32) -> Keyring {
    Keyring::new(store.clone(), Policy { required: true, administrator: None, rate_per_minute })
}

fn new(scopes: &str) -> NewKey {
    NewKey { name: "test".into(), scopes: scopes.parse().unwrap(), expires_days: None, rate_per_minute: None }
}

#[test]
fn admin_implies_the_others_and_words_are_checked() {
    let allowed = |text: &str| Scope::ALL.map(|scope| text.parse::<Scopes>().unwrap().allow(scope));
    assert_eq!(allowed("search"), [true, false, false]);
    assert_eq!(allowed("index, search"), [true, true, false]);
    assert_eq!(allowed("admin"), [true, true, true]);
    assert_eq!("index,search,search".parse::<Scopes>().unwrap().to_string(), "search,index");
    for wrong in ["", " ", "search,", "Search", "all", "admin;search"] {
        assert!(wrong.parse::<Scopes>().is_err(), "{wrong}");
    }
    assert!("search,root".parse::<Scopes>().unwrap_err().to_string().contains("`root`"));
    assert!(!Scopes::default().allow(Scope::Search));
}

#[test]
fn keys_have_their_form_and_are_never_the_same() {
    let (one, two) = (key::generate().unwrap(), key::generate().unwrap());
    assert_ne!(one.text, two.text);
    let (id, secret) = key::parts(&one.text).unwrap();
    assert_eq!((id, id.len(), secret.len()), (one.id.as_str(), 16, 64));
    assert_eq!(one.text, format!("corsac_{id}_{secret}"));
    // The empty text's digest, from the BLAKE3 specification's test vectors.
    let empty = "af1349b9f5f9a1a6a0404dea36dcc949";
    assert!(blake3::Hash::from_bytes(key::digest("")).to_hex().starts_with(empty));
    assert_eq!(one.digest, key::digest(secret));
    let short = &one.text[..one.text.len() - 1];
    let long = format!("{}0", one.text);
    for wrong in ["", "corsac_", "corsac__", "Bearer x", short, &long, &one.text.replace("corsac", "korsak")] {
        assert!(key::parts(wrong).is_none(), "{wrong}");
    }
}

#[tokio::test]
async fn a_key_lets_in_for_its_scopes_until_it_is_revoked() {
    let store = Arc::new(Memory::default());
    let keyring = keyring(&store, 0);
    assert!(!keyring.is_usable());
    let made = keyring.create(new("index")).await.unwrap();
    assert!(keyring.is_usable());
    let key = Some(made.text.as_str());
    assert_eq!(keyring.admit(key, Scope::Index), Ok(None));
    assert_eq!(keyring.admit(key, Scope::Search), Err(Refusal::MissingScope(Scope::Search)));
    assert_eq!(keyring.admit(None, Scope::Index), Err(Refusal::NoKey));

    // A wrong last digit, another id, the id alone.
    let other_end = if made.text.ends_with('0') { "1" } else { "0" };
    let wrong = format!("{}{other_end}", &made.text[..made.text.len() - 1]);
    let foreign = key::generate().unwrap().text;
    for wrong in [wrong.as_str(), &foreign, &made.key.id, "", "\u{fc}"] {
        assert_eq!(keyring.admit(Some(wrong), Scope::Index), Err(Refusal::UnknownKey), "{wrong}");
    }
    // The secret is nowhere in what is kept.
    let (_, secret) = key::parts(&made.text).unwrap();
    assert!(!format!("{:?}", store.keys.lock()).contains(secret));

    assert!(keyring.revoke(&made.key.id).await.unwrap());
    assert!(!keyring.revoke(&made.key.id).await.unwrap());
    assert_eq!(keyring.admit(key, Scope::Index), Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn other_hosts_learn_of_keys_and_go_on_without_the_store() {
    let store = Arc::new(Memory::default());
    let (here, there) = (keyring(&store, 0), keyring(&store, 0));
    let made = here.create(new("search")).await.unwrap();
    let asked = |keyring: &Keyring| keyring.admit(Some(&made.text), Scope::Search);
    assert_eq!(asked(&there), Err(Refusal::UnknownKey));
    there.refresh().await.unwrap();
    assert_eq!(asked(&there), Ok(None));
    *store.away.lock() = true;
    assert!(there.refresh().await.is_err());
    assert_eq!(asked(&there), Ok(None));
    // What was kept counts, and is told, also when it cannot be read back.
    let unread = there.create(new("search")).await.unwrap();
    assert_eq!(there.admit(Some(&unread.text), Scope::Search), Ok(None));
    assert!(there.revoke(&unread.key.id).await.unwrap());
    assert_eq!(there.admit(Some(&unread.text), Scope::Search), Err(Refusal::UnknownKey));
    *store.away.lock() = false;
    here.revoke(&made.key.id).await.unwrap();
    there.refresh().await.unwrap();
    assert_eq!(asked(&there), Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    let store = Arc::new(Memory::default());
    let keyring = keyring(&store, 0);
    let made = keyring.create(NewKey { expires_days: Some(30), ..new("search") }).await.unwrap();
    assert_eq!(made.key.expires_at, Some(made.key.created_at + 30 * 24 * 3600));
    assert_eq!(keyring.admit(Some(&made.text), Scope::Search), Ok(None));
    store.keys.lock()[0].expires_at = Some(made.key.created_at);
    keyring.refresh().await.unwrap();
    assert_eq!(keyring.admit(Some(&made.text), Scope::Search), Err(Refusal::Expired));
    assert!(!keyring.is_usable());
}

#[tokio::test]
async fn the_administrator_s_key_is_not_stored_and_may_do_everything() {
    let store = Arc::new(Memory::default());
    let administrator = Some("0123456789abcdef0123456789abcdef".to_owned());
    let policy = Policy { required: true, administrator, rate_per_minute: 0 };
    assert!(!format!("{policy:?}").contains("0123"));
    let keyring = Keyring::new(store.clone(), policy);
    assert!(keyring.is_usable());
    assert_eq!(keyring.admit(Some("0123456789abcdef0123456789abcdef"), Scope::Admin), Ok(None));
    assert_eq!(keyring.admit(Some("0123456789abcdef0123456789abcdee"), Scope::Search), Err(Refusal::UnknownKey));
    assert!(keyring.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn wrong_wishes_are_refused() {
    let keyring = keyring(&Arc::default(), 0);
    let long = "x".repeat(65);
    for wrong in [
        NewKey { name: " ".into(), ..new("search") },
        NewKey { name: long, ..new("search") },
        NewKey { name: "a\nb".into(), ..new("search") },
        NewKey { scopes: Scopes::default(), ..new("search") },
        NewKey { expires_days: Some(0), ..new("search") },
        NewKey { expires_days: Some(u32::MAX), ..new("search") },
        NewKey { rate_per_minute: Some(u32::MAX), ..new("search") },
    ] {
        assert!(keyring.create(wrong.clone()).await.is_err(), "{wrong:?}");
    }
    assert!(keyring.list().await.unwrap().is_empty());
}

/// By hand: four a minute is a bucket of four that gets one every 15 s.
#[test]
fn a_bucket_holds_a_minute_and_fills_evenly() {
    let clock = FakeRelativeClock::default();
    let limit = Limit::with_clock(4, clock.clone()).unwrap();
    for (remaining, full_in) in [(3, 15), (2, 30), (1, 45), (0, 60)] {
        assert_eq!(limit.take(), Ok(Allowance { per_minute: 4, remaining, full_in }));
    }
    assert_eq!(limit.take(), Err(Exceeded { per_minute: 4, wait: Duration::from_secs(15) }));
    clock.advance(Duration::from_secs(10));
    assert_eq!(limit.take(), Err(Exceeded { per_minute: 4, wait: Duration::from_secs(5) }));
    clock.advance(Duration::from_secs(5));
    assert_eq!(limit.take().unwrap().remaining, 0);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(limit.take().unwrap().remaining, 3);
    assert!(Limit::new(0).is_none());
}

#[tokio::test]
async fn each_key_has_its_own_rate_or_the_common_one() {
    let store = Arc::new(Memory::default());
    let keyring = keyring(&store, 2);
    let common = keyring.create(new("search")).await.unwrap().text;
    let own = keyring.create(NewKey { rate_per_minute: Some(1), ..new("search") }).await.unwrap().text;
    let free = keyring.create(NewKey { rate_per_minute: Some(0), ..new("search") }).await.unwrap().text;
    let remaining = |text: &str| match keyring.admit(Some(text), Scope::Search) {
        Ok(allowance) => allowance.map(|allowance| allowance.remaining),
        Err(Refusal::TooMany(_)) => Some(u32::MAX),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!([&common, &common, &common].map(|key| remaining(key)), [Some(1), Some(0), Some(u32::MAX)]);
    assert_eq!([&own, &own].map(|key| remaining(key)), [Some(0), Some(u32::MAX)]);
    assert_eq!([&free, &free, &free].map(|key| remaining(key)), [None; 3]);
    // Other keys that come and go leave the buckets as they are.
    keyring.create(new("search")).await.unwrap();
    assert_eq!(remaining(&common), Some(u32::MAX));
}

#[tokio::test]
async fn without_keys_all_callers_share_one_rate() {
    let keyring = Keyring::new(Arc::<Memory>::default(), Policy { rate_per_minute: 1, ..Policy::default() });
    assert!(keyring.restricts());
    assert_eq!(keyring.admit(None, Scope::Admin).unwrap().unwrap().remaining, 0);
    assert!(matches!(keyring.admit(Some("anything"), Scope::Search), Err(Refusal::TooMany(_))));
    let free = Keyring::new(Arc::<Memory>::default(), Policy::default());
    assert!(!free.restricts() && free.is_usable());
    assert_eq!(free.admit(None, Scope::Admin), Ok(None));
}
