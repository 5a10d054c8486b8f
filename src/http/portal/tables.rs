//! The tables of pages: which there are, where they stand in the menu, and who answers.
//! Must not know: how a page is shown.

use super::blade::{Blade, Target, blade};
use super::labels as l;
use super::visit::segment;
use super::{
    access, audit, clock, content, create, deployments, encryption, group, home, identity, keys, live, map, registry,
    registry_children, registry_create, registry_tasks, vault, who,
};

/// Pages about no resource.
static PAGES: &[Blade] = &[
    blade!("", l::ALL_RESOURCES, home::show),
    blade!("create", l::CREATE_RESOURCE, home::create),
    blade!("create-group", l::CREATE_GROUP, create::group, create::create_group),
    blade!("create-identity", l::CREATE_IDENTITY, create::identity, create::create_identity),
    blade!("create-vault", l::CREATE_VAULT, create::vault, create::create_vault),
    blade!("create-registry", l::CREATE_REGISTRY, registry_create::show, registry_create::act),
    blade!("create-deployment", l::DEPLOY_TEMPLATE, deployments::template, deployments::deploy),
    blade!("deleted-vaults", l::DELETED_VAULTS, vault::deleted, vault::act_on_deleted),
    blade!("who", l::ACT_AS, who::show),
    blade!("map", l::MAP, map::show),
    blade!("audit", l::AUDIT, audit::show),
    blade!("requests", l::REQUESTS, live::show),
    blade!("clock", l::CLOCK, clock::show, clock::act),
];

static GROUP: &[Blade] = &[
    blade!("overview", l::OVERVIEW, group::overview, group::delete),
    blade!("iam", l::IAM, access::iam, access::unassign),
    blade!("iam-add", l::ADD_ROLE_ASSIGNMENT, access::iam_add, access::assign).apart(),
    blade!("deployments", l::DEPLOYMENTS, deployments::list).under(l::SETTINGS),
    blade!("deployment", l::DEPLOYMENT, deployments::show).apart(),
];

static IDENTITY: &[Blade] = &[
    blade!("overview", l::OVERVIEW, identity::overview, group::delete),
    blade!("iam", l::IAM, access::iam, access::unassign),
    blade!("iam-add", l::ADD_ROLE_ASSIGNMENT, access::iam_add, access::assign).apart(),
];

static VAULT: &[Blade] = &[
    blade!("overview", l::OVERVIEW, vault::overview, group::delete),
    blade!("iam", l::IAM, access::iam, access::unassign),
    blade!("iam-add", l::ADD_ROLE_ASSIGNMENT, access::iam_add, access::assign).apart(),
    blade!("keys", l::KEYS, keys::keys).under(l::SETTINGS),
    blade!("keys-create", l::CREATE_KEY, keys::create, keys::create_key).apart(),
    blade!("keys-deleted", l::MANAGE_DELETED_KEYS, keys::deleted, keys::act_on_deleted).apart(),
    blade!("key", l::KEY, keys::key, keys::act_on_key).apart(),
    blade!("key-rotation", l::ROTATION_POLICY, keys::rotation, keys::save_rotation).apart(),
    blade!("access-policies", l::ACCESS_POLICIES, access::policies, access::change_policies).under(l::SETTINGS),
    blade!("access-policies-add", l::ADD_ACCESS_POLICY, access::policy_add, access::add_policy).apart(),
    blade!("networking", l::NETWORKING, vault::networking, vault::save_networking).under(l::SETTINGS),
    blade!("properties", l::ACCESS_CONFIGURATION, vault::properties, vault::save_properties).under(l::SETTINGS),
];

static REGISTRY: &[Blade] = &[
    blade!("overview", l::OVERVIEW, registry::overview, group::delete),
    blade!("iam", l::IAM, access::iam, access::unassign),
    blade!("iam-add", l::ADD_ROLE_ASSIGNMENT, access::iam_add, access::assign).apart(),
    blade!("access-keys", l::ACCESS_KEYS, registry::access_keys, registry::save_access_keys).under(l::SETTINGS),
    blade!("encryption", l::ENCRYPTION, encryption::show).under(l::SETTINGS),
    blade!("encryption-change", l::CHANGE_KEY, encryption::change, encryption::save).apart(),
    blade!("identity", l::IDENTITY, registry::identity, registry::save_identity).under(l::SETTINGS),
    blade!("networking", l::NETWORKING, registry::networking, registry::save_networking).under(l::SETTINGS),
    blade!("locks", l::LOCKS, registry_children::locks, registry_children::act_on_locks).under(l::SETTINGS),
    blade!("repositories", l::REPOSITORIES, content::repositories).under(l::SERVICES),
    blade!("repository", l::REPOSITORY, content::repository).apart(),
    blade!("manifest", l::MANIFEST, content::manifest).apart(),
    blade!("webhooks", l::WEBHOOKS, registry_children::webhooks, registry_children::create_webhook).under(l::SERVICES),
    blade!("webhook", l::WEBHOOK, registry_children::webhook, registry_children::act_on_webhook).apart(),
    blade!("replications", l::REPLICATIONS, registry_children::replications, registry_children::act_on_replications)
        .under(l::SERVICES),
    blade!("tasks", l::TASKS, registry_tasks::tasks).under(l::SERVICES),
    blade!("task", l::TASK, registry_tasks::task, registry_tasks::act_on_task).apart(),
    blade!("runs", l::RUNS, registry_tasks::runs).under(l::SERVICES),
    blade!("run", l::RUN, registry_tasks::run, registry_tasks::cancel_run).apart(),
];

/// The pages of a resource.
pub(super) fn of(id: &str) -> &'static [Blade] {
    let lower = id.to_ascii_lowercase();
    let kind = lower.split("/providers/").nth(1).and_then(|rest| rest.rsplit_once('/')).map(|(kind, _)| kind);
    match kind {
        None if !lower.contains("/providers/") => GROUP,
        Some("microsoft.keyvault/vaults") => VAULT,
        Some("microsoft.containerregistry/registries") => REGISTRY,
        Some("microsoft.managedidentity/userassignedidentities") => IDENTITY,
        _ => &[],
    }
}

/// The page at an address, given as segments after `/portal/`.
pub(super) fn find(path: &[&str]) -> Option<(&'static Blade, Target)> {
    let ["resource", rest @ ..] = path else {
        let slug = match path {
            [] => "",
            [slug] => slug,
            _ => return None,
        };
        let found = PAGES.iter().find(|blade| blade.slug == slug)?;
        return Some((found, Target::default()));
    };
    let (length, group, name) = match rest {
        ["subscriptions", _, groups, group, "providers", _, _, name, ..]
            if groups.eq_ignore_ascii_case("resourceGroups") =>
        {
            (8, group, name)
        }
        ["subscriptions", _, groups, group, ..] if groups.eq_ignore_ascii_case("resourceGroups") => (4, group, group),
        _ => return None,
    };
    let id: Vec<String> = rest[..length].iter().map(|s| segment(s)).collect();
    let id = format!("/{}", id.join("/"));
    let slug = rest.get(length).copied().unwrap_or("overview");
    let found = of(&id).iter().find(|blade| blade.slug == slug)?;
    let after = rest.get(length + 1..).unwrap_or_default().iter().map(|s| (*s).to_owned()).collect();
    let target = Target { id, group: (*group).to_owned(), name: (*name).to_owned(), rest: after };
    Some((found, target))
}
