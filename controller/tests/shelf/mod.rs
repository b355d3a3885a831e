//! A source, a repository, and `holdfast repo` on them.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

pub const PASSWORD: &str = "correct horse battery staple";

pub struct Shelf {
    dir: tempfile::TempDir,
}

impl Shelf {
    /// With an empty repository.
    pub fn new() -> Self {
        let shelf = Self { dir: tempfile::tempdir().unwrap() };
        shelf.ok(&["init"]);
        shelf
    }

    /// Without any repository.
    pub fn bare() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The path as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path("repository").display())
    }

    /// Writes a file of the source and whatever leads to it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path("source").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The command, with repository and password in its environment.
    pub fn command(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
        command
            .arg("repo")
            .args(args)
            .env("HOLDFAST_REPOSITORY", self.url())
            .env("HOLDFAST_PASSWORD", PASSWORD)
            .env_remove("CLICOLOR_FORCE");
        for name in [
            "HOLDFAST_REPOSITORY_FILE",
            "HOLDFAST_PASSWORD_FILE",
            "HOLDFAST_PASSWORD_COMMAND",
            "HOLDFAST_NEW_PASSWORD",
            "HOLDFAST_NEW_PASSWORD_FILE",
            "HOLDFAST_NEW_PASSWORD_COMMAND",
            "HOLDFAST_EXPECT_REPOSITORY",
            "HOLDFAST_HOST",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a verb and expects the exit code.
    pub fn run(&self, args: &[&str], code: i32) -> Output {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        output
    }

    /// What a verb prints when all is well; nothing may be on standard error.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args, 0);
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a verb that fails says on standard error.
    pub fn fails(&self, args: &[&str], code: i32) -> String {
        String::from_utf8(self.run(args, code).stderr).unwrap()
    }

    /// The lines of JSON that a verb prints.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let text = self.ok(&[args, &["--json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Changes a bit of an object of the repository, wherever its copy lies.
    pub fn flip(&self, key: &str, byte: usize) {
        let path = self.path("repository").join(key);
        let mut bytes = fs::read(&path).unwrap();
        bytes[byte] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    /// The names of the objects in a folder of the repository.
    pub fn objects(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("repository").join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Backs the source up; returns the id of the snapshot.
    pub fn backup(&self, options: &[&str]) -> String {
        let source = self.arg("source");
        let report = self.json(&[&["backup", &source], options].concat());
        report[0]["repositories"][0]["snapshot"]["id"].as_str().unwrap().to_owned()
    }

    /// The ids that `snapshots` lists, oldest first.
    pub fn ids(&self, options: &[&str]) -> Vec<String> {
        let list = self.json(&[&["snapshots"], options].concat());
        let id = |info: &Value| info["id"].as_str().unwrap().to_owned();
        list[0].as_array().unwrap().iter().map(id).collect()
    }
}
