//! A job that runs one verb of the product, the way the product is meant to run.

use serde_json::{Value, json};

use super::{Namespace, image};

/// The name of the secret that each job gets its variables from.
const SECRET: &str = "repository";

/// One verb on one repository.
#[derive(Clone)]
pub struct Product {
    url: String,
    volume: Option<(String, bool)>,
    node: Option<String>,
    memory: Option<String>,
    secret: String,
}

impl Product {
    /// Verbs on the repository at a URL.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            volume: None,
            node: None,
            memory: None,
            secret: SECRET.to_owned(),
        }
    }

    /// With a claim mounted at `/data`, whose name is the host: the job's pod has another one each time.
    #[must_use]
    pub fn volume(mut self, claim: &str, read_only: bool) -> Self {
        self.volume = Some((claim.to_owned(), read_only));
        self
    }

    /// On this node: a volume that one node has is no use on another.
    #[must_use]
    pub fn node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// With so much memory at most.
    #[must_use]
    pub fn memory(mut self, limit: &str) -> Self {
        self.memory = Some(limit.to_owned());
        self
    }

    /// With the variables of another secret.
    #[must_use]
    pub fn secret(mut self, name: &str) -> Self {
        name.clone_into(&mut self.secret);
        self
    }

    /// Makes the secret: a password, and who may use the server.
    pub fn grant(space: &Namespace, name: &str, key: &str, secret: &str) {
        space.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
            "stringData": {
                "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
                "HOLDFAST_PASSWORD": "the password of a scenario",
            },
        }));
    }

    /// The same under the name that jobs look for unless told otherwise.
    pub fn grant_all(space: &Namespace, key: &str, secret: &str) {
        Self::grant(space, SECRET, key, secret);
    }

    /// The job. It runs as root, since it keeps owners, with a root file system that nobody can write to.
    #[must_use]
    pub fn job(&self, name: &str, verb: &[&str]) -> Value {
        let args = [&["repo", "--url", &self.url, "--json"], verb].concat();
        let mut main = json!({
            "name": "holdfast", "image": image("holdfast"), "args": args,
            "envFrom": [{ "secretRef": { "name": self.secret } }],
            "securityContext": { "runAsUser": 0, "readOnlyRootFilesystem": true },
        });
        let mut spec = json!({ "restartPolicy": "Never", "automountServiceAccountToken": false });
        if let Some(limit) = &self.memory {
            main["resources"] =
                json!({ "limits": { "memory": limit }, "requests": { "memory": limit } });
        }
        if let Some((claim, read_only)) = &self.volume {
            main["env"] = json!([{ "name": "HOLDFAST_HOST", "value": claim }]);
            main["volumeMounts"] =
                json!([{ "name": "data", "mountPath": "/data", "readOnly": read_only }]);
            let source = json!({ "claimName": claim, "readOnly": read_only });
            spec["volumes"] = json!([{ "name": "data", "persistentVolumeClaim": source }]);
        }
        if let Some(node) = &self.node {
            spec["nodeSelector"] = json!({ "kubernetes.io/hostname": node });
        }
        spec["containers"] = json!([main]);
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name },
            "spec": { "backoffLimit": 0, "template": { "spec": spec } },
        })
    }

    /// Runs a verb to its success, and gives its report.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, space: &Namespace, name: &str, verb: &[&str]) -> Value {
        space.apply(&self.job(name, verb));
        let ended = space.ended(name);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        ended.report()
    }
}
