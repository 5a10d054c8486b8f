//! Content that comes from other registries: by cache rules and by imports.
//! Must not know: how content is kept.

pub mod cache_rules;
pub mod imports;
pub mod pull_through;
pub mod sources;
pub mod upstream;
