//! The template language: reading a template, planning its resources, evaluating its expressions.
//! Must not know: how resources are created or asked for; it names what it needs and is given it.

mod cidr;
mod dates;
pub mod eval;
mod functions;
mod ids;
pub mod json;
mod parameters;
mod plan;
pub mod syntax;

pub use eval::{Facts, Known, Need, Stop, get, names as function_names};
pub use functions::hash;
pub use ids::split as split_id;
pub use json::{Document, Places};
pub use parameters::Parameter;
pub use plan::{DEPLOYMENTS, Invalid, Program, Resource, Source};
