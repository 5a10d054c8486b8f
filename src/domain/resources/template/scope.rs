//! What an evaluation knows: names and what they mean, facts about where a template is deployed, and what the running
//! cloud has answered.
//! Must not know: how an expression is evaluated.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::budget::{Budget, Held, Spent};
use super::values::clipped;
use crate::domain::world::json;

/// What a running cloud has to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Need {
    /// `listKeys` and its kin; `None` for `reference`.
    pub action: Option<String>,
    /// The resource's id.
    pub id: String,
    pub api_version: String,
    /// The body of a list action, as JSON.
    pub input: Option<String>,
}

impl Need {
    /// What it takes in memory.
    pub(super) fn size(&self) -> usize {
        let texts = [self.action.as_ref(), Some(&self.id), Some(&self.api_version), self.input.as_ref()];
        size_of::<Self>() + texts.into_iter().flatten().map(|t| json::text_size(t.len())).sum::<usize>()
    }
}

/// What the cloud answered so far: for `reference` the whole resource.
#[derive(Debug)]
pub struct Known {
    answers: HashMap<Need, Value>,
    held: Held,
}

impl Known {
    /// Nothing yet.
    #[must_use]
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self { answers: HashMap::new(), held: budget.nothing() }
    }

    /// Adds an answer.
    pub fn add(&mut self, need: Need, answer: Value) -> Result<(), Stop> {
        self.held.more(need.size() + json::size(&answer).ok_or(Spent)?)?;
        self.answers.insert(need, answer);
        Ok(())
    }

    /// An answer.
    #[must_use]
    pub fn get(&self, need: &Need) -> Option<&Value> {
        self.answers.get(need)
    }
}

/// Why an evaluation did not come to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It needs this first.
    Need(Need),
    /// It is wrong. A sentence without its full stop.
    Fail(String),
}

impl Stop {
    /// Why, in words.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::Fail(why) => why,
            Self::Need(need) => format!("the state of '{}' is not expected at this location", need.id),
        }
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Fail(clipped(why))
    }
}

impl From<Spent> for Stop {
    fn from(_: Spent) -> Self {
        Self::Fail("the template's expressions are too large to evaluate".to_owned())
    }
}

/// What the scope functions tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// `subscription()`.
    pub subscription: Value,
    /// `resourceGroup()`; null at subscription scope.
    pub group: Value,
    /// `tenant()`.
    pub tenant: Value,
    /// `deployment()`, less the two that follow.
    pub deployment: Value,
    /// `deployment().properties.template`, as text: it is large and rarely asked for.
    pub template: Option<Arc<str>>,
    /// `deployment().properties.parameters`, as text.
    pub parameters: Option<Arc<str>>,
    /// `environment()`.
    pub environment: Value,
    /// `deployer()`.
    pub deployer: Value,
    /// `utcNow()`, in microseconds since 1970.
    pub now: i64,
}

/// A function that the template defines.
#[derive(Debug, Clone, PartialEq)]
pub struct UserFunction {
    /// Names of its parameters, in order.
    pub parameters: Vec<String>,
    /// Its value, an expression over them.
    pub output: Value,
}

/// A resource that `reference` can name without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub id: String,
    /// The api-version the template gives.
    pub api_version: String,
}

/// What names mean in a template.
#[derive(Debug)]
pub struct Scope {
    pub parameters: Map<String, Value>,
    pub variables: Map<String, Value>,
    /// Functions by `namespace.name`, lower case.
    pub functions: HashMap<String, UserFunction>,
    /// Resources by name, symbolic name and id, lower case.
    pub resources: HashMap<String, Target>,
    /// Symbolic names of resource loops, lower case, with their resources.
    pub loops: HashMap<String, Vec<Target>>,
    /// What the scope functions tell.
    pub facts: Facts,
    /// What the request may still use.
    pub budget: Arc<Budget>,
    /// What the names' values hold of it.
    pub held: Held,
}

impl Scope {
    /// A scope in which nothing is named yet.
    #[must_use]
    pub fn new(facts: Facts, budget: &Arc<Budget>) -> Self {
        Self {
            parameters: Map::new(),
            variables: Map::new(),
            functions: HashMap::new(),
            resources: HashMap::new(),
            loops: HashMap::new(),
            facts,
            budget: budget.clone(),
            held: budget.nothing(),
        }
    }

    /// Gives a parameter its value.
    pub fn set_parameter(&mut self, name: String, value: Value) -> Result<(), Stop> {
        self.held.more(size_of_value(&value)? + json::entry(self.parameters.len(), &name))?;
        self.parameters.insert(name, value);
        Ok(())
    }

    /// Gives a variable its value.
    pub fn set_variable(&mut self, name: String, value: Value) -> Result<(), Stop> {
        self.held.more(size_of_value(&value)? + json::entry(self.variables.len(), &name))?;
        self.variables.insert(name, value);
        Ok(())
    }
}

/// What a value takes in memory; refused where it nests too deep.
pub(super) fn size_of_value(value: &Value) -> Result<usize, Stop> {
    json::size(value).ok_or_else(|| Stop::Fail(format!("the result nests deeper than '{}' levels", json::DEPTH_LIMIT)))
}
