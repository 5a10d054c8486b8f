//! The integration tests: everything through real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod architecture;
mod cmk_lifecycle;
mod cmk_revocation;
mod harness;
mod net;
