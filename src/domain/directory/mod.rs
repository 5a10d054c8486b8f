//! Principals: identities, applications, what they sign in with, and tokens.
//! Must not know: what a principal may do.

pub mod applications;
pub mod certificate;
pub mod deleted;
pub mod identity;
pub mod token;
