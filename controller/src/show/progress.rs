//! Progress of a long verb: a bar on a terminal, nothing otherwise.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(120);

/// A bar that exists only when somebody sees it.
pub fn bar(verb: &str, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix} {msg} [{elapsed}]") {
        bar.set_style(style);
    }
    bar.set_prefix(verb.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
