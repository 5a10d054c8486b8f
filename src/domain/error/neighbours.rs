//! Refusals of resources that stand around registries and vaults.
//! Must not know: status codes, JSON, which protocol asked.

/// Refusals of diagnostic settings, networks and their like.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NeighbourError {
    /// A diagnostic setting is not valid: the whole message.
    #[error("{0}")]
    DiagnosticsInvalid(String),
    /// A type whose resources write no logs.
    #[error("{0} has no diagnostic settings")]
    DiagnosticsUnsupported(String),
    /// Two diagnostic settings would send the same logs to the same place.
    #[error("setting {setting} sends {category} to {sink}")]
    SinkTaken { sink: String, setting: String, category: String },
    /// A subnet's range is not in its network's.
    #[error("subnet {subnet} is not within network {network}")]
    SubnetOutside { subnet: String, network: String },
    /// A subnet holds an endpoint.
    #[error("subnet {subnet} holds {by}")]
    SubnetInUse { subnet: String, by: String },
    /// These types cannot be moved to another group.
    #[error("{0} cannot be moved")]
    Unmovable(String),
    /// The subscription is not registered for a provider.
    #[error("the subscription is not registered for {0}")]
    Unregistered(String),
    /// A provider that still has resources keeps its registration.
    #[error("there are resources of {0}")]
    ProviderInUse(String),
    /// What a resource refers to is not there.
    #[error("{by} refers to {what}")]
    ReferenceNotFound { what: String, by: String },
}
