//! The template language: reading a template, planning its resources, evaluating its expressions.
//! Must not know: how resources are created or asked for; it names what it needs and is given it.

pub mod budget;
mod cidr;
mod dates;
pub mod eval;
mod functions;
mod hash;
mod ids;
mod invalid;
pub mod json;
mod lambdas;
mod lists;
mod names;
mod order;
mod parameters;
mod plan;
mod reading;
mod resource;
mod scope;
mod strings;
pub mod syntax;
mod values;
mod variables;

pub use budget::{Budget, Held, Spent};
pub use eval::names as function_names;
pub use functions::call as call_function;
pub use hash::hash;
pub use ids::split as split_id;
pub use invalid::Invalid;
pub use json::{Document, Places};
pub use parameters::Parameter;
pub use plan::{Program, Source};
pub use resource::{DEPLOYMENTS, Resource};
pub use scope::{Facts, Known, Need, Stop};
pub use values::{VALUE_LIMIT, clipped, get, take};
