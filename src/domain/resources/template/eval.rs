//! Evaluates expressions. What only a running cloud can tell (`reference`, `list…`) is not fetched here:
//! evaluation stops and names what it needs, and is asked again once that is known.
//! Must not know: how a template is laid out, what resources are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Map, Value, json};

use super::functions::{self, boolean, int, kind, list, member_of, object, put, shown, text};
use super::syntax::{self, Expr, Text};
use super::{dates, ids};

/// Calls and values within each other while evaluating, at most.
const DEPTH_LIMIT: usize = 140;
/// Work of all expressions of one deployment, in values touched.
const FUEL: i64 = 20_000_000;
/// Iterations of one copy loop, at most [docs].
pub const COPY_LIMIT: i64 = 800;

/// What a running cloud has to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Need {
    /// `listKeys` and its kin; `None` for `reference`.
    pub action: Option<String>,
    /// The resource's id.
    pub id: String,
    /// With which api-version.
    pub api_version: String,
    /// The body of a list action, as JSON.
    pub input: Option<String>,
}

/// What the cloud answered so far: for `reference` the whole resource.
pub type Known = HashMap<Need, Value>;

/// Why an evaluation did not come to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It needs this first.
    Need(Need),
    /// It is wrong. A sentence without its full stop.
    Fail(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Fail(why)
    }
}

type Result<T = Value> = std::result::Result<T, Stop>;

fn fail<T>(why: impl Into<String>) -> Result<T> {
    Err(Stop::Fail(why.into()))
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
    /// `deployment()`.
    pub deployment: Value,
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
    /// Its id.
    pub id: String,
    /// The api-version the template gives.
    pub api_version: String,
}

/// What names mean in a template.
#[derive(Debug)]
pub struct Scope {
    /// Values of the parameters.
    pub parameters: Map<String, Value>,
    /// Values of the variables.
    pub variables: Map<String, Value>,
    /// Functions by `namespace.name`, lower case.
    pub functions: HashMap<String, UserFunction>,
    /// Resources by name, symbolic name and id, lower case.
    pub resources: HashMap<String, Target>,
    /// Symbolic names of resource loops, lower case, with their resources.
    pub loops: HashMap<String, Vec<Target>>,
    /// What the scope functions tell.
    pub facts: Facts,
    fuel: AtomicI64,
}

impl Scope {
    /// A scope in which nothing is named yet.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            parameters: Map::new(),
            variables: Map::new(),
            functions: HashMap::new(),
            resources: HashMap::new(),
            loops: HashMap::new(),
            facts,
            fuel: AtomicI64::new(FUEL),
        }
    }
}

/// One loop that an expression is in: its name and the iteration.
pub type Copy = (String, i64);

/// Makes the GUIDs of `newGuid()`.
pub type Guids<'a> = &'a (dyn Fn() -> String + Sync);

/// One evaluation.
pub struct Eval<'a> {
    scope: &'a Scope,
    /// What is known of the cloud; `None` where the cloud may not be asked for.
    known: Option<&'a Known>,
    /// Where `newGuid` and `utcNow` are allowed: in defaults of parameters.
    guids: Option<Guids<'a>>,
    /// Leave strings that need the cloud as they are.
    lenient: bool,
    /// What was needed and not known, while lenient.
    pub needs: Vec<Need>,
    copies: Vec<Copy>,
    locals: Vec<(String, Value)>,
    /// Within a user function: its arguments, which hide the parameters.
    arguments: Option<Map<String, Value>>,
    depth: usize,
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
fn is_list_action(name: &str) -> bool {
    let rest = name.get(4..).unwrap_or_default();
    name.get(..4).is_some_and(|n| n.eq_ignore_ascii_case("list")) && rest.chars().all(char::is_alphabetic)
}

fn weight(value: &Value) -> i64 {
    match value {
        Value::String(text) => 1 + i64::try_from(text.len() / 32).unwrap_or(i64::MAX / 2),
        Value::Array(items) => items.iter().fold(1, |sum, item| sum.saturating_add(weight(item))),
        Value::Object(map) => map.values().fold(1, |sum, item| sum.saturating_add(1 + weight(item))),
        _ => 1,
    }
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

    fn burn(&self, work: i64) -> Result<()> {
        if self.scope.fuel.fetch_sub(work, Ordering::Relaxed) < work {
            return fail("the template's expressions are too large to evaluate");
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<()> {
        self.burn(1)?;
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
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect::<Result<_>>()?),
            Value::Object(map) => {
                let mut made = Map::new();
                for (key, item) in map {
                    if key.eq_ignore_ascii_case("copy") && is_copy(item) {
                        for entry in item.as_array().into_iter().flatten() {
                            let (name, items) = self.copy_property(entry)?;
                            made.insert(name, items);
                        }
                    } else {
                        made.insert(self.key(key)?, self.value(item)?);
                    }
                }
                Value::Object(made)
            }
            other => other.clone(),
        };
        self.depth -= 1;
        Ok(done)
    }

    /// Evaluates the name of a property.
    pub fn key(&mut self, key: &str) -> Result<String> {
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
        let count = get(entry, "count").cloned().unwrap_or_default();
        let count = self.value(&count)?;
        let input = get(entry, "input").cloned().unwrap_or_default();
        self.copied(&name, &count, &input).map(|items| (name, items))
    }

    /// Evaluates `input` once for each iteration of a loop.
    pub fn copied(&mut self, name: &str, count: &Value, input: &Value) -> Result {
        let count = count_of(count)?;
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
        match syntax::classify(source) {
            Text::Literal(text) => Ok(json!(text)),
            Text::Expression(expression) => {
                self.burn(i64::try_from(expression.len()).unwrap_or(i64::MAX))?;
                let tree = syntax::parse(expression)?;
                let depth = self.depth;
                match self.expr(&tree) {
                    Err(Stop::Need(need)) if self.lenient => {
                        self.needs.push(need);
                        self.depth = depth;
                        Ok(json!(source))
                    }
                    done => done,
                }
            }
        }
    }

    /// Evaluates a parsed expression.
    pub fn expr(&mut self, expr: &Expr) -> Result {
        self.deeper()?;
        let done = match expr {
            Expr::Text(text) => json!(text),
            Expr::Int(number) => json!(number),
            Expr::Member(of, key) => {
                let (of, key) = (self.expr(of)?, self.expr(key)?);
                member(&of, &key)?
            }
            Expr::Call(name, arguments) => self.call(name, arguments)?,
        };
        self.burn(weight(&done))?;
        self.depth -= 1;
        Ok(done)
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
                fail(shown(&message))
            }
            "filter" | "map" | "mapvalues" | "sort" | "reduce" | "toobject" | "groupby" => {
                self.with_lambda(&lower, name, arguments)
            }
            "lambda" => fail("The template function 'lambda' is not expected at this location"),
            "lambdavariables" => {
                counted(1, 1)?;
                let wanted = self.expr(&arguments[0])?;
                let wanted = text(&wanted)?;
                let found = self.locals.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(wanted));
                found.map_or_else(
                    || fail(format!("The lambda variable '{wanted}' is not found")),
                    |(_, v)| Ok(v.clone()),
                )
            }
            "newguid" | "utcnow" => self.fresh(&lower, name, arguments),
            _ => {
                if let Some(function) = self.scope.functions.get(&lower) {
                    return self.user_function(name, function, arguments);
                }
                let arguments = self.all(arguments)?;
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

    /// Functions over names and facts; the rest follow from their arguments alone.
    fn named(&mut self, lower: &str, name: &str, a: &[Value]) -> Result {
        let counted = |fewest, most| functions::check_count(name, a.len(), fewest, most).map_err(Stop::Fail);
        let facts = &self.scope.facts;
        let fact = |fact: &Value| {
            counted(0, 0)?;
            if fact.is_null() {
                return fail(format!("The template function '{name}' is not expected at this location"));
            }
            Ok(fact.clone())
        };
        match lower {
            "parameters" => {
                counted(1, 1)?;
                let wanted = text(&a[0])?;
                let from = self.arguments.as_ref().unwrap_or(&self.scope.parameters);
                from.get(wanted).or_else(|| find(from, wanted)).cloned().ok_or_else(|| {
                    Stop::Fail(format!(
                        "The template parameter '{wanted}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details"
                    ))
                })
            }
            "variables" => {
                counted(1, 1)?;
                let wanted = text(&a[0])?;
                let from = &self.scope.variables;
                from.get(wanted).or_else(|| find(from, wanted)).cloned().ok_or_else(|| {
                    Stop::Fail(format!(
                        "The template variable '{wanted}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details"
                    ))
                })
            }
            "copyindex" => {
                counted(0, 2)?;
                self.copy_index(a)
            }
            "subscription" => fact(&facts.subscription),
            "resourcegroup" => fact(&facts.group),
            "tenant" => fact(&facts.tenant),
            "deployment" => fact(&facts.deployment),
            "environment" => fact(&facts.environment),
            "deployer" => fact(&facts.deployer),
            "resourceid" => Ok(json!(ids::resource_id(a, facts.group["name"].as_str())?)),
            "subscriptionresourceid" => Ok(json!(ids::subscription_resource_id(a)?)),
            "tenantresourceid" => Ok(json!(ids::tenant_resource_id(a)?)),
            "managementgroupresourceid" => Ok(json!(ids::management_group_resource_id(a)?)),
            "extensionresourceid" => Ok(json!(ids::extension_resource_id(a)?)),
            "resourceinfo" => {
                counted(1, 1)?;
                let target = self.target(text(&a[0])?, None)?;
                let (kind, name) = ids::split(&target.id).unwrap_or_default();
                Ok(json!({"id": target.id, "type": kind, "name": name, "apiVersion": target.api_version}))
            }
            "reference" => {
                counted(1, 3)?;
                let target = self.target(text(&a[0])?, a.get(1).and_then(Value::as_str))?;
                let full = a.get(2).and_then(Value::as_str).is_some_and(|f| f.eq_ignore_ascii_case("full"));
                self.refer(target, full)
            }
            "references" => {
                counted(1, 2)?;
                let wanted = text(&a[0])?;
                let targets = self.scope.loops.get(&wanted.to_ascii_lowercase()).cloned();
                let Some(targets) = targets else {
                    return fail(format!("The resource loop '{wanted}' is not defined in the template"));
                };
                let full = a.get(1).and_then(Value::as_str).is_some_and(|f| f.eq_ignore_ascii_case("full"));
                let all = targets.into_iter().map(|target| self.refer(target, full));
                Ok(Value::Array(all.collect::<Result<_>>()?))
            }
            _ => match functions::call(name, a) {
                Some(done) => Ok(done?),
                None if is_list_action(name) => {
                    counted(1, 3)?;
                    let target = self.target(text(&a[0])?, a.get(1).and_then(Value::as_str))?;
                    let input = a.get(2).filter(|v| !v.is_null()).map(Value::to_string);
                    let Target { id, api_version } = target;
                    self.ask(name, Need { action: Some(name.to_owned()), id, api_version, input })
                }
                None => fail(unknown_function(name)),
            },
        }
    }

    fn refer(&self, target: Target, full: bool) -> Result {
        let Target { id, api_version } = target;
        let whole = self
            .ask("reference", Need { action: None, id: id.clone(), api_version: api_version.clone(), input: None })?;
        if !full {
            return Ok(get(&whole, "properties").cloned().unwrap_or_default());
        }
        let mut whole = whole;
        whole["apiVersion"] = json!(api_version);
        whole["resourceId"] = json!(id);
        Ok(whole)
    }

    /// What `reference` and `list…` are about: an id, or the name of a resource of the template.
    fn target(&self, name: &str, api_version: Option<&str>) -> Result<Target> {
        let known = self.scope.resources.get(&name.trim_end_matches('/').to_ascii_lowercase());
        match (known, api_version) {
            (Some(target), Some(version)) => Ok(Target { api_version: version.to_owned(), ..target.clone() }),
            (Some(target), None) => Ok(target.clone()),
            (None, Some(version)) if name.starts_with('/') => {
                Ok(Target { id: name.to_owned(), api_version: version.to_owned() })
            }
            _ => fail(format!(
                "The resource '{name}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details"
            )),
        }
    }

    fn ask(&self, function: &str, need: Need) -> Result {
        match self.known {
            None => fail(format!("The template function '{function}' is not expected at this location")),
            Some(known) => known.get(&need).cloned().ok_or(Stop::Need(need)),
        }
    }

    fn copy_index(&self, a: &[Value]) -> Result {
        let (name, offset) = match a {
            [] => (None, 0),
            [Value::String(name)] => (Some(name.as_str()), 0),
            [offset] => (None, int(offset)?),
            [name, offset, ..] => (Some(text(name)?), int(offset)?),
        };
        let frame = match name {
            Some(name) => self.copies.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(name)),
            // Without a name it is the loop of the resource, the outermost.
            None => self.copies.first(),
        };
        match frame {
            Some((_, index)) => Ok(json!(index.saturating_add(offset))),
            None => fail(
                "The template function 'copyIndex' is not expected at this location. The function can only be used in a resource with copy specified",
            ),
        }
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

    fn with_lambda(&mut self, lower: &str, name: &str, arguments: &[Expr]) -> Result {
        let (fewest, most) = match lower {
            "reduce" => (3, 3),
            "toobject" => (2, 3),
            _ => (2, 2),
        };
        functions::check_count(name, arguments.len(), fewest, most)?;
        let over = self.expr(&arguments[0])?;
        let last = self.lambda(name, &arguments[fewest - 1])?;
        if lower == "mapvalues" {
            let mut made = Map::new();
            for (key, value) in object(&over)? {
                made.insert(key.clone(), self.apply(&last, std::slice::from_ref(value))?);
            }
            return Ok(Value::Object(made));
        }
        let items = list(&over)?;
        match lower {
            "map" | "filter" => {
                let mut made = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let value = self.apply(&last, &[item.clone(), json!(index)])?;
                    if lower == "map" {
                        made.push(value);
                    } else if boolean(&value)? {
                        made.push(item.clone());
                    }
                }
                Ok(Value::Array(made))
            }
            "reduce" => {
                let mut sum = self.expr(&arguments[1])?;
                for (index, item) in items.iter().enumerate() {
                    sum = self.apply(&last, &[sum, item.clone(), json!(index)])?;
                }
                Ok(sum)
            }
            "sort" => self.sorted(items.clone(), &last).map(Value::Array),
            _ => {
                let value = arguments.get(2).map(|a| self.lambda(name, a)).transpose()?;
                let mut made = Map::new();
                for item in items {
                    let key = self.apply(&last, std::slice::from_ref(item))?;
                    let key = text(&key)?;
                    let item = match &value {
                        Some(value) => self.apply(value, std::slice::from_ref(item))?,
                        None => item.clone(),
                    };
                    if lower == "toobject" {
                        put(&mut made, key, item);
                    } else if let Some(group) = made.get_mut(key).and_then(Value::as_array_mut) {
                        group.push(item);
                    } else {
                        made.insert(key.to_owned(), json!([item]));
                    }
                }
                Ok(Value::Object(made))
            }
        }
    }

    /// A merge sort: the standard one may panic where the lambda is no order.
    fn sorted(&mut self, mut items: Vec<Value>, less: &Lambda) -> Result<Vec<Value>> {
        if items.len() < 2 {
            return Ok(items);
        }
        let right = items.split_off(items.len() / 2);
        let mut left = self.sorted(items, less)?.into_iter().peekable();
        let mut right = self.sorted(right, less)?.into_iter().peekable();
        let mut merged = Vec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let takes_right = boolean(&self.apply(less, &[b.clone(), a.clone()])?)?;
            merged.extend(if takes_right { right.next() } else { left.next() });
        }
        merged.extend(left);
        merged.extend(right);
        Ok(merged)
    }

    fn lambda(&mut self, function: &str, argument: &Expr) -> Result<Lambda> {
        let parts = match argument {
            Expr::Call(name, parts) if name.eq_ignore_ascii_case("lambda") => parts.split_last(),
            _ => None,
        };
        let Some((body, names)) = parts else {
            return fail(format!("Unable to evaluate template language function '{function}': a lambda is expected"));
        };
        let names = self.all(names)?;
        let names = names.iter().map(|n| text(n).map(str::to_owned)).collect::<std::result::Result<_, _>>()?;
        Ok(Lambda { names, body: body.clone() })
    }

    fn apply(&mut self, lambda: &Lambda, values: &[Value]) -> Result {
        let before = self.locals.len();
        self.locals.extend(lambda.names.iter().cloned().zip(values.iter().cloned()));
        let done = self.expr(&lambda.body);
        self.locals.truncate(before);
        done
    }
}

struct Lambda {
    names: Vec<String>,
    body: Expr,
}

/// The error about a function that does not exist.
#[must_use]
pub fn unknown_function(name: &str) -> String {
    format!("The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for usage details")
}

/// A property of an object, name in any case.
#[must_use]
pub fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let map = value.as_object()?;
    map.get(name).or_else(|| find(map, name))
}

fn find<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
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

fn member(of: &Value, key: &Value) -> Result {
    if let Some(found) = member_of(of, key) {
        return Ok(found.clone());
    }
    match (of, key) {
        (Value::Object(map), Value::String(name)) => {
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
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
            shown(key),
            kind(of)
        )),
    }
}
