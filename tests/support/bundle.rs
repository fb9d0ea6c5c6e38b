//! OCI bundles for runtimes that are called without an engine: the runtime's
//! own `spec`, with our hooks in it as hooks.d would put them there.

use std::fs;

use serde_json::{Value, json};

use super::world::{World, hook_files};

impl World {
    /// Makes the bundle `/srv/NAME` around `/srv/image` and returns its path.
    pub fn bundle(&self, name: &str, annotations: &[(&str, &str)], args: &[&str]) -> String {
        self.bundle_with(name, annotations, args, |_| ())
    }

    /// The same, with a last word on its config.json.
    pub fn bundle_with(
        &self,
        name: &str,
        annotations: &[(&str, &str)],
        args: &[&str],
        edit: impl FnOnce(&mut Value),
    ) -> String {
        let bundle = format!("/srv/{name}");
        self.sh(&format!(
            "mkdir -p {bundle} && cd {bundle} && rm -f config.json && runc spec"
        ))
        .ok();
        let path = self.path(&format!("{bundle}/config.json"));
        let mut spec: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(args);
        spec["root"] = json!({ "path": "/srv/image", "readonly": true });
        spec["annotations"] = annotations
            .iter()
            .map(|(key, value)| (key.to_string(), json!(value)))
            .collect::<Value>();
        spec["hooks"] = hooks();
        edit(&mut spec);
        fs::write(&path, spec.to_string()).unwrap();
        bundle
    }
}

/// The hooks of all hooks.d files, as the `hooks` of a config.json.
pub fn hooks() -> Value {
    let mut hooks = json!({});
    for file in hook_files() {
        let file: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for stage in file["stages"].as_array().unwrap() {
            let list = &mut hooks[stage.as_str().unwrap()];
            if list.is_null() {
                *list = json!([]);
            }
            list.as_array_mut().unwrap().push(file["hook"].clone());
        }
    }
    hooks
}
