//! In which order a template's resources are created: what they name in `dependsOn`, what they refer to, and keys
//! before their use.
//! Must not know: how a resource is read or created.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::budget::{Budget, Spent};
use super::ids;
use super::invalid::{Invalid, validation};
use super::reading::Before;
use super::resource::Resource;

/// Sets what each resource waits for. `uses`: the resources that each one's expressions are about.
pub(super) fn connect(
    resources: &mut [Resource],
    before: &[Before],
    symbols: &HashMap<String, Vec<usize>>,
    uses: &[BTreeSet<usize>],
    budget: &Budget,
) -> Result<(), Invalid> {
    check_once(resources)?;
    let meanings = meanings(resources, symbols);
    for at in 0..resources.len() {
        let mut waits: BTreeSet<usize> = before.get(at).into_iter().flat_map(|b| b.batch.iter().copied()).collect();
        for wanted in before.get(at).into_iter().flat_map(|b| &b.words) {
            let lower = wanted.trim_end_matches('/').to_ascii_lowercase();
            // A child's own siblings go by their last name [client].
            let sibling =
                resources[at].name.rsplit_once('/').map(|(parent, _)| format!("{parent}/{lower}").to_ascii_lowercase());
            let words = [Some(lower), sibling];
            let meant = words.iter().flatten().find_map(|word| meanings.iter().find_map(|m| m.get(word)));
            let meant = meant.ok_or_else(|| {
                validation(format!("The resource '{wanted}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details."))
            })?;
            budget.step(meant.len())?;
            waits.extend(meant);
        }
        let resource = &resources[at];
        if resource.wanted && !resource.existing {
            let wanted = |used: &&usize| resources[**used].wanted && !resources[**used].existing;
            waits.extend(uses.get(at).into_iter().flatten().filter(wanted));
        }
        let parent = resource.name.rsplit_once('/').zip(resource.kind.rsplit_once('/'));
        if let Some(((parent, _), (kind, _))) = parent {
            let is_parent = |r: &Resource| r.name.eq_ignore_ascii_case(parent) && r.kind.eq_ignore_ascii_case(kind);
            waits.extend(resources.iter().position(is_parent));
        }
        resources[at].depends_on = waits.into_iter().collect();
    }
    if let Some(at) = in_circle(resources) {
        return Err(validation(format!(
            "Circular dependency detected on resource: '{}'. Please see https://aka.ms/arm-syntax-resources for usage details.",
            resources[at].id
        )));
    }
    Ok(keys_before_their_use(resources, budget)?)
}

/// Refuses a resource that is there twice.
fn check_once(resources: &[Resource]) -> Result<(), Invalid> {
    let mut ids = HashSet::new();
    for resource in resources.iter().filter(|r| r.wanted && !r.existing) {
        if !ids.insert(resource.id.to_ascii_lowercase()) {
            let (line, column, _) = &resource.place;
            return Err(validation(format!(
                "The resource '{}' at line '{line}' and column '{column}' is defined multiple times in a template. Please see https://aka.ms/arm-syntax-resources for usage details.",
                resource.id
            )));
        }
    }
    Ok(())
}

/// What an entry of `dependsOn` may mean: symbolic names, ids, ids below the scope, loops, names, in this
/// order, all in lower case.
fn meanings(resources: &[Resource], symbols: &HashMap<String, Vec<usize>>) -> [HashMap<String, Vec<usize>>; 5] {
    let mut all: [HashMap<String, Vec<usize>>; 5] = Default::default();
    all[0].clone_from(symbols);
    for (at, resource) in resources.iter().enumerate() {
        let path = ids::interleave(&resource.kind, &resource.name).unwrap_or_default();
        let group = resource.copies.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let words = [resource.id.as_str(), path.as_str(), group, resource.name.as_str()];
        for (meaning, word) in all[1..].iter_mut().zip(words).filter(|(_, word)| !word.is_empty()) {
            meaning.entry(word.to_ascii_lowercase()).or_default().push(at);
        }
    }
    all
}

/// A resource that waits for itself, if there is one.
fn in_circle(resources: &[Resource]) -> Option<usize> {
    let mut waiting: Vec<usize> = resources.iter().map(|r| r.depends_on.len()).collect();
    let after = followers(resources);
    let mut ready: Vec<usize> = (0..waiting.len()).filter(|at| waiting[*at] == 0).collect();
    while let Some(done) = ready.pop() {
        for next in &after[done] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    waiting.iter().position(|before| *before > 0)
}

/// For each resource those that wait for it.
fn followers(resources: &[Resource]) -> Vec<Vec<usize>> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); resources.len()];
    for (at, resource) in resources.iter().enumerate() {
        resource.depends_on.iter().for_each(|before| after[*before].push(at));
    }
    after
}

/// The article's template starts the registry beside the access policy that its key needs; Azure gets
/// away with it (acr.md B.4). Here whatever uses a key waits for all that does not wait for it.
fn keys_before_their_use(resources: &mut [Resource], budget: &Budget) -> Result<(), Spent> {
    let users: Vec<bool> = resources.iter().map(|r| r.uses_key).collect();
    let mut after = followers(resources);
    for user in (0..users.len()).filter(|at| users[*at]) {
        let mut waits = vec![false; users.len()];
        let mut next = vec![user];
        while let Some(at) = next.pop() {
            if !std::mem::replace(&mut waits[at], true) {
                budget.step(after[at].len() / 8)?;
                next.extend(&after[at]);
            }
        }
        let mut before: BTreeSet<usize> = resources[user].depends_on.iter().copied().collect();
        for first in (0..users.len()).filter(|at| !users[*at] && !waits[*at]) {
            if before.insert(first) {
                after[first].push(user);
            }
        }
        resources[user].depends_on = before.into_iter().collect();
    }
    Ok(())
}
