//! What the code itself has to say, beside what a verb prints: warnings and errors that no answer has room for. They go
//! to standard error, where `HOLDFAST_LOG` chooses more or less of them.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Chooses what is said, as `RUST_LOG` does elsewhere: `debug`, `holdfast=trace,warn`, `off`.
pub const VARIABLE: &str = "HOLDFAST_LOG";

/// Has everything said from here on. A filter that cannot be understood is told, and counts as none.
pub fn begin() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var(VARIABLE);
    let (filter, problem) = match filter.try_from_env() {
        Ok(filter) => (filter, None),
        Err(error) => {
            let set = std::env::var_os(VARIABLE).is_some_and(|text| !text.is_empty());
            (EnvFilter::new("warn"), set.then(|| error.to_string()))
        }
    };
    let said = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    if let (Ok(()), Some(problem)) = (said, problem) {
        tracing::warn!(
            variable = VARIABLE,
            problem,
            "the filter cannot be understood, warnings are shown"
        );
    }
}
