//! The control API and its own description agree: what is described is answered, what is not is refused.
//! `tests/clients/suites/control-api.sh` holds one against the other call by call.

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::faults::control;
use crate::harness::World;

#[tokio::test]
async fn what_is_described_is_answered_and_what_is_not_is_refused() {
    let world = World::new();
    let (status, described) = control(&world, Method::GET, "openapi.json", Value::Null).await;
    assert_eq!((status, &described["openapi"]), (StatusCode::OK, &Value::from("3.0.3")));
    let paths = described["paths"].as_object().unwrap();
    assert!(paths.len() > 10, "{} paths", paths.len());
    let client = Client::builder().no_proxy().build().unwrap();
    for (path, methods) in paths {
        // A name that is not there is refused, and not unknown as a path.
        let url = format!("{}{}", world.url, path.replace("{name}", "none").replace("{id}", "1"));
        if methods["get"].is_object() && !path.contains('{') {
            assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK, "{path}");
        }
        let refused = client.put(&url).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = refused.headers()["allow"].to_str().unwrap().to_ascii_lowercase();
        let described: Vec<&str> = methods.as_object().unwrap().keys().map(String::as_str).collect();
        let mut allowed: Vec<&str> = allowed.split(", ").collect();
        allowed.sort_unstable();
        let mut expected = described.clone();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{path}");
    }
    for wrong in ["audit?after=-1", "audit?after=x", "audit?wait=maybe"] {
        assert_eq!(control(&world, Method::GET, wrong, Value::Null).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
