//! Deploys a planned template: each resource by a call within the call, in the order of the plan.
//! Must not know: how deployments are shown and kept.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::app::world::work;
use crate::domain::access::Caller;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::resources::template::{Known, Need, Program, Resource, Stop};
use crate::domain::{Error, Result, Timestamp};
use crate::http::arm::dialect::{self, Provider};
use crate::http::arm::{Templates, within};
use crate::http::call::Call;

/// Resources that are created at the same time, at most. Of templates within the template, each of them a document in
/// memory, one at a time.
const PARALLEL: usize = 8;
/// Kilobytes of bodies that are on their way at the same time, unless a single one is larger.
const BODIES: usize = 256;
/// What a path segment may hold unescaped.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'<').add(b'>');

/// Who deploys, and through which door.
#[derive(Clone)]
pub(in crate::http::arm) struct Deployer {
    /// The emulator.
    pub app: Arc<App>,
    /// Who asked; every call within is made as the same caller.
    pub caller: Caller,
    /// The host and port that were asked.
    pub authority: String,
    /// Where the call came from.
    pub address: IpAddr,
    /// What is left to the request for its templates.
    pub templates: Templates,
}

impl Deployer {
    /// The same for what a template within the template asks.
    pub fn within(&self) -> Self {
        let templates = Templates { level: self.templates.level + 1, ..self.templates.clone() };
        Self { templates, ..self.clone() }
    }

    /// A call within the call.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        version: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, Value)> {
        let call = Call {
            method,
            path: utf8_percent_encode(path, PATH).to_string(),
            query: format!("api-version={version}"),
            headers: HeaderMap::new(),
            host: self.authority.split(':').next().unwrap_or_default().to_owned(),
            authority: self.authority.clone(),
            address: self.address,
            fate: crate::app::faults::Fate::default(),
            body: body.map_or_else(Body::empty, Body::from),
        };
        let answer = within(&self.app, &self.caller, self.within().templates, call).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// A resource as it is now; `None` where there is none.
    pub async fn get(&self, id: &str, version: &str) -> Result<Option<Value>> {
        match self.call(Method::GET, id, version, None).await {
            Ok((_, body)) => Ok(Some(body)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the cloud for what an expression needs.
    pub async fn fetch(&self, need: &Need) -> Result<Value> {
        let Some(action) = &need.action else {
            return self.call(Method::GET, &need.id, &need.api_version, None).await.map(|(_, body)| body);
        };
        let input = need.input.clone().unwrap_or_else(|| "{}".to_owned());
        let path = format!("{}/{action}", need.id);
        self.call(Method::POST, &path, &need.api_version, Some(input)).await.map(|(_, body)| body)
    }
}

/// Whether an error only says that a resource is not there.
pub(in crate::http::arm) fn is_missing(error: &Error) -> bool {
    dialect::refusal(error, Provider::Other).status() == StatusCode::NOT_FOUND && !is_unsupported(error)
}

/// Whether an error says that the emulator does not have such resources at all.
pub(in crate::http::arm) fn is_unsupported(error: &Error) -> bool {
    matches!(
        error,
        Error::Resource(ResourceError::ProviderNotFound(_) | ResourceError::TypeNotFound { .. })
            | Error::Request(RequestError::RouteUnknown(_) | RequestError::NotEmulated(_))
    )
}

/// The kind of children that are written but cannot be read.
pub(in crate::http::arm) fn is_access_policies(resource: &Resource) -> bool {
    resource.kind.eq_ignore_ascii_case("Microsoft.KeyVault/vaults/accessPolicies")
}

/// An error as it stands in a deployment's details: code, message, and the resource it is about.
pub(in crate::http::arm) fn detail(error: &Error, target: &str) -> Value {
    let mut detail = dialect::code_and_message(error);
    detail["target"] = json!(target);
    detail
}

/// What was done for one resource.
#[derive(Debug, Clone)]
pub(in crate::http::arm) struct Done {
    /// The resource.
    pub id: String,
    /// Its type.
    pub kind: String,
    pub name: String,
    /// How it went.
    pub status: StatusCode,
    /// Why it failed, if it did.
    pub error: Option<Value>,
    /// What exists because of it.
    pub outputs: Vec<String>,
    pub began: Timestamp,
    pub ended: Timestamp,
}

/// What became of a deployment's resources.
pub(in crate::http::arm) struct Outcome {
    /// For each resource that was begun, in the order of their ends.
    pub done: Vec<Done>,
    /// The outputs, where all went well.
    pub outputs: std::result::Result<Map<String, Value>, Value>,
}

/// Looks whether the emulator has all the types and versions that the template wants, before anything is created.
pub(in crate::http::arm) async fn unsupported(deployer: &Deployer, program: &Program) -> Result<Vec<Value>> {
    let mut details = Vec::new();
    for resource in program.resources.iter().filter(|r| r.wanted && !r.existing && !is_access_policies(r)) {
        match deployer.get(&resource.id, &resource.api_version).await {
            Err(error) if is_unsupported(&error) => {
                tracing::warn!(kind = %resource.kind, "this resource type is not emulated");
                details.push(detail(&error, &resource.id));
            }
            Err(error @ Error::Request(RequestError::ApiVersionInvalid(_))) => {
                details.push(detail(&error, &resource.id));
            }
            // A refusal of another kind is told when the resource is written.
            _ => {}
        }
    }
    Ok(details)
}

/// Creates the resources, each when all that it waits for is there. One that fails stops those that wait
/// for it, and no other.
pub(super) async fn deploy(deployer: &Deployer, program: &Arc<Program>) -> Outcome {
    let known = Arc::new(Mutex::new(Known::new(program.budget())));
    let bodies = Semaphore::new(BODIES);
    let mut waiting: BTreeSet<usize> = (0..program.resources.len()).collect();
    let mut finished: BTreeSet<usize> = BTreeSet::new();
    for (at, resource) in program.resources.iter().enumerate() {
        if !resource.wanted || resource.existing {
            waiting.remove(&at);
            finished.insert(at);
        }
    }
    let mut running = FuturesUnordered::new();
    let mut nested = None;
    let mut done = Vec::new();
    loop {
        let ready: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|at| program.resources[*at].depends_on.iter().all(|d| finished.contains(d)))
            .take(PARALLEL.saturating_sub(running.len()))
            .collect();
        for at in ready {
            if program.resources[at].is_deployment() {
                if nested.is_some() {
                    continue;
                }
                nested = Some(at);
            }
            waiting.remove(&at);
            let (known, bodies) = (&known, &bodies);
            running.push(async move { (at, create(deployer, program, at, known, bodies).await) });
        }
        let Some((at, ended)) = running.next().await else { break };
        nested = nested.filter(|nested| *nested != at);
        if ended.error.is_none() {
            finished.insert(at);
        }
        done.push(ended);
    }
    let failures: Vec<Value> = done.iter().filter_map(|d: &Done| d.error.clone()).collect();
    if !failures.is_empty() {
        return Outcome { done, outputs: Err(failed(failures)) };
    }
    let outputs = outputs(deployer, program, &known).await;
    Outcome { done, outputs }
}

/// The error of a deployment some of whose resources failed.
pub(in crate::http::arm) fn failed(details: Vec<Value>) -> Value {
    json!({
        "code": "DeploymentFailed",
        "message": "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.",
        "details": details,
    })
}

/// A name of a parameter or an output as answers show it [recorded: `RegistryId` as `registryId`, `NewNSG` as `newNSG`].
/// What more than one capital at the start becomes is [inferred] from the library that Azure writes JSON with.
pub(super) fn camel(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let first = letters.iter().take_while(|c| c.is_uppercase()).count();
    // The last capital of several begins the next word.
    let lower = if first > 1 && first < letters.len() { first - 1 } else { first };
    letters.iter().enumerate().map(|(at, c)| if at < lower { c.to_ascii_lowercase() } else { *c }).collect()
}

/// What the cloud has answered to a deployment.
type Answers = Arc<Mutex<Known>>;

/// Evaluates until nothing is needed any more.
async fn settled<T: Send + 'static>(
    deployer: &Deployer,
    program: &Arc<Program>,
    known: &Answers,
    evaluate: impl Fn(&Program, &Known) -> std::result::Result<T, Stop> + Clone + Send + 'static,
) -> std::result::Result<T, (StatusCode, Value)> {
    let refused =
        |error: &Error, target: &str| (dialect::refusal(error, Provider::Other).status(), detail(error, target));
    loop {
        let (planned, answers, evaluate) = (program.clone(), known.clone(), evaluate.clone());
        let done = work::run(move || evaluate(&planned, &answers.lock().unwrap_or_else(PoisonError::into_inner))).await;
        let stop = match done.map_err(|error| refused(&error, ""))? {
            Ok(value) => return Ok(value),
            Err(stop) => stop,
        };
        let stop = match stop {
            Stop::Need(need) => match deployer.fetch(&need).await {
                Ok(answer) => match known.lock().unwrap_or_else(PoisonError::into_inner).add(need, answer) {
                    Ok(()) => continue,
                    Err(stop) => stop,
                },
                Err(error) => return Err(refused(&error, &need.id)),
            },
            fail => fail,
        };
        let message = format!(
            "Unable to process template language expressions: '{}.'. Please see https://aka.ms/arm-functions for usage details.",
            stop.why()
        );
        return Err((StatusCode::BAD_REQUEST, json!({"code": "InvalidTemplate", "message": message})));
    }
}

async fn outputs(
    deployer: &Deployer,
    program: &Arc<Program>,
    known: &Answers,
) -> std::result::Result<Map<String, Value>, Value> {
    settled(deployer, program, known, Program::outputs).await.map_err(|(_, error)| {
        json!({
            "code": "DeploymentOutputEvaluationFailed",
            "message": "Unable to evaluate template outputs. Please see error details and deployment operations. Please see https://aka.ms/arm-common-errors for usage details.",
            "details": [error],
        })
    })
}

async fn create(deployer: &Deployer, program: &Arc<Program>, at: usize, known: &Answers, bodies: &Semaphore) -> Done {
    let resource = &program.resources[at];
    let began = deployer.app.now();
    let made = write(deployer, program, at, known, bodies).await;
    let ended = deployer.app.now();
    let (status, error, outputs) = match made {
        Ok((status, outputs)) => (status, None, outputs),
        Err((status, mut error)) => {
            error["target"] = json!(resource.id);
            (status, Some(error), Vec::new())
        }
    };
    let (id, kind, name) = (resource.id.clone(), resource.kind.clone(), resource.name.clone());
    Done { id, kind, name, status, error, outputs, began, ended }
}

async fn write(
    deployer: &Deployer,
    program: &Arc<Program>,
    at: usize,
    known: &Answers,
    bodies: &Semaphore,
) -> std::result::Result<(StatusCode, Vec<String>), (StatusCode, Value)> {
    let resource = &program.resources[at];
    let evaluate = move |program: &Program, known: &Known| program.body(&program.resources[at], known);
    let body = settled(deployer, program, known, evaluate).await?;
    // A template within the template may wait for bodies of its own.
    let _on_its_way = match resource.is_deployment() {
        true => None,
        false => {
            let size = (body.len() / 1024 + 1).min(BODIES);
            bodies.acquire_many(u32::try_from(size).unwrap_or(1)).await.ok()
        }
    };
    let refused =
        |error: Error| (dialect::refusal(&error, Provider::Other).status(), dialect::code_and_message(&error));
    let sent = deployer.call(Method::PUT, &resource.id, &resource.api_version, Some(body)).await;
    let (status, answer) = sent.map_err(refused)?;
    if !resource.is_deployment() {
        if status.is_success() {
            return Ok((status, vec![resource.id.clone()]));
        }
        return Err((status, answer["error"].clone()));
    }
    if !status.is_success() {
        return Err((status, answer["error"].clone()));
    }
    // Its answer only says that it began.
    let (_, ended) = deployer.call(Method::GET, &resource.id, &resource.api_version, None).await.map_err(refused)?;
    let properties = &ended["properties"];
    if properties["provisioningState"] == "Failed" {
        let mut error = properties["error"].clone();
        error["target"] = json!(resource.id);
        let error = json!({
            "code": "ResourceDeploymentFailure",
            "message": "The resource write operation failed to complete successfully, because it reached terminal provisioning state 'Failed'.",
            "details": [error],
        });
        return Err((StatusCode::CONFLICT, error));
    }
    let outputs = properties["outputResources"].as_array().into_iter().flatten();
    Ok((status, outputs.filter_map(|o| o["id"].as_str()).map(str::to_owned).collect()))
}
