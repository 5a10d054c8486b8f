//! The one tenant, subscription and developer that every instance starts with. Fixed and documented,
//! so that scripts can name them. They open nothing but emulators.

/// The tenant ("directory") id.
pub const TENANT_ID: &str = "ac0e1e00-7e4a-4000-8000-000000000001";
/// The tenant's default domain name.
pub const TENANT_DOMAIN: &str = "acrite.onmicrosoft.com";
/// The only subscription.
pub const SUBSCRIPTION_ID: &str = "ac0e1e00-50b5-4000-8000-000000000002";
/// The subscription's display name.
pub const SUBSCRIPTION_NAME: &str = "Acrite";
/// Client (application) id of the developer's service principal, Owner of the subscription.
pub const DEVELOPER_CLIENT_ID: &str = "ac0e1e00-de7e-4000-8000-000000000003";
/// Object id of the same service principal.
pub const DEVELOPER_OBJECT_ID: &str = "ac0e1e00-de7e-4000-8000-000000000004";
/// Its client secret.
pub const DEVELOPER_SECRET: &str = "acrite-developer-secret";
/// Its display name.
pub const DEVELOPER_NAME: &str = "acrite-developer";
/// Object id of the developer as a person: a user who is in the directory once somebody has signed in as one.
pub const DEVELOPER_USER_ID: &str = "ac0e1e00-de7e-4000-8000-000000000005";
/// The same user's principal name.
pub const DEVELOPER_USER_NAME: &str = "developer@acrite.onmicrosoft.com";
/// Id of the built-in role "Owner".
pub const ROLE_OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
