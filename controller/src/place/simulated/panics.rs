//! Panics: those that the weather makes are silent, all others are kept, so that a run that swallowed one fails.

use std::cell::RefCell;
use std::sync::Once;

/// How a panic of the weather begins.
pub(super) const WEATHER: &str = "the weather breaks it off";

thread_local! {
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Keeps panics of this thread from now on; those of tasks, too, since they run on it.
pub(super) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_weather =
                panic.payload().downcast_ref::<&str>().is_some_and(|text| *text == WEATHER);
            let kept = SEEN.with_borrow_mut(|seen| match seen {
                Some(_) if is_weather => true,
                Some(seen) => {
                    seen.push(panic.to_string());
                    true
                }
                None => false,
            });
            if !kept {
                before(panic);
            }
        }));
    });
    SEEN.set(Some(Vec::new()));
}

/// What was kept; from now on panics of this thread are anybody's again.
pub(super) fn seen() -> Vec<String> {
    SEEN.take().unwrap_or_default()
}
