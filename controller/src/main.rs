//! The one binary.

fn main() -> std::process::ExitCode {
    holdfast::run()
}
