//! To be written.

use std::sync::Arc;

use axum::response::Response;

use super::call::Call;
use crate::app::App;

/// Answers a call.
pub async fn answer(_app: Arc<App>, _call: Call) -> Response {
    Response::default()
}
