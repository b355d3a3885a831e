//! Keys that nobody has written down: an identity is asked for them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use holdfast_e2e::gateway::{self, Gateway};
use holdfast_e2e::identity::{Answer, Dialect, Identity, PROOF};
use holdfast_e2e::proxy::Weather;
use holdfast_executor::store::{
    Access, PutOutcome, Retry, SharedStore, Store as _, StoreError, open_url,
};

use crate::bench::Bench;

const DIALECTS: [Dialect; 3] = [Dialect::Container, Dialect::WebIdentity, Dialect::Machine];

fn keys(secret: &str, over: bool) -> Answer {
    let (key, secret) = (gateway::KEY.to_owned(), secret.to_owned());
    Answer::Keys { key, secret, session: String::new(), over }
}

/// A store whose keys come from an identity, and from nothing else.
fn store(url: &str, identity: &Identity, dialect: Dialect) -> SharedStore {
    let more = match dialect {
        Dialect::Container => String::new(),
        Dialect::WebIdentity => format!("&ca-file={}", identity.authority().display()),
        Dialect::Machine => "&credentials=instance".to_owned(),
    };
    open_url(&format!("{url}{more}"), &Access::of(identity.variables())).unwrap()
}

/// What a store answers that is asked once and no more.
fn refused(store: SharedStore) -> String {
    let never = Arc::new(|_: Duration| panic!("what is refused is not asked for again"));
    let error = Retry::patient(store).with_sleep(never).list("").unwrap_err();
    assert!(matches!(error, StoreError::NoIdentity { .. }), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains(PROOF) && !text.contains(gateway::SECRET), "{text}");
    text
}

#[test]
fn an_identity_opens_the_store_and_is_asked_once() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    for dialect in DIALECTS {
        let identity = Identity::start(dialect, keys(gateway::SECRET, false)).unwrap();
        let store = store(&gateway.url(&format!("{dialect:?}")), &identity, dialect);
        assert_eq!(store.put_new("config", b"ours").unwrap(), PutOutcome::Created);
        assert_eq!(store.put_new("config", b"theirs").unwrap(), PutOutcome::Exists);
        assert_eq!(store.get("config", 9).unwrap(), b"ours");
        assert_eq!(store.list("").unwrap().len(), 1);
        assert_eq!(identity.given(), 1, "{dialect:?}");
    }
}

/// The token of a session goes to the server, which has to know it.
#[test]
fn a_session_that_the_server_does_not_know_is_denied() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    let (key, secret) = (gateway::KEY.to_owned(), gateway::SECRET.to_owned());
    let answer = Answer::Keys { key, secret, session: "unknown".to_owned(), over: false };
    for dialect in DIALECTS {
        let identity = Identity::start(dialect, answer.clone()).unwrap();
        let error = store(&gateway.url("p"), &identity, dialect).list("").unwrap_err();
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    }
}

/// A token stands in a variable instead of a file, or there are keys beside an identity that the URL asks for.
#[test]
fn what_the_url_and_the_variables_mean_is_what_is_asked() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    let container = Identity::start(Dialect::Container, keys(gateway::SECRET, false)).unwrap();
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN".to_owned(), PROOF.to_owned());
    let uri = container.variables().into_iter().filter(|(name, _)| name.ends_with("FULL_URI"));
    let access = Access::of(uri.clone().chain([token]));
    assert_eq!(open_url(&gateway.url("p"), &access).unwrap().list("").unwrap(), []);
    let without = open_url(&gateway.url("p"), &Access::of(uri)).unwrap();
    assert!(refused(without).contains("401"));

    let machine = Identity::start(Dialect::Machine, keys(gateway::SECRET, false)).unwrap();
    let wrong = [("AWS_ACCESS_KEY_ID", "wrong"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    let wrong = wrong.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let elsewhere = [("AWS_ENDPOINT_URL_S3".to_owned(), "http://127.0.0.1:1".to_owned())];
    let access = Access::of(machine.variables().into_iter().chain(wrong).chain(elsewhere));
    let url = format!("{}&credentials=instance", gateway.url("p"));
    assert_eq!(open_url(&url, &access).unwrap().list("").unwrap(), []);
}

#[test]
fn who_refuses_or_talks_nonsense_is_named_with_what_to_do() {
    let url = gateway::url("http", gateway::free().unwrap(), "p");
    for (dialect, word) in [
        (Dialect::Container, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        (Dialect::WebIdentity, "AWS_ROLE_ARN"),
        (Dialect::Machine, "role is attached"),
    ] {
        let identity = Identity::start(dialect, Answer::Nonsense).unwrap();
        assert!(refused(store(&url, &identity, dialect)).contains(word));
        for status in [400, 403, 404] {
            identity.set(Answer::Refusal(status));
            let text = refused(store(&url, &identity, dialect));
            assert!(text.contains(word) && text.contains(&status.to_string()), "{text}");
        }
        if dialect != Dialect::Machine {
            identity.set(keys(gateway::SECRET, false));
            fs::write(identity.token_file(), "of somebody else").unwrap();
            assert!(refused(store(&url, &identity, dialect)).contains("401"));
            fs::remove_file(identity.token_file()).unwrap();
            assert!(refused(store(&url, &identity, dialect)).contains("token file"));
        }
    }
}

#[test]
fn an_identity_that_cannot_answer_now_is_asked_again() {
    if !gateway::is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path()).unwrap();
    for dialect in DIALECTS {
        for status in [503, 429] {
            let identity = Arc::new(Identity::start(dialect, Answer::Refusal(status)).unwrap());
            let store = store(&gateway.url("p"), &identity, dialect);
            let error = store.list("").unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
            let healed = identity.clone();
            let heal = move |_: Duration| healed.set(keys(gateway::SECRET, false));
            assert_eq!(Retry::patient(store).with_sleep(Arc::new(heal)).list("").unwrap(), []);
        }
    }
}

/// The keys that a backup began with are dead before it ends.
#[test]
fn keys_that_end_during_a_backup_are_renewed() {
    if !gateway::is_here() {
        return;
    }
    for dialect in DIALECTS {
        let mut bench = Bench::new();
        bench.source(64);
        let identity = Identity::start(dialect, keys(gateway::SECRET, true)).unwrap();
        let (repo, _) = bench.repo_in(store(&bench.url(), &identity, dialect));
        let (job, environment) = (bench.job("s-1"), crate::bench::environment());
        let done = std::thread::scope(|scope| {
            let running =
                scope.spawn(|| holdfast_executor::repo::backup(&repo, &job, &environment));
            while bench.proxy.bytes_up() < 20 << 20 {
                std::thread::sleep(Duration::from_millis(5));
            }
            // What is on its way is lost, so that nobody comes with the old keys to the new server.
            bench.proxy.set(Weather::Cut);
            identity.set(keys("the-next-secret", true));
            std::thread::sleep(Duration::from_millis(500));
            bench.gateway.change_secret("the-next-secret").unwrap();
            bench.proxy.set(Weather::Fair);
            running.join().unwrap()
        });
        bench.is_whole(&repo, &done.unwrap());
    }
}
