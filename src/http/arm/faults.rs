//! Which operation of resource management a call is, as rules for faults name it: by its action.
//! Must not know: any resource type.

use axum::http::Method;

use super::Arm;
use crate::app::faults;
use crate::domain::Result;
use crate::domain::fault::{Service, Touch};

/// Meets the fault that a test asked for this operation, if it did.
pub(super) async fn meet(arm: &mut Arm) -> Result<()> {
    if !arm.app.faults().any(Service::Arm) {
        return Ok(());
    }
    let operation = action(&arm.method, &arm.segments);
    let named = |kind: &str| {
        let at = arm.lower.iter().position(|segment| segment == kind);
        at.and_then(|at| arm.segments.get(at + 1)).map(String::as_str).unwrap_or_default()
    };
    let (vault, registry, key) = (named("vaults"), named("registries"), named("keys"));
    let (operations, callers) = ([operation.as_str()], faults::names(&arm.caller));
    let touch = Touch { vault, registry, key, callers: &callers, ..Touch::of(Service::Arm, &operations) };
    faults::meet(&arm.app, &arm.call.fate, &touch).await
}

/// `{provider}/{types}/{verb}`, as roles name it.
fn action(method: &Method, segments: &[String]) -> String {
    let at = segments.iter().rposition(|s| s.eq_ignore_ascii_case("providers")).filter(|at| at + 1 < segments.len());
    let (mut name, rest) = match at {
        Some(at) => (segments[at + 1].clone(), &segments[at + 2..]),
        None => ("Microsoft.Resources".to_owned(), segments),
    };
    let word = (method == Method::POST && rest.len() % 2 == 1).then(|| rest.len() - 1);
    for kind in rest[..word.unwrap_or(rest.len())].iter().step_by(2) {
        name = format!("{name}/{kind}");
    }
    let verb = match (method, word) {
        (_, Some(word)) => format!("{}/action", rest[word]),
        (&Method::GET | &Method::HEAD, _) => "read".to_owned(),
        (&Method::DELETE, _) => "delete".to_owned(),
        (&Method::POST, _) => "action".to_owned(),
        _ => "write".to_owned(),
    };
    format!("{name}/{verb}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_those_of_roles() {
        let registry = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries";
        for (method, path, name) in [
            (Method::PUT, format!("{registry}/r"), "Microsoft.ContainerRegistry/registries/write"),
            (Method::GET, registry.to_owned(), "Microsoft.ContainerRegistry/registries/read"),
            (
                Method::PATCH,
                format!("{registry}/r/webhooks/w"),
                "Microsoft.ContainerRegistry/registries/webhooks/write",
            ),
            (
                Method::POST,
                format!("{registry}/r/listCredentials"),
                "Microsoft.ContainerRegistry/registries/listCredentials/action",
            ),
            (
                Method::DELETE,
                "/subscriptions/s/resourceGroups/g".to_owned(),
                "Microsoft.Resources/subscriptions/resourceGroups/delete",
            ),
            (Method::GET, "/subscriptions".to_owned(), "Microsoft.Resources/subscriptions/read"),
            (
                Method::PUT,
                format!("{registry}/r/providers/Microsoft.Authorization/roleAssignments/a"),
                "Microsoft.Authorization/roleAssignments/write",
            ),
        ] {
            let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
            assert_eq!(action(&method, &segments), name);
        }
    }
}
