//! Pods as the API server has them, by way of a proxy that listens on a Unix
//! socket: what it is asked, and a pod's service account, which no runtime knows.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::nri::message::PodSandbox;
use crate::sys::unix_http::{HttpError, get};

/// What the mirror of a static pod has: the uid that the kubelet and its runtime know
/// that pod by. The mirror has one of its own.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// A runtime waits for two seconds, and the pod is still to be attached.
const TIME: Duration = Duration::from_millis(500);

/// Why a pod's account is not known.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Its names would be no words of a request.
    #[error("its names are none of Kubernetes'")]
    Names,
    /// Nobody was reached, or the pod is not there.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// What came is no pod.
    #[error("the answer is no pod: {0}")]
    Json(#[from] serde_json::Error),
    /// Another pod has its name by now.
    #[error("the API server knows another pod of that name")]
    Another,
    /// A static pod runs as nobody.
    #[error("a static pod has no service account")]
    Static,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Value,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    service_account_name: Option<String>,
}

/// The path of a pod; `None` where its names are none of Kubernetes'.
pub fn target_of(pod: &PodSandbox) -> Option<String> {
    let is_name = |text: &String| {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        !text.is_empty() && text.len() <= 253 && text.bytes().all(is_fine)
    };
    let PodSandbox {
        namespace,
        name,
        uid,
        ..
    } = pod;
    let is_fine = [namespace, name, uid].into_iter().all(is_name);
    is_fine.then(|| format!("/api/v1/namespaces/{namespace}/pods/{name}"))
}

/// Whether what the API server says is of the pod that a runtime knows by `uid`.
pub fn is_of(metadata: &Value, uid: &str) -> bool {
    metadata["uid"] == uid || is_mirror_of(metadata, uid)
}

fn is_mirror_of(metadata: &Value, uid: &str) -> bool {
    let mirrored = metadata.get("annotations").and_then(|all| all.get(MIRROR));
    mirrored.is_some_and(|mirrored| mirrored == uid)
}

/// The service account of the pod with this uid, from who listens at `proxy`.
pub fn account_of(pod: &PodSandbox, proxy: &Path, deadline: Deadline) -> Result<String, ApiError> {
    let target = target_of(pod).ok_or(ApiError::Names)?;
    let answer = get(proxy, &target, deadline.sooner(TIME))?;
    let known: Pod = serde_json::from_slice(&answer)?;
    // A mirror is said to run as whoever makes mirrors likes: nobody has proved it.
    if is_mirror_of(&known.metadata, &pod.uid) {
        return Err(ApiError::Static);
    }
    match is_of(&known.metadata, &pod.uid) {
        true => known.spec.service_account_name.ok_or(ApiError::Static),
        false => Err(ApiError::Another),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_none_become_no_request() {
        let of = |name: &str| {
            target_of(&PodSandbox {
                name: name.to_owned(),
                namespace: "shop".to_owned(),
                uid: "1".to_owned(),
                ..PodSandbox::default()
            })
        };
        for name in ["", "a/b", "a b", "a\r\nb", "../x"] {
            assert_eq!(of(name), None, "{name:?}");
        }
        let target = "/api/v1/namespaces/shop/pods/web-0";
        assert_eq!(of("web-0").as_deref(), Some(target));
    }
}
