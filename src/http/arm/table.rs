//! Resource types as rows of a table: where each lies, what can be asked of it, which action the gate asks for that,
//! and who answers. Calls are found in the table and carried out here.
//! Must not know: any resource type.

use std::pin::Pin;

use axum::http::Method;
use serde_json::Value;

pub(super) use super::request::Request;
use super::wire::Answer;
use super::{Arm, query, request};
use crate::app::cascade::Clear;
use crate::app::change::Attempt;
use crate::app::resources::locks::Change;
use crate::app::{Cx, access as gate, resources};
use crate::domain::error::ResourceError;
use crate::domain::resources::listing::Part;
use crate::domain::resources::lock::LOCKS;
use crate::domain::world::name;
use crate::domain::{Error, Result};

/// What a handler does.
pub(super) type Handling<'a> = Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>;
/// All rows, wing by wing.
pub(super) type Table = &'static [&'static [Type]];
/// A handler in the one context of its request.
pub(super) type Handler = for<'a> fn(&'a mut Cx, &'a Request) -> Handling<'a>;
/// A handler of what goes on beside its request.
pub(super) type Apart = for<'a> fn(&'a mut Arm, &'a Request) -> Handling<'a>;
/// How resources of a type at the top are found and cleared away.
pub(super) struct InGroups {
    /// A part of them, as the list of all resources shows them.
    pub(super) listed: for<'a> fn(&'a mut Cx, &'a Part<'a>) -> Attempt<'a, Vec<Value>>,
    /// Deletes all of them with their group.
    pub(super) cleared: Clear,
    /// Puts tags in the place of those that one of them has: group, name, tags.
    pub(super) tagged: for<'a> fn(&'a mut Cx, &'a str, &'a str, Value) -> Attempt<'a, ()>,
    /// Moves one of them to another group, if they can be.
    pub(super) moved: Option<Move>,
}

/// Moves a resource: from which group, its name, to which group.
pub(super) type Move = for<'a> fn(&'a mut Cx, &'a str, &'a str, &'a str) -> Attempt<'a, ()>;

/// The versions that an answer says are supported, by the one that was asked for.
pub(super) type Supported = fn(&str) -> Option<String>;

/// Of types whose answers say nothing of versions.
pub(super) fn silent(_: &str) -> Option<String> {
    None
}

/// An async function as a [`Handler`] or an [`Apart`].
macro_rules! handler {
    ($function:path) => {
        |cx, request| Box::pin($function(cx, request))
    };
}
pub(super) use handler;

/// Where a resource type lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a resource group. The types at the top are also listed for the subscription.
    Group,
    Subscription,
    /// On any scope, which is what the gate is asked for.
    Anywhere,
}

/// One resource type.
pub(super) struct Type {
    /// The whole name, in Azure's case.
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// The versions that the list of providers gives.
    pub(super) versions: &'static [&'static str],
    pub(super) supported: Supported,
    /// Who answers `…/operationStatuses/{operation}` below a resource, if some of its changes are long.
    pub(super) statuses: Option<Apart>,
    /// Of types whose resources lie in groups, and in no other resource. A group's resources are listed and deleted
    /// in the order of the rows: what uses others comes before them.
    pub(super) in_groups: Option<InGroups>,
    /// The categories of its logs, which diagnostic settings name.
    pub(super) logs: &'static [&'static str],
    pub(super) operations: &'static [Operation],
    /// What can be asked of it beyond what `operations` shares with other types.
    pub(super) own: &'static [Operation],
}

impl Type {
    /// What rows begin with.
    pub(super) const fn new(place: Place, versions: &'static [&'static str]) -> Self {
        Self {
            name: "",
            place,
            versions,
            supported: silent,
            statuses: None,
            in_groups: None,
            logs: &[],
            operations: &[],
            own: &[],
        }
    }
}

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// All resources of the type.
    All,
    /// One resource.
    One,
    /// One resource, and a word after its name.
    Word(&'static str),
}

/// What the gate asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// `{type}/{this}`.
    Action(&'static str),
    /// This action, of another type.
    Whole(&'static str),
    /// `{type}/{word}/action`, of the word after the name.
    Word,
    /// Nothing: whoever is signed in may ask.
    Nothing,
    /// Nothing here: roles' conditions ask for what only the handler knows, so it asks itself, before all else.
    InHandler,
}

/// How an operation is carried out.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// In a context that reads.
    Read(Handler),
    /// In a context that writes, in which the gate has been asked again; it is committed after the handler.
    Change(Handler),
    /// In no context: it goes on beside the request.
    Apart(Apart),
}

/// One thing that can be asked of a resource type.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    method: &'static str,
    on: On,
    asks: Asks,
    /// Whether a body is read, which must be an object.
    body: bool,
    /// Whether files may be left over once it is done.
    sweeps: bool,
    supported: Option<Supported>,
    /// The query options that it takes, of those that begin with a dollar.
    options: &'static [&'static str],
    /// Whether its list is cut into pages here.
    pages: bool,
    run: Run,
}

impl Operation {
    pub(super) const fn new(method: &'static str, on: On, asks: Asks, run: Run) -> Self {
        Self { method, on, asks, body: false, sweeps: false, supported: None, options: &[], pages: false, run }
    }

    pub(super) const fn list(handler: Handler) -> Self {
        Self::new("GET", On::All, Asks::Action("read"), Run::Read(handler))
    }

    pub(super) const fn get(handler: Handler) -> Self {
        Self::new("GET", On::One, Asks::Action("read"), Run::Read(handler))
    }

    pub(super) const fn put(handler: Handler) -> Self {
        Self::new("PUT", On::One, Asks::Action("write"), Run::Change(handler)).with_body()
    }

    pub(super) const fn patch(handler: Handler) -> Self {
        Self::new("PATCH", On::One, Asks::Action("write"), Run::Change(handler)).with_body()
    }

    pub(super) const fn delete(handler: Handler) -> Self {
        Self::new("DELETE", On::One, Asks::Action("delete"), Run::Change(handler))
    }

    pub(super) const fn post(word: &'static str, run: Run) -> Self {
        Self::new("POST", On::Word(word), Asks::Word, run)
    }

    pub(super) const fn with_body(self) -> Self {
        Self { body: true, ..self }
    }

    pub(super) const fn sweeping(self) -> Self {
        Self { sweeps: true, ..self }
    }

    pub(super) const fn taking(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    /// The same of a list that is cut into pages here.
    pub(super) const fn paging(self, options: &'static [&'static str]) -> Self {
        Self { options, pages: true, ..self }
    }

    pub(super) const fn supporting(self, supported: Supported) -> Self {
        Self { supported: Some(supported), ..self }
    }
}

impl Operation {
    /// The action that the gate asks for; `None`: it asks for nothing here.
    pub(super) fn action(&self, of: &Type) -> Option<String> {
        match (self.asks, self.on) {
            (Asks::Action(action), _) => Some(format!("{}/{action}", of.name)),
            (Asks::Whole(action), _) => Some(action.to_owned()),
            (Asks::Word, On::Word(word)) => Some(format!("{}/{word}/action", of.name)),
            // A row that asks for a word and has none lets nobody in.
            (Asks::Word, On::All | On::One) => Some(format!("{}/none/action", of.name)),
            (Asks::Nothing | Asks::InHandler, _) => None,
        }
    }
}

/// What a path is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    All,
    One,
    /// A word after a name.
    Word,
    /// How an operation goes.
    Status,
}

impl Type {
    pub(super) fn namespace(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = &'static Operation> + use<> {
        self.operations.iter().chain(self.own)
    }

    /// The names of the types above it and its own.
    fn levels(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.name.split('/').skip(1)
    }

    /// What `rest`, a path after its provider, is about, if it is about this type: types and names in turn.
    fn spot(&self, rest: &[String]) -> Option<Spot> {
        let depth = self.levels().count();
        let same = |(i, level): (usize, &str)| rest.get(2 * i).is_some_and(|s| s.eq_ignore_ascii_case(level));
        if !self.levels().enumerate().all(same) {
            return None;
        }
        match rest.len().checked_sub(2 * depth - 1)? {
            0 => Some(Spot::All),
            1 => Some(Spot::One),
            2 => Some(Spot::Word),
            3 if self.statuses.is_some() && rest[2 * depth].eq_ignore_ascii_case("operationStatuses") => {
                Some(Spot::Status)
            }
            _ => None,
        }
    }

    fn operations_at<'a>(
        &'static self,
        spot: Spot,
        rest: &'a [String],
    ) -> impl Iterator<Item = &'static Operation> + use<'a> {
        self.operations().filter(move |operation| match (spot, operation.on) {
            (Spot::All, On::All) | (Spot::One, On::One) => true,
            (Spot::Word, On::Word(word)) => rest.last().is_some_and(|s| s.eq_ignore_ascii_case(word)),
            _ => false,
        })
    }

    fn lies_at(&self, spot: Spot, in_group: bool) -> bool {
        match self.place {
            Place::Group => in_group || (spot == Spot::All && self.levels().count() == 1),
            Place::Subscription => !in_group,
            Place::Anywhere => true,
        }
    }
}

/// All rows.
pub(super) fn rows(table: Table) -> impl Iterator<Item = &'static Type> {
    table.iter().flat_map(|wing| wing.iter())
}

/// Where the path goes on after a provider whose type it names lies on any scope.
pub(super) fn on_any_scope(table: Table, lower: &[String]) -> Option<usize> {
    let at = lower.iter().rposition(|segment| segment == "providers")? + 2;
    let (namespace, rest) = (lower.get(at - 1)?, lower.get(at..).filter(|rest| !rest.is_empty())?);
    find(table, namespace, rest).filter(|(found, _)| found.place == Place::Anywhere).map(|_| at)
}

/// The row of a path after `…/providers/{namespace}/`. What is a type of its own is no word of the type above.
fn find(table: Table, namespace: &str, rest: &[String]) -> Option<(&'static Type, Spot)> {
    let spots = rows(table).filter(|t| t.namespace().eq_ignore_ascii_case(namespace));
    let spots = spots.filter_map(|t| t.spot(rest).map(|spot| (t, spot)));
    spots.min_by_key(|(_, spot)| match spot {
        Spot::Status => 0,
        Spot::All | Spot::One => 1,
        Spot::Word => 2,
    })
}

/// What the answer to a call says of supported versions. `segments` are those of the path.
pub(super) fn supported_versions(table: Table, method: &Method, segments: &[String], asked: &str) -> Option<String> {
    let at = segments.iter().rposition(|s| s.eq_ignore_ascii_case("providers"))?;
    let rest = segments.get(at + 2..)?;
    let (found, spot) = find(table, &segments[at + 1], rest)?;
    if found.place == Place::Group && at != 4 {
        return None;
    }
    let operation = found.operations_at(spot, rest).find(|o| o.method == method.as_str());
    match (spot, operation) {
        (Spot::Word, None) => None,
        (_, operation) => operation.and_then(|o| o.supported).unwrap_or(found.supported)(asked),
    }
}

/// Answers a call about types and names in turn, from the segment at index `at` on.
pub(super) async fn answer(
    table: Table,
    arm: &mut Arm,
    namespace: &str,
    group: Option<String>,
    at: usize,
) -> Result<Answer> {
    let rest = arm.segments[at..].to_vec();
    let Some((found, spot)) = find(table, namespace, &rest) else {
        return Err(unknown(table, arm, namespace, &rest));
    };
    if !found.lies_at(spot, group.is_some()) {
        return Err(arm.unknown_route());
    }
    let depth = 2 * found.levels().count();
    let request = Request {
        names: request::names(&rest, found.name)?,
        group: group.clone(),
        scope: if at == 2 { String::new() } else { arm.scope(at - 2) },
        query: arm.call.query.clone(),
        method: arm.method.clone(),
        api_version: arm.api_version.clone(),
        authority: arm.call.authority.clone(),
        path: arm.call.path.clone(),
        url: format!("https://{}{}?{}", arm.call.authority, arm.call.path, arm.call.query),
        body: Value::Null,
    };
    if let (Spot::Status, Some(statuses)) = (spot, found.statuses) {
        return match arm.method {
            Method::GET => statuses(arm, &request).await,
            _ => Err(arm.wrong_method()),
        };
    }
    let mut operations = found.operations_at(spot, &rest).peekable();
    if operations.peek().is_none() && spot == Spot::Word {
        return Err(unknown(table, arm, namespace, &rest));
    }
    let operation = operations.find(|o| o.method == arm.method.as_str()).ok_or_else(|| arm.wrong_method())?;
    query::check(&request.query, operation.options)?;
    let scope = match (spot, depth, &group) {
        _ if found.place == Place::Anywhere => request.scope.clone(),
        (Spot::All, 2, Some(group)) => name::group_id(group),
        (Spot::All, 2, None) => name::subscription_id(),
        (Spot::All, ..) => arm.scope(at + depth - 2),
        _ => arm.scope(at + depth),
    };
    // What lies on a scope is locked with it, and is no lock of what else lies there.
    let own = if found.place == Place::Anywhere { arm.scope(arm.segments.len()) } else { scope.clone() };
    carry_out(arm, found, operation, (&scope, &own), request).await
}

/// The refusal of a path that no row is about: the first type in it that is none.
fn unknown(table: Table, arm: &Arm, namespace: &str, rest: &[String]) -> Error {
    let known = (0..rest.len())
        .step_by(2)
        .take_while(|end| find(table, namespace, &rest[..=*end]).is_some_and(|(_, spot)| spot == Spot::All));
    let Some(kind) = rest.get(2 * known.count()) else { return arm.unknown_route() };
    let own = rows(table).map(Type::namespace).find(|n| n.eq_ignore_ascii_case(namespace));
    tracing::warn!(path = %arm.call.path, "this resource type is not emulated");
    let namespace = own.unwrap_or(namespace).to_owned();
    ResourceError::TypeNotFound { namespace, kind: kind.clone() }.into()
}

/// Asks the gate, reads the body, and calls the handler in the one context of the request. Who is not let in need not
/// send a body; contexts that write ask the gate again, for a body takes its time.
async fn carry_out(
    arm: &mut Arm,
    found: &Type,
    operation: &Operation,
    (scope, own): (&str, &str),
    mut request: Request,
) -> Result<Answer> {
    let action = operation.action(found);
    if let (Run::Read(handler), false) = (operation.run, operation.body) {
        let mut cx = arm.read().await?;
        if let Some(action) = &action {
            gate::require(&mut cx, action, scope).await?;
        }
        // A POST may give out what writes.
        resources::require_open(&mut cx, None, changes(found, operation), own).await?;
        let answer = handler(&mut cx, &request).await?;
        return match operation.pages {
            true => query::paged(answer, &request.authority, &request.path, &request.query),
            false => Ok(answer),
        };
    }
    if let Some(action) = &action {
        arm.require(action, scope).await?;
    }
    if operation.body {
        request.body = arm.object().await?;
        arm.require_region(&request.body, found.name)?;
    }
    let change = changes(found, operation);
    let provider = (operation.method == "PUT").then(|| found.namespace());
    let answer = match operation.run {
        Run::Read(handler) => {
            let mut cx = arm.read().await?;
            resources::require_open(&mut cx, provider, change, own).await?;
            handler(&mut cx, &request).await?
        }
        Run::Change(handler) => {
            let asked = (request, handler, provider, change, own.to_owned());
            arm.change(&asked, |cx, (request, handler, provider, change, own)| {
                Box::pin(async move {
                    resources::require_open(cx, *provider, *change, own).await?;
                    handler(cx, request).await
                })
            })
            .await?
        }
        Run::Apart(handler) => {
            resources::require_open(&mut arm.read().await?, provider, change, own).await?;
            handler(arm, &request).await?
        }
    };
    if operation.sweeps {
        crate::app::registry::content::sweep(&arm.app).await?;
    }
    answer.or_refusal()
}

/// How an operation changes what it is about, for locks. Locks themselves are under none: who may take them away may.
fn changes(found: &Type, operation: &Operation) -> Option<Change> {
    let asks = !matches!(operation.asks, Asks::Nothing);
    match operation.method {
        _ if found.name == LOCKS => None,
        "DELETE" => Some(Change::Delete),
        "PUT" | "PATCH" | "POST" if asks => Some(Change::Write),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn row(name: &'static str, operations: &'static [Operation]) -> Type {
        Type { name, operations, ..Type::new(Place::Group, &[]) }
    }

    fn about(path: &str) -> Option<(&'static str, Spot)> {
        static TYPES: &[Type] = &[
            row("N/a", &[]),
            Type { statuses: Some(|_, _| Box::pin(async { Ok(Answer::list(Vec::new())) })), ..row("N/a/b", &[]) },
        ];
        let rest: Vec<String> = path.split('/').map(str::to_owned).collect();
        static TABLE: &[&[Type]] = &[TYPES];
        find(TABLE, "n", &rest).map(|(found, spot)| (found.name, spot))
    }

    #[test]
    fn a_path_is_about_the_type_that_it_names() {
        assert_eq!(about("A"), Some(("N/a", Spot::All)));
        assert_eq!(about("a/x"), Some(("N/a", Spot::One)));
        assert_eq!(about("a/x/word"), Some(("N/a", Spot::Word)));
        assert_eq!(about("a/x/B"), Some(("N/a/b", Spot::All)));
        assert_eq!(about("a/x/b/y"), Some(("N/a/b", Spot::One)));
        assert_eq!(about("a/x/b/y/word"), Some(("N/a/b", Spot::Word)));
        assert_eq!(about("a/x/b/y/operationStatuses/o"), Some(("N/a/b", Spot::Status)));
        assert_eq!(about("a/x/operationStatuses/o"), None);
        assert_eq!(about("a/x/c/y"), None);
        assert_eq!(about("b/y"), None);
        assert_eq!(about(""), None);
    }
}
