//! Acrite: a local emulator of Azure Container Registry with customer-managed keys in Azure Key Vault.
//! This file only names the rooms; ARCHITECTURE.md says what each may know of the others.

pub mod app;
pub mod builder;
#[cfg(test)]
mod chaos;
pub mod cli;
pub mod domain;
pub mod http;
pub mod net;
pub mod store;
