//! Does one job: reads it as JSON from its input and writes the report as JSON to its output.
//!
//! A process of its own, so that it can be an ordinary user's.

use std::error::Error;
use std::io::{stdin, stdout};

use holdfast_executor::job::Job;
use holdfast_executor::report::Quiet;

fn main() -> Result<(), Box<dyn Error>> {
    let job: Job = serde_json::from_reader(stdin())?;
    let report = holdfast_executor::run(&job, &Quiet);
    Ok(serde_json::to_writer(stdout(), &report)?)
}
