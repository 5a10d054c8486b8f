//! The data plane's api-versions: which there are, and what each changes (keyvault.md A.5).
//! Must not know: what is shown otherwise.

use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::world::name::is_api_version;

/// The api-versions of the data plane [spec], each with its level: what it changes are a few attributes.
const VERSIONS: [(&str, u8); 11] = [
    ("2015-06-01", 0),
    ("2016-10-01", 0),
    ("7.0", 0),
    ("7.1", 1),
    ("7.2", 2),
    ("7.3", 3),
    ("7.4", 4),
    ("7.5", 5),
    ("7.6", 6),
    ("2025-07-01", 7),
    (LATEST, 8),
];

/// The newest version that is no preview.
pub const LATEST: &str = "2026-04-01";

/// The api-version of a request.
#[derive(Debug, Clone)]
pub struct Api {
    sent: String,
    level: u8,
}

impl Api {
    /// From the query parameter. Of a known version its previews are known too; with a date of its own a preview is
    /// known between the first dated ones and the newest version [inferred: not all of them are published].
    pub fn read(sent: String) -> Result<Self> {
        let (base, preview) = match sent.split_once("-preview") {
            Some((base, rest)) => (base, Some(rest)),
            None => (sent.as_str(), None),
        };
        let numbered = |rest: &str| {
            rest.is_empty()
                || rest.strip_prefix('.').is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
        };
        let listed = VERSIONS.iter().find(|(version, _)| *version == base).map(|(_, level)| *level);
        let level = match preview {
            None => listed,
            Some("") if is_api_version(base) && ("2025-06-01"..LATEST).contains(&base) => Some(7),
            Some(rest) if base.starts_with("7.") && numbered(rest) => listed,
            Some(_) => None,
        };
        match level {
            Some(level) => Ok(Self { sent, level }),
            None => Err(RequestError::ApiVersionInvalid(sent).into()),
        }
    }

    /// As the client wrote it.
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// Whether objects say for how many days they can be recovered.
    pub fn shows_recoverable_days(&self) -> bool {
        self.level >= 3
    }

    /// Whether keys say where they are kept and whether they can leave.
    pub fn shows_exportable(&self) -> bool {
        self.level >= 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_version_has_its_level() {
        let level = |sent: &str| Api::read(sent.to_owned()).unwrap().level;
        assert_eq!(["2016-10-01", "7.0", "7.2", "7.3", "7.4"].map(level), [0, 0, 2, 3, 4]);
        assert_eq!(["7.2-preview", "7.5-preview.1", "7.6-preview.2"].map(level), [2, 5, 6]);
        assert_eq!(["2025-07-01", "2026-01-01-preview", "2026-03-01-preview", "2026-04-01"].map(level), [7, 7, 7, 8]);
    }

    #[test]
    fn a_version_that_is_not_there_is_refused() {
        for sent in [
            "abc",
            "7",
            "7.",
            "7.7",
            "7.9",
            "7.10",
            "07.4",
            "8.0",
            "2025-07-02",
            "2099-01-01",
            "2014-01-01",
            "7.4-beta",
            "7.4-preview.12",
            "7.4-preview.x",
            "7.9-preview.1",
            "2099-01-01-preview",
            "2025-13-01-preview",
            "-preview",
            "2026-01-01-preview.1",
            " 7.4",
        ] {
            assert!(Api::read(sent.to_owned()).is_err(), "{sent}");
        }
    }
}
