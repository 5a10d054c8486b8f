//! The integration tests: everything through real sockets and real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod acr_cache;
mod acr_commands;
mod acr_control;
mod acr_quarantine;
mod architecture;
mod arm;
mod at_rest;
mod bounds;
mod cli;
mod cmk_lifecycle;
mod cmk_revocation;
mod conditions;
mod crash;
mod deployments;
mod disabled;
mod entra;
mod framing;
mod graph;
mod harness;
mod keyvault;
mod keyvault_access;
mod keyvault_arm;
mod keyvault_audit;
mod keyvault_table;
mod net;
mod process;
mod readme;
mod recordings;
mod registry;
mod registry_ageing;
mod registry_walk;
mod signals;
mod streams;
mod template_functions;
mod upstream;
