# `just` lists what there is. CI is `.ci/run`, with or without just.

_default:
    @just --list --unsorted

# Everything that CI runs, in its order
ci:
    .ci/run

# Single steps of it: `just step fmt tidy`
step +names:
    .ci/run {{ names }}

# What to run before every commit
quick:
    cargo fmt --all
    cargo run --quiet --package tidy
    cargo clippy --workspace --all-targets -- -D warnings

# Each package by itself, so that none leans on features that another one switches on
alone:
    .ci/run alone

# A long run of the properties; a failing seed stays in the tree
properties cases="100000":
    PROPTEST_CASES={{ cases }} cargo test --release --package holdfast-engine --package holdfast-eventlog --package holdfast-executor

# The fault table of the executor with its counts so many times larger; `just soak 10` makes the million names
soak times="50":
    HOLDFAST_SOAK={{ times }} PROPTEST_CASES=20000 cargo test --release --package holdfast-executor

# Every parser of the format, fed by libFuzzer for so many seconds each
fuzz seconds="600":
    executor/fuzz/run {{ seconds }}

# Each stage of the data path and of the log
bench *args:
    cargo bench --package holdfast-benches -- {{ args }}

# The whole story on a temporary directory
demo:
    cargo run --release -- demo
