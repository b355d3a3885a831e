//! Progress of a long verb: a bar on a terminal, nothing otherwise.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(120);

/// While nobody knows how much there is.
const OPEN: &str = "{spinner:.cyan} {prefix} [{elapsed}] {wide_msg}";

/// While something is moved of which there is so much.
const MEASURED: &str = "{spinner:.cyan} {prefix} {percent:>3}% {bytes} of {total_bytes}, {bytes_per_sec}, \
                        {eta} left [{elapsed}] {wide_msg}";

/// A bar that exists only when somebody sees it.
pub fn bar(verb: &str, quiet: bool) -> ProgressBar {
    // A dumb terminal cannot take a line back.
    let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    if quiet || dumb || !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new_spinner();
    style(&bar, OPEN);
    bar.set_prefix(verb.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// Shows share, rate and time left, once it is known how many bytes there are.
pub fn measure(bar: &ProgressBar, done: u64, total: u64) {
    if total == 0 {
        return;
    }
    if bar.length().is_none() {
        style(bar, MEASURED);
    }
    // The walk goes on finding more while the first files are read.
    bar.set_length(total.max(done));
    bar.set_position(done);
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_can_be_drawn() {
        for template in [OPEN, MEASURED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn the_end_is_never_before_the_position() {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        measure(&bar, 0, 0);
        assert_eq!(bar.length(), None);
        measure(&bar, 7, 5);
        assert_eq!((bar.position(), bar.length()), (7, Some(7)));
    }
}
