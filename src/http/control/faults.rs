//! `/acrite/v1/faults`: rules for faults are added, listed and cleared.
//! Must not know: how a fault is carried out.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::shapes::Faults;

use crate::app::App;
use crate::domain::error::RequestError;
use crate::domain::fault::{Counted, Rule};
use crate::domain::{Error, Result};
use crate::http::call::Call;

/// Answers a call; `rest` is the path after `faults`.
pub(super) async fn answer(app: &Arc<App>, call: &mut Call, rest: &[&str]) -> Result<Value> {
    match (rest, call.method.clone()) {
        ([], Method::GET) => Ok(shown(&app.faults().list())),
        ([], Method::POST) => {
            let rule: Rule = serde_json::from_value(call.json().await?).map_err(|error| wrong(&error.to_string()))?;
            let added = app.faults().add(rule).map_err(|why| wrong(&why))?;
            serde_json::to_value(added).map_err(Error::internal)
        }
        ([], Method::DELETE) => Ok(shown(&app.faults().clear(None))),
        ([id], Method::DELETE) => {
            let id = id.parse().map_err(|_| RequestError::RouteUnknown(call.path.clone()))?;
            let gone = app.faults().clear(Some(id));
            if gone.is_empty() { Err(RequestError::RouteUnknown(call.path.clone()).into()) } else { Ok(shown(&gone)) }
        }
        _ => Err(RequestError::MethodNotAllowed { method: call.method.to_string(), path: call.path.clone() }.into()),
    }
}

fn shown(rules: &[Counted]) -> Value {
    json!(Faults { faults: rules.to_vec() })
}

fn wrong(why: &str) -> Error {
    RequestError::InvalidValue { property: "fault".to_owned(), message: why.to_owned() }.into()
}
