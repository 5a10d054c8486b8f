//! Azure's built-in roles, as the service lists them (August 2026). Those of registries, vaults and identities are at
//! hand; the others are unpacked when one of them is asked for, so that nobody pays for them who does not use them.
//! Must not know: who holds them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use uuid::Uuid;

use super::role::Role;

/// Ids, texts and actions as Azure publishes them.
static NEAR: LazyLock<Vec<Role>> =
    LazyLock::new(|| serde_json::from_str(include_str!("built_in_roles.json")).unwrap_or_default());

/// All others, without their descriptions.
const FAR: &[u8] = include_bytes!("../../../fixtures/authorization/built-in-roles.json.gz");

/// The ids of the others, so that those of custom roles unpack nothing.
static FAR_IDS: LazyLock<Vec<u128>> = LazyLock::new(|| {
    let mut ids: Vec<u128> = far().iter().filter_map(|role| guid(&role.id)).collect();
    ids.sort_unstable();
    ids
});

/// Those of the others that were asked for by id: the gate asks for one with every call.
static ASKED: Mutex<BTreeMap<u128, Role>> = Mutex::new(BTreeMap::new());

fn guid(id: &str) -> Option<u128> {
    Uuid::try_parse(id).ok().map(|id| id.as_u128())
}

fn far() -> Vec<Role> {
    let mut text = Vec::new();
    // It was packed with this program: a test reads it.
    let unpacked = flate2::read::GzDecoder::new(FAR).read_to_end(&mut text);
    unpacked.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// The built-in role with this GUID.
#[must_use]
pub fn find(id: &str) -> Option<Role> {
    if let Some(near) = NEAR.iter().find(|role| role.id.eq_ignore_ascii_case(id)) {
        return Some(near.clone());
    }
    let wanted = guid(id)?;
    FAR_IDS.binary_search(&wanted).ok()?;
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = asked.get(&wanted) {
        return Some(known.clone());
    }
    let found = far().into_iter().find(|role| guid(&role.id) == Some(wanted))?;
    asked.insert(wanted, found.clone());
    Some(found)
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Role> {
    let mut all = NEAR.clone();
    all.extend(far());
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::access::condition::Condition;
    use crate::domain::access::role::Plane;
    use crate::domain::world::time::Timestamp;

    #[test]
    fn all_of_azures_roles_are_there_once() {
        let all = all();
        assert_eq!(all.len(), 928, "[recorded 2026-08]");
        assert_eq!(all.iter().map(|role| guid(&role.id).unwrap()).collect::<BTreeSet<_>>().len(), 928);
        for role in &all {
            assert_eq!(find(&role.id.to_uppercase()).as_ref(), Some(role));
        }
        assert_eq!(find("00000000-0000-0000-0000-000000000001"), None);
        assert_eq!(find("owner"), None);
    }

    #[test]
    fn owners_may_all_but_read_data() {
        let owner = find("8e3af657-a8ff-443c-a75c-2fe8c4bcb635").unwrap();
        let lists = |plane, action| owner.permissions.iter().any(|p| p.list(plane, action));
        assert!(lists(Plane::Control, "Microsoft.KeyVault/vaults/write"));
        assert!(!lists(Plane::Data, "Microsoft.KeyVault/vaults/keys/read"));
    }

    /// What cannot be read never holds, and what turns with the time would be remembered too long.
    #[test]
    fn their_conditions_can_be_read_and_do_not_turn_with_the_time() {
        let mut read = 0;
        for role in all() {
            for text in role.permissions.iter().filter_map(|p| p.condition.as_ref()) {
                let condition = Condition::parse(text).unwrap_or_else(|why| panic!("{}: {why}: {text}", role.name));
                assert_eq!(condition.turns_after(Timestamp(0)), None, "{}", role.name);
                read += 1;
            }
        }
        assert_eq!(read, 31);
    }
}
