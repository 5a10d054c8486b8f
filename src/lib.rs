//! Acrite: a local emulator of Azure Container Registry with customer-managed keys, Key Vault, ARM and Entra ID.

pub mod cli;
pub mod net;
