//! The properties of Graph's objects: which there are, what each is where nobody set it, which are shown unasked, which
//! lists can be filtered and sorted by [docs: properties and JSON representation of each resource type].
//! Must not know: how objects are kept, queries, answers.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::domain::world::well_known::TENANT_DOMAIN;

/// A resource type.
pub(super) struct Entity {
    /// As Graph calls one: `application`.
    pub name: &'static str,
    /// As Graph calls them all: `applications`.
    pub set: &'static str,
    /// What is shown unless something is selected.
    shown: Map<String, Value>,
    /// What is shown where it is selected, and by `beta`.
    more: Map<String, Value>,
    /// What leads to other objects; never shown, and taken in bodies as references only.
    relations: &'static [&'static str],
    /// Flags, whose values must be `true` or `false`.
    flags: &'static [&'static str],
    /// What can be filtered by.
    pub filterable: &'static [&'static str],
    /// What can be sorted by.
    pub sortable: &'static [&'static str],
}

/// The members of objects: several, for a macro goes only so deep.
fn members<const N: usize>(objects: [Value; N]) -> Map<String, Value> {
    objects
        .into_iter()
        .filter_map(|object| if let Value::Object(members) = object { Some(members) } else { None })
        .flatten()
        .collect()
}

impl Entity {
    /// Every property as it is where nobody set it.
    pub(super) fn defaults(&self) -> Map<String, Value> {
        let mut all = self.shown.clone();
        all.extend(self.more.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }

    /// Whether a property is shown unasked. `beta` shows all there is.
    pub(super) fn is_shown(&self, name: &str, beta: bool) -> bool {
        self.shown.contains_key(name) || (beta && self.more.contains_key(name))
    }

    /// Whether there is such a property or relation, whatever its case. Directory extensions are properties too.
    pub(super) fn knows(&self, name: &str) -> bool {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        self.shown.keys().chain(self.more.keys()).any(|known| same(known))
            || self.relations.iter().any(|known| same(known))
            || name.starts_with("extension_")
    }

    /// Whether there is such a property, in its own case.
    pub(super) fn has(&self, name: &str) -> bool {
        self.shown.contains_key(name) || self.more.contains_key(name) || name.starts_with("extension_")
    }

    /// Fills in what is not there: members of objects, and lists and objects that are null.
    pub(super) fn complete(&self, object: &mut Map<String, Value>) {
        for (name, default) in self.shown.iter().chain(&self.more) {
            match object.get_mut(name) {
                Some(value) => fill(value, default),
                None => {
                    object.insert(name.clone(), default.clone());
                }
            }
        }
    }

    /// Whether a property is a flag.
    pub(super) fn is_flag(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    /// Whether a value can be the property's: lists are lists, objects are objects.
    pub(super) fn fits(&self, name: &str, value: &Value) -> bool {
        match self.shown.get(name).or_else(|| self.more.get(name)) {
            _ if value.is_null() => true,
            Some(Value::Array(_)) => value.is_array(),
            Some(Value::Object(_)) => value.is_object(),
            _ if self.is_flag(name) => value.is_boolean(),
            _ => true,
        }
    }
}

/// Fills in what a value lacks of what it is where nobody set it.
pub(super) fn fill(value: &mut Value, default: &Value) {
    match (value, default) {
        (Value::Object(members), Value::Object(defaults)) => {
            for (name, default) in defaults {
                match members.get_mut(name) {
                    Some(value) => fill(value, default),
                    None => {
                        members.insert(name.clone(), default.clone());
                    }
                }
            }
        }
        (value @ Value::Null, Value::Object(_) | Value::Array(_)) => *value = default.clone(),
        _ => {}
    }
}

fn links() -> Value {
    json!({"logoUrl": null, "marketingUrl": null, "privacyStatementUrl": null, "supportUrl": null, "termsOfServiceUrl": null})
}

fn publisher() -> Value {
    json!({"displayName": null, "verifiedPublisherId": null, "addedDateTime": null})
}

pub(super) static APPLICATION: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "application",
    set: "applications",
    shown: members([
        json!({
            "id": null, "deletedDateTime": null, "appId": null, "applicationTemplateId": null,
            "disabledByMicrosoftStatus": null, "createdByAppId": null, "createdDateTime": null, "displayName": null,
            "description": null, "groupMembershipClaims": null, "identifierUris": [], "isDeviceOnlyAuthSupported": null,
            "isDisabled": null, "isFallbackPublicClient": null, "nativeAuthenticationApisEnabled": null, "notes": null,
            "publisherDomain": TENANT_DOMAIN, "serviceManagementReference": null, "signInAudience": "AzureADMyOrg",
        }),
        json!({
            "tags": [], "tokenEncryptionKeyId": null, "uniqueName": null, "samlMetadataUrl": null,
            "defaultRedirectUri": null, "certification": null, "optionalClaims": null,
            "servicePrincipalLockConfiguration": null, "requestSignatureVerification": null, "addIns": [],
            "api": {"acceptMappedClaims": null, "knownClientApplications": [], "requestedAccessTokenVersion": null, "oauth2PermissionScopes": [], "preAuthorizedApplications": []},
        }),
        json!({
            "appRoles": [], "info": links(), "keyCredentials": [],
            "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
            "passwordCredentials": [], "publicClient": {"redirectUris": []}, "requiredResourceAccess": [],
            "verifiedPublisher": publisher(),
            "web": {"homePageUrl": null, "logoutUrl": null, "redirectUris": [], "implicitGrantSettings": {"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false}, "redirectUriSettings": []},
            "spa": {"redirectUris": []},
        }),
    ]),
    more: members([json!({
        "authenticationBehaviors": null, "logo": null, "oauth2RequirePostResponse": false, "onPremisesPublishing": null,
        "windows": null, "managerApplications": [], "signInAudienceRestrictions": null,
    })]),
    relations: &[
        "owners",
        "federatedIdentityCredentials",
        "extensionProperties",
        "appManagementPolicies",
        "tokenIssuancePolicies",
        "tokenLifetimePolicies",
        "homeRealmDiscoveryPolicies",
        "createdOnBehalfOf",
        "synchronization",
        "connectorGroup",
    ],
    flags: &["isDeviceOnlyAuthSupported", "isDisabled", "isFallbackPublicClient", "oauth2RequirePostResponse"],
    filterable: &["id", "appId", "displayName", "identifierUris", "signInAudience", "isDisabled", "tags", "uniqueName"],
    sortable: &["displayName", "appId", "createdDateTime"],
});

pub(super) static SERVICE_PRINCIPAL: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "servicePrincipal",
    set: "servicePrincipals",
    shown: members([
        json!({
            "id": null, "deletedDateTime": null, "accountEnabled": true, "alternativeNames": [], "appDisplayName": null,
            "appDescription": null, "appId": null, "applicationTemplateId": null, "appOwnerOrganizationId": null,
            "appRoleAssignmentRequired": false, "createdByAppId": null, "createdDateTime": null, "description": null,
            "disabledByMicrosoftStatus": null, "displayName": null, "homepage": null, "isDisabled": null, "loginUrl": null,
            "logoutUrl": null, "notes": null, "notificationEmailAddresses": [], "preferredSingleSignOnMode": null,
            "preferredTokenSigningKeyThumbprint": null, "replyUrls": [], "servicePrincipalNames": [],
            "servicePrincipalType": "Application", "signInAudience": null, "tags": [], "tokenEncryptionKeyId": null,
        }),
        json!({
            "samlSingleSignOnSettings": null, "addIns": [], "appRoles": [], "info": links(), "keyCredentials": [],
            "oauth2PermissionScopes": [], "passwordCredentials": [], "resourceSpecificApplicationPermissions": [],
            "verifiedPublisher": publisher(),
        }),
    ]),
    more: members([json!({
        "customSecurityAttributes": null, "errorUrl": null, "isAuthorizationServiceEnabled": false,
        "passwordSingleSignOnSettings": null, "preferredTokenSigningKeyEndDateTime": null, "publisherName": null,
        "samlMetadataUrl": null,
    })]),
    relations: &[
        "owners",
        "memberOf",
        "transitiveMemberOf",
        "appRoleAssignedTo",
        "appRoleAssignments",
        "claimsMappingPolicies",
        "claimsPolicy",
        "createdObjects",
        "delegatedPermissionClassifications",
        "endpoints",
        "federatedIdentityCredentials",
        "homeRealmDiscoveryPolicies",
        "oauth2PermissionGrants",
        "ownedObjects",
        "remoteDesktopSecurityConfiguration",
        "synchronization",
        "tokenIssuancePolicies",
        "tokenLifetimePolicies",
        "appManagementPolicies",
    ],
    flags: &["accountEnabled", "appRoleAssignmentRequired", "isDisabled"],
    filterable: &[
        "id",
        "appId",
        "displayName",
        "servicePrincipalNames",
        "servicePrincipalType",
        "accountEnabled",
        "alternativeNames",
        "appOwnerOrganizationId",
        "tags",
    ],
    sortable: &["displayName", "appId", "createdDateTime"],
});

pub(super) static GROUP: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "group",
    set: "groups",
    shown: members([
        json!({
            "id": null, "deletedDateTime": null, "classification": null, "createdDateTime": null, "creationOptions": [],
            "description": null, "displayName": null, "expirationDateTime": null, "groupTypes": [],
            "isAssignableToRole": null, "mail": null, "mailEnabled": false, "mailNickname": null, "membershipRule": null,
        }),
        json!({
            "membershipRuleProcessingState": null, "onPremisesDomainName": null, "onPremisesLastSyncDateTime": null,
            "onPremisesNetBiosName": null, "onPremisesSamAccountName": null, "onPremisesSecurityIdentifier": null,
            "onPremisesSyncEnabled": null, "preferredDataLocation": null, "preferredLanguage": null, "proxyAddresses": [],
            "renewedDateTime": null, "resourceBehaviorOptions": [], "resourceProvisioningOptions": [],
            "securityEnabled": true, "securityIdentifier": null, "theme": null, "uniqueName": null, "visibility": null,
            "onPremisesProvisioningErrors": [], "serviceProvisioningErrors": [],
        }),
    ]),
    more: members([json!({
        "allowExternalSenders": null, "assignedLabels": [], "assignedLicenses": [], "autoSubscribeNewMembers": null,
        "createdByAppId": null, "hasMembersWithLicenseErrors": null, "hideFromAddressLists": null,
        "hideFromOutlookLists": null, "isArchived": null, "isManagementRestricted": null, "isSubscribedByMail": null,
        "licenseProcessingState": null, "organizationId": null, "unseenCount": null,
        "writebackConfiguration": {"isEnabled": false, "onPremisesGroupType": null},
    })]),
    relations: &[
        "owners",
        "members",
        "memberOf",
        "transitiveMembers",
        "transitiveMemberOf",
        "membersWithLicenseErrors",
        "createdOnBehalfOf",
        "appRoleAssignments",
        "permissionGrants",
        "settings",
        "extensions",
        "acceptedSenders",
        "rejectedSenders",
        "photo",
        "photos",
        "team",
        "sites",
        "drive",
        "drives",
        "planner",
    ],
    flags: &["mailEnabled", "securityEnabled", "isAssignableToRole", "isManagementRestricted"],
    filterable: &[
        "id",
        "displayName",
        "mailNickname",
        "mail",
        "mailEnabled",
        "securityEnabled",
        "description",
        "groupTypes",
        "uniqueName",
    ],
    sortable: &["displayName", "createdDateTime", "mail", "mailNickname"],
});

pub(super) static USER: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "user",
    set: "users",
    shown: members([json!({
        "businessPhones": [], "displayName": null, "givenName": null, "jobTitle": null, "mail": null,
        "mobilePhone": null, "officeLocation": null, "preferredLanguage": null, "surname": null,
        "userPrincipalName": null, "id": null,
    })]),
    more: members([
        json!({
            "accountEnabled": true, "ageGroup": null, "assignedLicenses": [], "assignedPlans": [], "authorizationInfo": {"certificateUserIds": []},
            "city": null, "companyName": null, "consentProvidedForMinor": null, "country": null, "createdDateTime": null,
            "creationType": null, "customSecurityAttributes": null, "deletedDateTime": null, "department": null,
        }),
        json!({
            "employeeHireDate": null, "employeeId": null, "employeeLeaveDateTime": null, "employeeOrgData": null,
            "employeeType": null, "externalUserState": null, "externalUserStateChangeDateTime": null, "faxNumber": null,
            "identities": [], "imAddresses": [], "isManagementRestricted": null, "isResourceAccount": null,
            "lastPasswordChangeDateTime": null, "legalAgeGroupClassification": null, "licenseAssignmentStates": [],
            "mailNickname": null, "onPremisesDistinguishedName": null, "onPremisesDomainName": null,
            "onPremisesExtensionAttributes": {
                "extensionAttribute1": null, "extensionAttribute2": null, "extensionAttribute3": null,
                "extensionAttribute4": null, "extensionAttribute5": null, "extensionAttribute6": null,
                "extensionAttribute7": null, "extensionAttribute8": null, "extensionAttribute9": null,
                "extensionAttribute10": null, "extensionAttribute11": null, "extensionAttribute12": null,
                "extensionAttribute13": null, "extensionAttribute14": null, "extensionAttribute15": null,
            },
        }),
        json!({
            "onPremisesImmutableId": null, "onPremisesLastSyncDateTime": null, "onPremisesProvisioningErrors": [],
            "onPremisesSamAccountName": null, "onPremisesSecurityIdentifier": null, "onPremisesSyncEnabled": null,
            "onPremisesUserPrincipalName": null, "otherMails": [], "passwordPolicies": null, "passwordProfile": null,
            "postalCode": null, "preferredDataLocation": null, "provisionedPlans": [], "proxyAddresses": [],
            "refreshTokensValidFromDateTime": null, "securityIdentifier": null, "serviceProvisioningErrors": [],
            "showInAddressList": null, "signInActivity": null, "signInSessionsValidFromDateTime": null, "state": null,
            "streetAddress": null, "usageLocation": null, "userType": "Member",
        }),
    ]),
    relations: &[
        "memberOf",
        "transitiveMemberOf",
        "manager",
        "directReports",
        "ownedObjects",
        "ownedDevices",
        "registeredDevices",
        "createdObjects",
        "appRoleAssignments",
        "oauth2PermissionGrants",
        "licenseDetails",
        "authentication",
        "extensions",
        "photo",
        "sponsors",
    ],
    flags: &["accountEnabled", "showInAddressList", "isResourceAccount"],
    filterable: &[
        "id",
        "displayName",
        "userPrincipalName",
        "mail",
        "mailNickname",
        "accountEnabled",
        "givenName",
        "surname",
        "userType",
        "employeeId",
        "onPremisesImmutableId",
    ],
    sortable: &["displayName", "userPrincipalName", "createdDateTime"],
});

/// The type that an object among others says it is of.
pub(super) fn of_type(text: &str) -> Option<&'static Entity> {
    let kinds: [&'static Entity; 4] = [&APPLICATION, &SERVICE_PRINCIPAL, &GROUP, &USER];
    kinds.into_iter().find(|kind| text.strip_prefix("#microsoft.graph.") == Some(kind.name))
}

/// Objects of any kind among each other: what all have, and what some have.
pub(super) static DIRECTORY_OBJECT: LazyLock<Entity> = LazyLock::new(|| {
    let kinds: [&Entity; 4] = [&APPLICATION, &SERVICE_PRINCIPAL, &GROUP, &USER];
    let mut shown = Map::new();
    for kind in kinds {
        shown.extend(kind.defaults());
    }
    Entity {
        name: "directoryObject",
        set: "directoryObjects",
        shown,
        more: Map::new(),
        relations: &[],
        flags: &[],
        filterable: &["id", "appId", "displayName", "userPrincipalName", "mailNickname"],
        sortable: &["displayName"],
    }
});

pub(super) static FEDERATED_CREDENTIAL: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "federatedIdentityCredential",
    set: "federatedIdentityCredentials",
    shown: members([json!({
        "id": null, "name": null, "issuer": null, "subject": null, "description": null, "audiences": [],
    })]),
    more: members([json!({"claimsMatchingExpression": null})]),
    relations: &[],
    flags: &[],
    filterable: &["id", "name", "issuer", "subject"],
    sortable: &["name"],
});

pub(super) static DOMAIN: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "domain",
    set: "domains",
    shown: members([json!({
        "authenticationType": "Managed", "availabilityStatus": null, "id": TENANT_DOMAIN, "isAdminManaged": true,
        "isDefault": true, "isInitial": true, "isRoot": true, "isVerified": true, "manufacturer": null, "model": null,
        "passwordNotificationWindowInDays": null, "passwordValidityPeriodInDays": null, "state": null,
        "supportedServices": ["Email", "OfficeCommunicationsOnline"],
    })]),
    more: Map::new(),
    relations: &["domainNameReferences", "serviceConfigurationRecords", "verificationDnsRecords", "rootDomain"],
    flags: &[],
    filterable: &[],
    sortable: &[],
});

pub(super) static ORGANIZATION: LazyLock<Entity> = LazyLock::new(|| Entity {
    name: "organization",
    set: "organization",
    shown: members([
        json!({
            "id": null, "deletedDateTime": null, "businessPhones": [], "city": null, "country": null,
            "countryLetterCode": null, "createdDateTime": null, "defaultUsageLocation": null, "displayName": null,
            "isMultipleDataLocationsForServicesEnabled": null, "marketingNotificationEmails": [],
        }),
        json!({
            "onPremisesLastSyncDateTime": null, "onPremisesSyncEnabled": null, "partnerTenantType": null,
            "postalCode": null, "preferredLanguage": null, "securityComplianceNotificationMails": [],
            "securityComplianceNotificationPhones": [], "state": null, "street": null,
            "technicalNotificationMails": [], "tenantType": "AAD",
            "directorySizeQuota": {"used": 0, "total": 300_000}, "privacyProfile": null, "assignedPlans": [],
            "onPremisesSyncStatus": [], "provisionedPlans": [], "verifiedDomains": [],
        }),
    ]),
    more: members([json!({"mobileDeviceManagementAuthority": null})]),
    relations: &["extensions", "branding", "certificateBasedAuthConfiguration"],
    flags: &[],
    filterable: &[],
    sortable: &[],
});
