//! Faults that a test asks for: which calls a rule matches, how often it strikes, and what a strike does. Rules are
//! counted and never random, so the same calls meet the same faults.
//! Must not know: who carries a strike out, any protocol.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::access::role::matches;

/// Rules at most: a test that forgets to clear is told so before matching becomes slow.
const MOST: usize = 1000;
/// Seconds of latency at most.
const LONGEST: f64 = 3600.0;

/// Who is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Azure Resource Manager.
    Arm,
    /// The data plane of vaults, for callers outside and for registries.
    KeyVault,
    /// Login servers and data endpoints of registries.
    Registry,
    /// Tokens of Entra ID.
    Entra,
    /// Microsoft Graph.
    Graph,
    /// Managed identity endpoints.
    Imds,
    /// Targets of webhooks.
    Webhook,
    /// Registries elsewhere, that imports and cache rules copy from.
    Source,
    /// The disk under the data folder.
    Disk,
}

impl Service {
    const ALL: [Self; 9] = [
        Self::Arm,
        Self::KeyVault,
        Self::Registry,
        Self::Entra,
        Self::Graph,
        Self::Imds,
        Self::Webhook,
        Self::Source,
        Self::Disk,
    ];

    fn bit(self) -> u32 {
        1 << self as u32
    }

    /// By its name on the command line.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::KeyVault => "keyvault",
            Self::Registry => "registry",
            Self::Entra => "entra",
            Self::Graph => "graph",
            Self::Imds => "imds",
            Self::Webhook => "webhook",
            Self::Source => "source",
            Self::Disk => "disk",
        }
    }

    /// The names of all services.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::name)
    }
}

/// A rule: what it matches, when it strikes, and what the strike does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub service: Service,
    /// As audit records and actions name it; `*` stands for any text. Without one: every operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The name of a key or secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The region of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Display name, application id, object id, or the user of a registry's login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The status code to answer with.
    #[schemars(range(min = 400, max = 599))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds of machine time to wait first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<f64>,
    /// Close the connection without an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop: bool,
    /// Close the connection after this many bytes of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_after: Option<u64>,
    /// The disk has no room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// How many calls to hit; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many matching calls to let through first.
    #[serde(default)]
    pub after: u64,
    /// Seconds for the answer's `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Rule {
    /// What is wrong with it, for whoever asks for it.
    pub fn check(&self) -> Result<(), String> {
        let ends = [self.status.is_some(), self.drop, self.cut_after.is_some(), self.full];
        let ends = ends.into_iter().filter(|end| *end).count();
        if ends > 1 {
            return Err("a fault has one of status, drop, cut_after and full".to_owned());
        }
        if ends == 0 && self.latency.is_none() {
            return Err("say what happens: status, latency, drop, cut_after or, for the disk, full".to_owned());
        }
        if self.status.is_some_and(|status| !(400..600).contains(&status)) {
            return Err("status is a refusal: a number from 400 to 599".to_owned());
        }
        if self.latency.is_some_and(|seconds| !(0.0..=LONGEST).contains(&seconds)) {
            return Err(format!("latency is a number of seconds from 0 to {LONGEST}"));
        }
        if self.times == Some(0) {
            return Err("times is at least 1".to_owned());
        }
        if self.retry_after.is_some() && self.status.is_none() {
            return Err("retry_after goes with a status".to_owned());
        }
        let disk = self.service == Service::Disk;
        if self.full && !disk {
            return Err("only a disk is full".to_owned());
        }
        if disk && (self.status.is_some() || self.drop || self.cut_after.is_some()) {
            return Err("a disk is full or has latency".to_owned());
        }
        let unknown = [
            ("vault", &self.vault, &[Service::Arm, Service::KeyVault][..]),
            ("key", &self.key, &[Service::Arm, Service::KeyVault]),
            ("registry", &self.registry, &[Service::Arm, Service::KeyVault, Service::Registry, Service::Source]),
            ("repository", &self.repository, &[Service::Registry, Service::Source]),
            ("region", &self.region, &[Service::Registry]),
            (
                "caller",
                &self.caller,
                &[Service::Arm, Service::KeyVault, Service::Registry, Service::Entra, Service::Graph, Service::Imds],
            ),
        ];
        for (name, value, services) in unknown {
            if value.is_some() && !services.contains(&self.service) {
                return Err(format!("calls of {} have no {name}", self.service.name()));
            }
        }
        Ok(())
    }

    fn covers(&self, touch: &Touch<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w.eq_ignore_ascii_case(found));
        let operation = self.operation.as_ref();
        self.service == touch.service
            && operation.is_none_or(|wanted| touch.operations.iter().any(|found| matches(wanted, found)))
            && is(&self.vault, touch.vault)
            && is(&self.registry, touch.registry)
            && is(&self.key, touch.key)
            && is(&self.repository, touch.repository)
            && is(&self.region, touch.region)
            && self.caller.as_ref().is_none_or(|w| touch.callers.iter().any(|c| w.eq_ignore_ascii_case(c)))
    }

    /// Whether it takes a whole region of a registry down.
    fn is_outage(&self, registry: &str, region: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_some_and(|w| w.eq_ignore_ascii_case(found));
        let narrowed = [&self.operation, &self.repository, &self.caller].iter().any(|name| name.is_some());
        self.service == Service::Registry
            && is(&self.region, region)
            && (self.registry.is_none() || is(&self.registry, registry))
            && !narrowed
            && self.times.is_none()
            && (self.status.is_some() || self.drop)
    }

    fn strike(&self) -> Strike {
        Strike {
            latency: self.latency.map_or(Duration::ZERO, Duration::from_secs_f64),
            end: match (self.status, self.drop, self.cut_after, self.full) {
                (Some(status), ..) => Some(End::Status { status, retry_after: self.retry_after }),
                (_, true, ..) => Some(End::Drop),
                (_, _, Some(bytes), _) => Some(End::Cut(bytes)),
                (.., true) => Some(End::Full),
                _ => None,
            },
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.service.name())?;
        self.operation.iter().try_for_each(|operation| write!(f, " {operation}"))?;
        let named = [&self.vault, &self.registry, &self.key, &self.repository, &self.region, &self.caller];
        named.into_iter().flatten().try_for_each(|name| write!(f, " {name}"))
    }
}

/// A call, as far as rules ask for it. Empty: it has none.
#[derive(Debug, Clone, Copy)]
pub struct Touch<'a> {
    pub service: Service,
    /// The operation's name, and those of what it is one of.
    pub operations: &'a [&'a str],
    pub vault: &'a str,
    pub registry: &'a str,
    pub key: &'a str,
    pub repository: &'a str,
    pub region: &'a str,
    /// All names of who calls.
    pub callers: &'a [&'a str],
}

impl<'a> Touch<'a> {
    #[must_use]
    pub fn of(service: Service, operations: &'a [&'a str]) -> Self {
        Self { service, operations, vault: "", registry: "", key: "", repository: "", region: "", callers: &[] }
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strike {
    /// It waits first.
    pub latency: Duration,
    /// Then it ends so. `None`: it goes on.
    pub end: Option<End>,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Status {
        status: u16,
        retry_after: Option<u32>,
    },
    /// Without an answer.
    Drop,
    /// After this many bytes of the answer's body.
    Cut(u64),
    /// The disk is full.
    Full,
}

/// A rule and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Counted {
    pub id: u64,
    #[serde(flatten)]
    pub rule: Rule,
    /// Calls that it matched.
    pub matched: u64,
    /// Calls that it hit.
    pub hit: u64,
}

/// The rules of one emulator.
#[derive(Debug, Default)]
pub struct Faults {
    /// The services that have rules, a bit for each: what a call costs without rules.
    services: AtomicU32,
    rules: Mutex<(u64, Vec<Counted>)>,
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, (u64, Vec<Counted>)> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, rules: &[Counted]) {
        let bits = rules.iter().fold(0, |bits, counted| bits | counted.rule.service.bit());
        self.services.store(bits, Ordering::Release);
    }

    /// Whether there are rules for a service.
    #[must_use]
    pub fn any(&self, service: Service) -> bool {
        self.services.load(Ordering::Acquire) & service.bit() != 0
    }

    /// Whether there are rules.
    #[must_use]
    pub fn any_at_all(&self) -> bool {
        self.services.load(Ordering::Acquire) != 0
    }

    /// Whether a rule for a service asks who calls.
    #[must_use]
    pub fn ask_for_callers(&self, service: Service) -> bool {
        self.any(service) && self.rules().1.iter().any(|c| c.rule.service == service && c.rule.caller.is_some())
    }

    /// Whether a rule asks which region of a registry is called.
    #[must_use]
    pub fn ask_for_regions(&self) -> bool {
        self.any(Service::Registry) && self.rules().1.iter().any(|c| c.rule.region.is_some())
    }

    /// Whether a registry's region answers nobody, so that calls are routed to another one.
    #[must_use]
    pub fn is_down(&self, registry: &str, region: &str) -> bool {
        self.any(Service::Registry) && self.rules().1.iter().any(|c| c.rule.is_outage(registry, region))
    }

    /// Adds a rule. An error says what is wrong with it.
    pub fn add(&self, rule: Rule) -> Result<Counted, String> {
        rule.check()?;
        let mut rules = self.rules();
        if rules.1.len() >= MOST {
            return Err(format!("there are {MOST} faults already: clear them"));
        }
        rules.0 += 1;
        let counted = Counted { id: rules.0, rule, matched: 0, hit: 0 };
        rules.1.push(counted.clone());
        self.settle(&rules.1);
        Ok(counted)
    }

    /// All rules, in the order in which they are asked.
    #[must_use]
    pub fn list(&self) -> Vec<Counted> {
        self.rules().1.clone()
    }

    /// Removes all rules, or the one with this id. Returns them with their last counts.
    pub fn clear(&self, id: Option<u64>) -> Vec<Counted> {
        let mut rules = self.rules();
        let (gone, stay) = rules.1.drain(..).partition(|counted| id.is_none_or(|id| id == counted.id));
        rules.1 = stay;
        self.settle(&rules.1);
        gone
    }

    /// What happens to a call. The first rule that matches it and is due strikes; those after it do not count it.
    #[must_use]
    pub fn strike(&self, touch: &Touch<'_>) -> Option<Strike> {
        if !self.any(touch.service) {
            return None;
        }
        self.rules().1.iter_mut().filter(|counted| counted.rule.covers(touch)).find_map(|counted| {
            counted.matched += 1;
            let due = counted.matched > counted.rule.after && counted.rule.times.is_none_or(|most| counted.hit < most);
            due.then(|| {
                counted.hit += 1;
                counted.rule.strike()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(document: serde_json::Value) -> Rule {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_rule_strikes_as_often_as_it_says_and_only_where_it_matches() {
        let faults = Faults::default();
        let unwrap =
            Touch { vault: "kv", key: "k", callers: &["id1", "oid"], ..Touch::of(Service::KeyVault, &["KeyUnwrap"]) };
        assert_eq!(faults.strike(&unwrap), None);
        let asked = json!({"service": "keyvault", "operation": "keyunwrap", "vault": "KV", "caller": "ID1", "status": 429, "after": 2, "times": 3, "retry_after": 5});
        faults.add(rule(asked)).unwrap();
        for other in [
            Touch { vault: "kv2", ..unwrap },
            Touch { operations: &["KeyWrap"], ..unwrap },
            Touch { callers: &["id2"], ..unwrap },
            Touch { service: Service::Arm, ..unwrap },
        ] {
            assert_eq!(faults.strike(&other), None, "{other:?}");
        }
        let hits: Vec<bool> = (0..8).map(|_| faults.strike(&unwrap).is_some()).collect();
        assert_eq!(hits, [false, false, true, true, true, false, false, false]);
        let [counted] = faults.clear(None).try_into().unwrap();
        assert_eq!((counted.matched, counted.hit), (8, 3));
        assert!(faults.list().is_empty() && !faults.any(Service::KeyVault));
    }

    #[test]
    fn the_first_due_rule_strikes_and_the_next_takes_over() {
        let faults = Faults::default();
        let first =
            faults.add(rule(json!({"service": "arm", "operation": "*/write", "status": 503, "times": 1}))).unwrap();
        faults.add(rule(json!({"service": "arm", "latency": 0.5}))).unwrap();
        let write = Touch::of(Service::Arm, &["Microsoft.KeyVault/vaults/write"]);
        let end = Some(End::Status { status: 503, retry_after: None });
        assert_eq!(faults.strike(&write), Some(Strike { latency: Duration::ZERO, end }));
        assert_eq!(faults.strike(&write), Some(Strike { latency: Duration::from_millis(500), end: None }));
        assert_eq!(faults.clear(Some(first.id)).len(), 1);
        assert!(faults.any(Service::Arm));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            json!({"service": "arm"}),
            json!({"service": "arm", "status": 200}),
            json!({"service": "arm", "status": 500, "drop": true}),
            json!({"service": "arm", "full": true}),
            json!({"service": "arm", "latency": -1.0}),
            json!({"service": "arm", "status": 500, "times": 0}),
            json!({"service": "arm", "drop": true, "retry_after": 1}),
            json!({"service": "disk", "status": 500}),
            json!({"service": "disk", "full": true, "vault": "kv"}),
            json!({"service": "graph", "status": 500, "repository": "app"}),
            json!({"service": "arm", "status": 500, "region": "westus"}),
        ] {
            assert!(rule(wrong.clone()).check().is_err(), "{wrong}");
        }
        assert!(serde_json::from_value::<Rule>(json!({"service": "arm", "staus": 500})).is_err());
        assert_eq!(Service::names().map(Service::parse).filter(Option::is_some).count(), 9);
    }
}
