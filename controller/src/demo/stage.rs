//! Tells the story: headings, sentences, and commands with their real output.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::show::style::{Style, Tone};

/// Lines of a command's output that the story shows; the rest is said to be there.
const SHOWN_LINES: usize = 24;

/// Where the story is told and played.
pub struct Stage {
    exe: PathBuf,
    style: Style,
    act: std::cell::Cell<u32>,
}

/// What a command of the story printed.
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
}

impl Stage {
    /// A stage on which this very binary plays.
    pub fn new() -> anyhow::Result<Self> {
        let exe = std::env::current_exe().context("where is this program?")?;
        Ok(Self { exe, style: Style::detect(), act: std::cell::Cell::new(0) })
    }

    /// Begins the next act.
    pub fn act(&self, title: &str) {
        self.act.set(self.act.get() + 1);
        let heading = format!("{}. {title}", self.act.get());
        println!("\n{}", self.style.paint(Tone::Strong, &heading));
    }

    /// A sentence of the narrator.
    pub fn say(&self, text: &str) {
        println!("   {text}");
    }

    /// A fact that was checked just now.
    pub fn proven(&self, text: &str) {
        println!("   {} {text}", self.style.paint(Tone::Good, "✓"));
    }

    /// Runs `holdfast ARGS…`, shows it with its output, and expects the exit code.
    ///
    /// # Errors
    /// When it cannot be run or ends otherwise.
    pub fn run(&self, args: &[&str], expect: i32) -> anyhow::Result<Answer> {
        let answer = self.quietly(args)?;
        println!(
            "   {}",
            self.style.paint(Tone::Active, &format!("$ holdfast {}", args.join(" ")))
        );
        let lines: Vec<&str> = answer.out.lines().collect();
        for line in lines.iter().take(SHOWN_LINES) {
            println!("     {line}");
        }
        if lines.len() > SHOWN_LINES {
            println!(
                "     {}",
                self.style.paint(Tone::Dim, &format!("… {} more lines", lines.len() - SHOWN_LINES))
            );
        }
        ensure!(
            answer.code == expect,
            "holdfast {} ended with exit code {}, expected {expect}",
            args.join(" "),
            answer.code
        );
        Ok(answer)
    }

    /// Runs `holdfast ARGS…` and shows nothing.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn quietly(&self, args: &[&str]) -> anyhow::Result<Answer> {
        let mut command = self.command(args);
        if matches!(self.style.paint(Tone::Bad, ""), painted if !painted.is_empty()) {
            command.env("CLICOLOR_FORCE", "1");
        }
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("run holdfast {}", args.join(" ")))?;
        Ok(Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
        })
    }

    /// Starts `holdfast ARGS…` in the background, its output in `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, args: &[&str], log: &Path) -> anyhow::Result<Child> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| log.display().to_string())?;
        writeln!(file, "$ holdfast {}", args.join(" "))?;
        self.command(args)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start holdfast {}", args.join(" ")))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.exe);
        command.args(args).env_remove("HOLDFAST_REPOSITORY").env_remove("HOLDFAST_PASSWORD_FILE");
        command
    }
}
