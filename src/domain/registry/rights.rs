//! The rights in a registry: one row for each, with the words that tokens, scope maps and roles have for it.
//! Must not know: who has which.

use crate::domain::access::Plane;

/// Something that may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Pull,
    Push,
    Delete,
    MetadataRead,
    MetadataWrite,
    DeletedRead,
    DeletedRestore,
    /// To list all repositories.
    Catalog,
    /// To list those with something in the soft-deleted bin.
    DeletedCatalog,
    /// To see what is in quarantine.
    QuarantineRead,
    /// To say what is to leave quarantine.
    QuarantineWrite,
}

/// All that is to be said of a right.
struct Row {
    right: Right,
    /// Where it holds in the registry as a whole: its name in scopes. `None`: it holds in a repository.
    whole: Option<&'static str>,
    /// Its name in scopes and challenges.
    action: &'static str,
    /// The right of a scope map that gives it. One in the whole registry is given by a map of all repositories.
    mapped: Option<&'static str>,
    /// Its name in the `permissions` of refresh tokens [recorded sample].
    permission: Option<&'static str>,
    /// The actions of roles that give it, each alone, below `Microsoft.ContainerRegistry/registries/`.
    roles: &'static [(Plane, &'static str)],
    /// The same where the role assignment mode is `AbacRepositoryPermissions`.
    roles_by_repository: (Plane, &'static str),
}

const fn row(right: Right, action: &'static str) -> Row {
    let roles_by_repository = (Plane::Data, "");
    Row { right, whole: None, action, mapped: None, permission: None, roles: &[], roles_by_repository }
}

/// A new right is a variant of [`Right`] and a row here.
const ROWS: [Row; 11] = [
    Row {
        mapped: Some("content/read"),
        permission: Some("read"),
        roles: &[(Plane::Control, "pull/read")],
        roles_by_repository: (Plane::Data, "repositories/content/read"),
        ..row(Right::Pull, "pull")
    },
    Row {
        mapped: Some("content/write"),
        permission: Some("write"),
        roles: &[(Plane::Control, "push/write")],
        roles_by_repository: (Plane::Data, "repositories/content/write"),
        ..row(Right::Push, "push")
    },
    Row {
        mapped: Some("content/delete"),
        permission: Some("delete"),
        roles: &[(Plane::Control, "artifacts/delete")],
        roles_by_repository: (Plane::Data, "repositories/content/delete"),
        ..row(Right::Delete, "delete")
    },
    Row {
        mapped: Some("metadata/read"),
        permission: Some("metadata/read"),
        // AcrPull does not name it, and yet lists tags and repositories [docs: role table].
        roles: &[(Plane::Control, "pull/read"), (Plane::Control, "metadata/read")],
        roles_by_repository: (Plane::Data, "repositories/metadata/read"),
        ..row(Right::MetadataRead, "metadata_read")
    },
    Row {
        mapped: Some("metadata/write"),
        permission: Some("metadata/write"),
        // [inferred] AcrPush may lock what it may overwrite.
        roles: &[(Plane::Control, "push/write"), (Plane::Control, "metadata/write")],
        roles_by_repository: (Plane::Data, "repositories/metadata/write"),
        ..row(Right::MetadataWrite, "metadata_write")
    },
    // What scope maps and repository permissions give in the bin is [inferred].
    Row {
        mapped: Some("metadata/read"),
        permission: Some("deleted/read"),
        roles: &[(Plane::Control, "deleted/read")],
        roles_by_repository: (Plane::Data, "repositories/metadata/read"),
        ..row(Right::DeletedRead, "deleted_read")
    },
    Row {
        mapped: Some("content/write"),
        permission: Some("deleted/restore/action"),
        roles: &[(Plane::Control, "deleted/restore/action")],
        roles_by_repository: (Plane::Data, "repositories/content/write"),
        ..row(Right::DeletedRestore, "deleted_restore")
    },
    Row {
        whole: Some("catalog"),
        // Of maps of single repositories none [docs]; the system's maps of all repositories list them [issue].
        mapped: Some("metadata/read"),
        roles: &[(Plane::Control, "pull/read"), (Plane::Control, "catalog/read")],
        roles_by_repository: (Plane::Data, "catalog/read"),
        ..row(Right::Catalog, "*")
    },
    Row {
        whole: Some("deleted_catalog"),
        mapped: Some("metadata/read"),
        roles: &[(Plane::Control, "deleted/read")],
        roles_by_repository: (Plane::Data, "repositories/metadata/read"),
        ..row(Right::DeletedCatalog, "*")
    },
    Row {
        whole: Some("quarantine"),
        roles: &[(Plane::Data, "quarantinedArtifacts/read")],
        roles_by_repository: (Plane::Data, "quarantinedArtifacts/read"),
        ..row(Right::QuarantineRead, "read")
    },
    Row {
        whole: Some("quarantine"),
        roles: &[(Plane::Data, "quarantinedArtifacts/write")],
        roles_by_repository: (Plane::Data, "quarantinedArtifacts/write"),
        ..row(Right::QuarantineWrite, "write")
    },
];

impl Right {
    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// What `type`, `name` and `action` of a scope are for it, where it holds in the registry as a whole.
    #[must_use]
    pub fn whole(self) -> Option<&'static str> {
        self.row().whole
    }

    /// Its name in scopes and challenges.
    #[must_use]
    pub fn action(self) -> &'static str {
        self.row().action
    }

    /// The right of a scope map that gives it.
    #[must_use]
    pub fn mapped(self) -> Option<&'static str> {
        self.row().mapped
    }

    /// The actions of roles that give it, each alone.
    #[must_use]
    pub fn roles(self, by_repository: bool) -> &'static [(Plane, &'static str)] {
        let row = self.row();
        if by_repository { std::slice::from_ref(&row.roles_by_repository) } else { row.roles }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u16);

impl Rights {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// All but to see what is in quarantine, for which there are roles of their own.
    pub const ALL: Self = Self((1 << ROWS.len()) - 1).without(Right::QuarantineRead).without(Right::QuarantineWrite);

    /// What nobody in particular may do where anonymous pull is on: the catalog too [recorded].
    pub const ANONYMOUS: Self = Self::NONE.with(Right::Pull).with(Right::MetadataRead).with(Right::Catalog);

    /// What `*` asks for in a repository.
    const STARRED: Self = Self::NONE
        .with(Right::Pull)
        .with(Right::Push)
        .with(Right::Delete)
        .with(Right::MetadataRead)
        .with(Right::MetadataWrite);

    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | 1 << right as u16)
    }

    #[must_use]
    pub const fn without(self, right: Right) -> Self {
        Self(self.0 & !(1 << right as u16))
    }

    /// Those of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & 1 << right as u16 != 0
    }

    /// The rights that a rule gives, of those that hold in a repository, or of those in the registry as a whole.
    pub fn given(in_repository: bool, mut gives: impl FnMut(Right) -> bool) -> Self {
        let rows = ROWS.iter().filter(|row| row.whole.is_none() == in_repository);
        rows.filter(|row| gives(row.right)).fold(Self::NONE, |set, row| set.with(row.right))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        ROWS.iter().map(|row| row.right).filter(move |right| self.has(*right))
    }

    /// The words of a refresh token's `permissions`.
    #[must_use]
    pub fn permissions(self) -> Vec<&'static str> {
        self.iter().filter_map(|right| right.row().permission).collect()
    }
}

/// Rights in a repository, or in the registry as a whole: a scope of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub repository: Option<String>,
    pub rights: Rights,
}

/// Bytes of a repository's name at most (OCI distribution 1.1).
const NAME_LIMIT: usize = 255;

impl Scope {
    /// What `{kind}:{name}:{actions}` means. `None`: it gives nothing here.
    pub fn of<'a>(kind: &str, name: &str, actions: impl Iterator<Item = &'a str>) -> Option<Self> {
        if name.len() > NAME_LIMIT {
            return None;
        }
        let repository = match kind {
            "repository" | "artifact-repository" => Some(name.to_owned()),
            "registry" => None,
            _ => return None,
        };
        let mut rights = Rights::NONE;
        for action in actions {
            let named = |right: Right| right.action() == action && right.whole().is_none_or(|whole| whole == name);
            rights = rights.or(match (&repository, action) {
                (Some(_), "*") => Rights::STARRED,
                _ => Rights::given(repository.is_some(), named),
            });
        }
        (rights != Rights::NONE).then_some(Self { repository, rights })
    }

    /// Parses what clients write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        Self::of(kind, name, actions.split(','))
    }

    /// `type`, `name` and `actions` as tokens have them, one for each name.
    #[must_use]
    pub fn written(&self) -> Vec<(&'static str, &str, Vec<&'static str>)> {
        let mut written: Vec<(_, &str, Vec<&'static str>)> = Vec::new();
        for right in self.rights.iter() {
            let (kind, name) = match &self.repository {
                Some(name) => ("repository", name.as_str()),
                None => ("registry", right.whole().unwrap_or_default()),
            };
            match written.iter_mut().find(|(_, known, _)| *known == name) {
                Some((.., actions)) => actions.push(right.action()),
                None => written.push((kind, name, vec![right.action()])),
            }
        }
        written.iter_mut().for_each(|(.., actions)| actions.sort_unstable());
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_has_its_row() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.right as usize, at, "{:?}", row.right);
            assert!(!row.roles.is_empty() && !row.roles_by_repository.1.is_empty(), "{:?}", row.right);
        }
    }

    #[test]
    fn scopes_are_read_and_written() {
        let written = |text: &str| {
            let scope = Scope::parse(text)?;
            let each = scope.written().into_iter().map(|(k, n, a)| format!("{k}:{n}:{}", a.join(",")));
            Some(each.collect::<Vec<_>>().join(" "))
        };
        let same = |text: &str| assert_eq!(written(text).as_deref(), Some(text));
        same("repository:a/b:pull,push");
        same("repository:a:deleted_read,deleted_restore");
        same("registry:catalog:*");
        same("registry:deleted_catalog:*");
        same("registry:quarantine:read,write");
        let all = "repository:a:delete,metadata_read,metadata_write,pull,push";
        assert_eq!(written("artifact-repository:a:*").as_deref(), Some(all));
        assert_eq!(written("repository:a:pull,fly").as_deref(), Some("repository:a:pull"));
        for nothing in
            ["repository:a:", "repository:a:fly", "registry:catalog:pull", "registry:x:*", "x:a:pull", "a", ""]
        {
            assert_eq!(written(nothing), None, "{nothing}");
        }
    }
}
