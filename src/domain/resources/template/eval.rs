//! Evaluates expressions. What only a running cloud can tell (`reference`, `list…`) is not fetched here:
//! evaluation stops and names what it needs, and is asked again once that is known.
//! Must not know: how a template is laid out, what resources are.

use serde_json::{Map, Value, json};

use super::budget::Held;
use super::dates;
use super::functions;
use super::scope::{Known, Need, Scope, Stop, UserFunction, size_of_value};
use super::syntax::{self, Expr, Text};
use super::values::{boolean, find, get, kind, member_of, shown, text};
use crate::domain::world::json::{self, VALUE};

/// Calls and values within each other while evaluating, at most.
const DEPTH_LIMIT: usize = 140;
/// Iterations of one copy loop, at most [docs].
pub const COPY_LIMIT: i64 = 800;

pub(super) type Result<T = Value> = std::result::Result<T, Stop>;

pub(super) fn fail<T>(why: impl Into<String>) -> Result<T> {
    Err(why.into().into())
}

/// One loop that an expression is in: its name and the iteration.
pub type Copy = (String, i64);

/// Makes the GUIDs of `newGuid()`.
pub type Guids<'a> = &'a (dyn Fn() -> String + Sync);

/// One evaluation.
pub struct Eval<'a> {
    pub(super) scope: &'a Scope,
    /// What is known of the cloud; `None` where the cloud may not be asked for.
    pub(super) known: Option<&'a Known>,
    /// Where `newGuid` and `utcNow` are allowed: in defaults of parameters.
    guids: Option<Guids<'a>>,
    /// Leave strings that need the cloud as they are.
    lenient: bool,
    /// What was needed and not known, while lenient.
    pub needs: Vec<Need>,
    pub(super) copies: Vec<Copy>,
    pub(super) locals: Vec<(String, Value)>,
    /// Within a user function: its arguments, which hide the parameters.
    pub(super) arguments: Option<Map<String, Value>>,
    depth: usize,
    /// Memory of all values that are alive: those made so far, and those that they are made of.
    pub(super) held: Held,
}

const SPECIAL: &[&str] = &[
    "and",
    "coalesce",
    "copyIndex",
    "deployer",
    "deployment",
    "environment",
    "extensionResourceId",
    "fail",
    "filter",
    "groupBy",
    "if",
    "lambda",
    "lambdaVariables",
    "list*",
    "managementGroupResourceId",
    "map",
    "mapValues",
    "newGuid",
    "or",
    "parameters",
    "reduce",
    "reference",
    "references",
    "resourceGroup",
    "resourceId",
    "resourceInfo",
    "sort",
    "subscription",
    "subscriptionResourceId",
    "tenant",
    "tenantResourceId",
    "toObject",
    "utcNow",
    "variables",
];

/// The names of all functions, `list*` for `listKeys` and its kin.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mut all: Vec<&str> = SPECIAL.iter().copied().chain(functions::names()).collect();
    all.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    all
}

/// Whether there is such a built-in function, name in any case.
#[must_use]
pub fn is_function(name: &str) -> bool {
    is_list_action(name) || SPECIAL.iter().copied().chain(functions::names()).any(|n| n.eq_ignore_ascii_case(name))
}

/// `list`, `listKeys`, `listCredentials`, …
pub(super) fn is_list_action(name: &str) -> bool {
    let rest = name.get(4..).unwrap_or_default();
    name.get(..4).is_some_and(|n| n.eq_ignore_ascii_case("list")) && rest.chars().all(char::is_alphabetic)
}

impl<'a> Eval<'a> {
    /// Where the cloud may not be asked for: names, conditions, loops, variables.
    #[must_use]
    pub fn early(scope: &'a Scope, copies: &[Copy]) -> Self {
        Self {
            scope,
            known: None,
            guids: None,
            lenient: false,
            needs: Vec::new(),
            copies: copies.to_vec(),
            locals: Vec::new(),
            arguments: None,
            depth: 0,
            held: scope.budget.nothing(),
        }
    }

    /// In defaults of parameters, where `newGuid` and `utcNow` are allowed.
    #[must_use]
    pub fn of_default(scope: &'a Scope, guids: Guids<'a>) -> Self {
        Self { guids: Some(guids), ..Self::early(scope, &[]) }
    }

    /// In bodies and outputs.
    #[must_use]
    pub fn running(scope: &'a Scope, copies: &[Copy], known: &'a Known) -> Self {
        Self { known: Some(known), ..Self::early(scope, copies) }
    }

    /// As [`Eval::running`], but strings that need what is not known stay as they are.
    #[must_use]
    pub fn predicting(scope: &'a Scope, copies: &[Copy], known: &'a Known) -> Self {
        Self { lenient: true, ..Self::running(scope, copies, known) }
    }

    /// Takes the steps of looking at so many bytes.
    pub(super) fn burn(&self, bytes: usize) -> Result<()> {
        Ok(self.scope.budget.step(1 + bytes / 32)?)
    }

    /// Holds more memory.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
        Ok(self.held.more(bytes)?)
    }

    /// Memory held.
    pub(super) fn held(&self) -> usize {
        self.held.bytes()
    }

    /// Goes on with so much memory held: what was made since is gone, but for a value of that size.
    pub(super) fn settle(&mut self, bytes: usize) -> Result<()> {
        Ok(self.held.set(bytes)?)
    }

    /// A copy of a value that lies elsewhere.
    pub(super) fn copy(&mut self, value: &Value) -> Result {
        copied(&mut self.held, value)
    }

    fn deeper(&mut self) -> Result<()> {
        self.burn(0)?;
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return fail(format!("the expressions nest deeper than '{DEPTH_LIMIT}' levels"));
        }
        Ok(())
    }

    /// Evaluates all strings within a value, keys included, and its property loops.
    pub fn value(&mut self, value: &Value) -> Result {
        self.deeper()?;
        let done = match value {
            Value::String(text) => self.string(text)?,
            Value::Array(items) => {
                self.hold(VALUE)?;
                Value::Array(items.iter().map(|item| self.value(item)).collect::<Result<_>>()?)
            }
            Value::Object(map) => {
                self.hold(VALUE)?;
                let mut made = Map::new();
                for (key, item) in map {
                    if key.eq_ignore_ascii_case("copy") && is_copy(item) {
                        for entry in item.as_array().into_iter().flatten() {
                            let (name, items) = self.copy_property(entry)?;
                            self.hold(json::entry(made.len(), &name))?;
                            made.insert(name, items);
                        }
                    } else {
                        let key = self.key(key)?;
                        self.hold(json::entry(made.len(), &key))?;
                        made.insert(key, self.value(item)?);
                    }
                }
                Value::Object(made)
            }
            other => {
                self.hold(VALUE)?;
                other.clone()
            }
        };
        self.depth -= 1;
        if self.depth == 0 {
            // What each expression gives is no deeper than a value may be; in all it may be.
            size_of_value(&done)?;
        }
        Ok(done)
    }

    /// Evaluates the name of a property.
    pub fn key(&mut self, key: &str) -> Result<String> {
        let Text::Expression(_) = syntax::classify(key) else { return Ok(literal(key).to_owned()) };
        match self.string(key)? {
            Value::String(key) => Ok(key),
            other => {
                fail(format!("the property name '{key}' is expected to be a string and is of type '{}'", kind(&other)))
            }
        }
    }

    /// `{"name": …, "count": …, "input": …}`
    fn copy_property(&mut self, entry: &Value) -> Result<(String, Value)> {
        let name = get(entry, "name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = self.value(get(entry, "count").unwrap_or(&Value::Null))?;
        self.copied(&name, &count, get(entry, "input").unwrap_or(&Value::Null)).map(|items| (name, items))
    }

    /// Evaluates `input` once for each iteration of a loop.
    pub fn copied(&mut self, name: &str, count: &Value, input: &Value) -> Result {
        let count = count_of(count)?;
        self.hold(VALUE)?;
        let mut items = Vec::new();
        for index in 0..count {
            self.copies.push((name.to_owned(), index));
            let item = self.value(input);
            self.copies.pop();
            items.push(item?);
        }
        Ok(Value::Array(items))
    }

    /// Evaluates a string: itself, or what its expression comes to.
    pub fn string(&mut self, source: &str) -> Result {
        let Text::Expression(expression) = syntax::classify(source) else {
            self.burn(source.len())?;
            self.hold(VALUE + json::text_size(source.len()))?;
            return Ok(json!(literal(source)));
        };
        // Each character is read several times.
        self.burn(expression.len() * 32)?;
        let tree = syntax::parse(expression)?;
        let (depth, held) = (self.depth, self.held());
        match self.expr(&tree) {
            Err(Stop::Need(need)) if self.lenient => {
                self.depth = depth;
                self.settle(held + need.size() + VALUE + json::text_size(source.len()))?;
                self.needs.push(need);
                Ok(json!(source))
            }
            done => done,
        }
    }

    /// Evaluates a parsed expression. What was made on the way is gone afterwards; only the value is held.
    pub fn expr(&mut self, expr: &Expr) -> Result {
        self.deeper()?;
        let before = self.held();
        let done = match expr {
            Expr::Text(text) => json!(text),
            Expr::Int(number) => json!(number),
            Expr::Member(of, key) => self.member(of, key)?,
            Expr::Call(name, arguments) => self.call(name, arguments)?,
        };
        let size = size_of_value(&done)?;
        self.burn(size)?;
        self.settle(before + size)?;
        self.depth -= 1;
        Ok(done)
    }

    fn member(&mut self, of: &Expr, key: &Expr) -> Result {
        if let Some(place) = self.place(of) {
            let key = self.expr(key)?;
            return match member_of(place, &key) {
                Some(found) => self.copy(found),
                None => no_member(place, &key),
            };
        }
        let (of, key) = (self.expr(of)?, self.expr(key)?);
        match member_of(&of, &key) {
            Some(found) => self.copy(found),
            None => no_member(&of, &key),
        }
    }

    /// The value that an expression names, where it lies: for one member of it not all of it is copied.
    fn place(&self, expr: &Expr) -> Option<&'a Value> {
        match expr {
            Expr::Call(name, arguments) => {
                let [Expr::Text(wanted)] = arguments.as_slice() else { return None };
                let hidden = self.arguments.is_some();
                let scope: &'a Scope = self.scope;
                match name.to_ascii_lowercase().as_str() {
                    "variables" => find(&scope.variables, wanted),
                    "parameters" if !hidden => find(&scope.parameters, wanted),
                    _ => None,
                }
            }
            Expr::Member(of, key) => {
                let key = match &**key {
                    Expr::Text(name) => json!(name),
                    Expr::Int(index) => json!(index),
                    Expr::Call(..) | Expr::Member(..) => return None,
                };
                member_of(self.place(of)?, &key)
            }
            Expr::Text(_) | Expr::Int(_) => None,
        }
    }

    fn all(&mut self, arguments: &[Expr]) -> Result<Vec<Value>> {
        arguments.iter().map(|a| self.expr(a)).collect()
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) -> Result {
        let lower = name.to_ascii_lowercase();
        let counted = |fewest, most| functions::check_count(name, arguments.len(), fewest, most).map_err(Stop::Fail);
        match lower.as_str() {
            "if" => {
                counted(3, 3)?;
                let taken = if boolean(&self.expr(&arguments[0])?)? { 1 } else { 2 };
                self.expr(&arguments[taken])
            }
            "and" | "or" => {
                counted(2, usize::MAX)?;
                for argument in arguments {
                    if boolean(&self.expr(argument)?)? == (lower == "or") {
                        return Ok(json!(lower == "or"));
                    }
                }
                Ok(json!(lower == "and"))
            }
            "coalesce" => {
                counted(1, usize::MAX)?;
                for argument in arguments {
                    let value = self.expr(argument)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            "fail" => {
                counted(1, 1)?;
                let message = self.expr(&arguments[0])?;
                fail(shown(&message)?)
            }
            "filter" | "map" | "mapvalues" | "sort" | "reduce" | "toobject" | "groupby" => {
                self.with_lambda(&lower, name, arguments)
            }
            "lambda" => fail("The template function 'lambda' is not expected at this location"),
            "lambdavariables" => {
                counted(1, 1)?;
                let wanted = self.expr(&arguments[0])?;
                let wanted = text(&wanted)?;
                match self.locals.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(wanted)) {
                    Some((_, value)) => copied(&mut self.held, value),
                    None => fail(format!("The lambda variable '{wanted}' is not found")),
                }
            }
            "newguid" | "utcnow" => self.fresh(&lower, name, arguments),
            _ => {
                if let Some(function) = self.scope.functions.get(&lower) {
                    return self.user_function(name, function, arguments);
                }
                let before = self.held();
                let arguments = self.all(arguments)?;
                let bytes = self.held().saturating_sub(before);
                self.burn(functions::steps(&lower, &arguments, bytes).saturating_mul(32))?;
                self.named(&lower, name, &arguments)
            }
        }
    }

    fn fresh(&mut self, lower: &str, name: &str, arguments: &[Expr]) -> Result {
        let Some(guids) = self.guids else {
            return fail(format!("The template function '{name}' is not expected at this location"));
        };
        let arguments = self.all(arguments)?;
        functions::check_count(name, arguments.len(), 0, usize::from(lower == "utcnow"))?;
        if lower == "newguid" {
            return Ok(json!(guids()));
        }
        let format = arguments.first().map(text).transpose()?;
        Ok(json!(dates::now(self.scope.facts.now, format)?))
    }

    fn user_function(&mut self, name: &str, function: &UserFunction, arguments: &[Expr]) -> Result {
        functions::check_count(name, arguments.len(), function.parameters.len(), function.parameters.len())?;
        let values = self.all(arguments)?;
        let given = function.parameters.iter().cloned().zip(values).collect();
        let before =
            (self.arguments.replace(given), std::mem::take(&mut self.copies), std::mem::take(&mut self.locals));
        let done = self.value(&function.output);
        (self.arguments, self.copies, self.locals) = before;
        done
    }
}

/// The error about a function that does not exist.
#[must_use]
pub fn unknown_function(name: &str) -> String {
    format!("The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for usage details")
}

/// Whether a `copy` property is a list of loops, and no client's property of that name.
fn is_copy(value: &Value) -> bool {
    value.as_array().is_some_and(|entries| {
        !entries.is_empty()
            && entries
                .iter()
                .all(|e| get(e, "name").is_some() && get(e, "count").is_some() && get(e, "input").is_some())
    })
}

/// The count of a loop.
pub fn count_of(count: &Value) -> Result<i64> {
    match count.as_i64() {
        Some(count) if (0..=COPY_LIMIT).contains(&count) => Ok(count),
        Some(count) => fail(format!(
            "The copy count '{count}' must be from '0' to '{COPY_LIMIT}'. Please see https://aka.ms/arm-resource-loops for usage details"
        )),
        None => fail(format!(
            "The copy count must be an integer and is of type '{}'. Please see https://aka.ms/arm-resource-loops for usage details",
            kind(count)
        )),
    }
}

/// The error about a member that is not there.
fn no_member<T>(of: &Value, key: &Value) -> Result<T> {
    match (of, key) {
        (Value::Object(map), Value::String(name)) => {
            // As many as fit into a message.
            let names: Vec<&str> = map.keys().map(String::as_str).take(1000).collect();
            fail(format!(
                "The language expression property '{name}' doesn't exist, available properties are '{}'",
                names.join(", ")
            ))
        }
        (Value::Array(_), Value::Number(index)) => {
            fail(format!("The language expression property array index '{index}' is out of bounds"))
        }
        _ => fail(format!(
            "The language expression property '{}' can't be evaluated: its value is of type '{}'",
            shown(key)?,
            kind(of)
        )),
    }
}

pub(super) fn copied(held: &mut Held, value: &Value) -> Result {
    held.more(size_of_value(value)?)?;
    Ok(value.clone())
}

/// A string that is no expression.
fn literal(source: &str) -> &str {
    match syntax::classify(source) {
        Text::Literal(text) | Text::Expression(text) => text,
    }
}
