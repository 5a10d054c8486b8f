//! Which part of a list of resources is asked for: lists go on after a resource, by its name and group.
//! Must not know: which kinds of resources there are, how parts are asked for on the wire.

/// A part of a list in the order of names, and of groups where names are the same.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// `None`: of the whole subscription.
    pub group: Option<&'a str>,
    /// Name and group of the resource it begins after, which need not be there any more. Empty: from the beginning.
    pub after: (String, String),
    /// How many at most.
    pub most: usize,
}

impl<'a> Part<'a> {
    /// All of a group, or of the subscription.
    #[must_use]
    pub fn whole(group: Option<&'a str>) -> Self {
        Self { group, after: Default::default(), most: usize::MAX }
    }

    /// The most that a statement is to give.
    #[must_use]
    pub fn limit(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }
}
