// The clients that Terraform's azurerm provider is made of, doing what it does for a registry with a customer-managed
// key: group, identity, vault with an access policy, key, registry, replica, role, new key version, and all away again.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-azure-helpers/lang/pointer"
	"github.com/hashicorp/go-azure-helpers/resourcemanager/commonids"
	"github.com/hashicorp/go-azure-helpers/resourcemanager/identity"
	"github.com/hashicorp/go-azure-sdk/resource-manager/authorization/2022-04-01/roleassignments"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/registries"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerregistry/2025-11-01/replications"
	"github.com/hashicorp/go-azure-sdk/resource-manager/keyvault/2026-02-01/keys"
	"github.com/hashicorp/go-azure-sdk/resource-manager/keyvault/2026-02-01/vaults"
	"github.com/hashicorp/go-azure-sdk/resource-manager/managedidentity/2024-11-30/identities"
	"github.com/hashicorp/go-azure-sdk/resource-manager/resources/2025-04-01/resourcegroups"
	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

var began = time.Now()

func step(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
	fmt.Printf("%6.2f s  %s\n", time.Since(began).Seconds(), what)
}

func must[T any](got T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return got
}

func equal(what string, got, want any) {
	if got != want {
		step(what, fmt.Errorf("it is %v, not %v", got, want))
	}
	fmt.Println("check:", what)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	env, err := environments.FromEndpoint(ctx, "https://management.azure.com")
	step("the cloud by its metadata", err)
	tenant, subscription := os.Getenv("ARM_TENANT_ID"), os.Getenv("ARM_SUBSCRIPTION_ID")
	authorizer, err := auth.NewAuthorizerFromCredentials(ctx, auth.Credentials{
		Environment: *env, TenantID: tenant, ClientID: os.Getenv("ARM_CLIENT_ID"), ClientSecret: os.Getenv("ARM_CLIENT_SECRET"),
		EnableAuthenticatingUsingClientSecret: true,
	}, env.ResourceManager)
	step("signing in", err)
	api := env.ResourceManager

	groups := must(resourcegroups.NewResourceGroupsClientWithBaseURI(api))
	groups.Client.Authorizer = authorizer
	users := must(identities.NewIdentitiesClientWithBaseURI(api))
	users.Client.Authorizer = authorizer
	vaultsClient := must(vaults.NewVaultsClientWithBaseURI(api))
	vaultsClient.Client.Authorizer = authorizer
	keysClient := must(keys.NewKeysClientWithBaseURI(api))
	keysClient.Client.Authorizer = authorizer
	acr := must(registries.NewRegistriesClientWithBaseURI(api))
	acr.Client.Authorizer = authorizer
	places := must(replications.NewReplicationsClientWithBaseURI(api))
	places.Client.Authorizer = authorizer
	roles := must(roleassignments.NewRoleAssignmentsClientWithBaseURI(api))
	roles.Client.Authorizer = authorizer

	group := commonids.NewResourceGroupID(subscription, "rg-terraform")
	_, err = groups.CreateOrUpdate(ctx, group, resourcegroups.ResourceGroup{Location: "westeurope"})
	step("resource group", err)

	user := commonids.NewUserAssignedIdentityID(subscription, group.ResourceGroupName, "registry-identity")
	_, err = users.UserAssignedIdentitiesCreateOrUpdate(ctx, user, identities.Identity{Location: "westeurope"})
	step("identity", err)
	who := must(users.UserAssignedIdentitiesGet(ctx, user)).Model.Properties

	vault := commonids.NewKeyVaultID(subscription, group.ResourceGroupName, "terraform-vault")
	step("vault", vaultsClient.CreateOrUpdateThenPoll(ctx, vault, vaults.VaultCreateOrUpdateParameters{
		Location: "westeurope",
		Properties: vaults.VaultProperties{
			TenantId: tenant, EnablePurgeProtection: pointer.To(true), EnableRbacAuthorization: pointer.To(false),
			Sku: vaults.Sku{Family: vaults.SkuFamilyA, Name: vaults.SkuNameStandard},
			AccessPolicies: &[]vaults.AccessPolicyEntry{{TenantId: tenant, ObjectId: pointer.From(who.PrincipalId), Permissions: vaults.Permissions{
				Keys: &[]vaults.KeyPermissions{vaults.KeyPermissionsGet, vaults.KeyPermissionsWrapKey, vaults.KeyPermissionsUnwrapKey},
			}}},
		},
	}))
	key := commonids.NewKeyVaultKeyID(subscription, group.ResourceGroupName, vault.VaultName, "registry-key")
	made := must(keysClient.CreateIfNotExist(ctx, key, keys.KeyCreateParameters{Properties: keys.KeyProperties{Kty: pointer.To(keys.JsonWebKeyTypeRSA)}}))
	step("key", nil)
	// With the port, as Azure says it; the key is called without.
	keyID := strings.Replace(pointer.From(made.Model.Properties.KeyUri), ":443/", "/", 1)
	keyVersion := strings.Replace(pointer.From(made.Model.Properties.KeyUriWithVersion), ":443/", "/", 1)

	registry := registries.NewRegistryID(subscription, group.ResourceGroupName, "terraformregistry")
	free := must(acr.CheckNameAvailability(ctx, commonids.NewSubscriptionID(subscription), registries.RegistryNameCheckRequest{
		Name: registry.RegistryName, Type: "Microsoft.ContainerRegistry/registries",
	}))
	equal("the name is free", pointer.From(free.Model.NameAvailable), true)
	wanted := registries.Registry{
		Location: "westeurope",
		Sku:      registries.Sku{Name: registries.SkuNamePremium},
		Identity: &identity.SystemAndUserAssignedMap{
			Type:        identity.TypeUserAssigned,
			IdentityIds: map[string]identity.UserAssignedIdentityDetails{user.ID(): {}},
		},
		Properties: &registries.RegistryProperties{
			AdminUserEnabled: pointer.To(true), PublicNetworkAccess: pointer.To(registries.PublicNetworkAccessEnabled),
			NetworkRuleBypassOptions: pointer.To(registries.NetworkRuleBypassOptionsAzureServices),
			Encryption: &registries.EncryptionProperty{
				Status: pointer.To(registries.EncryptionStatusEnabled),
				KeyVaultProperties: &registries.KeyVaultProperties{
					Identity: who.ClientId, KeyIdentifier: pointer.To(keyID),
				},
			},
		},
	}
	step("registry", acr.CreateThenPoll(ctx, registry, wanted))
	found := must(acr.Get(ctx, registry)).Model
	encryption := found.Properties.Encryption
	equal("its encryption", pointer.From(encryption.Status), registries.EncryptionStatusEnabled)
	equal("its key", pointer.From(encryption.KeyVaultProperties.KeyIdentifier), keyID)
	equal("the version in use", pointer.From(encryption.KeyVaultProperties.VersionedKeyIdentifier), keyVersion)
	equal("the identity for it", pointer.From(encryption.KeyVaultProperties.Identity), pointer.From(who.ClientId))
	equal("it follows new versions", pointer.From(encryption.KeyVaultProperties.KeyRotationEnabled), true)
	attached := false // Azure writes some words of ids in lower case
	for id := range found.Identity.IdentityIds {
		attached = attached || strings.EqualFold(id, user.ID())
	}
	equal("the identity is attached", attached, true)

	step("the same again", acr.CreateThenPoll(ctx, registry, wanted))
	step("an update", acr.UpdateThenPoll(ctx, registry, registries.RegistryUpdateParameters{Tags: &map[string]string{"made": "by Terraform"}}))
	credentials := must(acr.ListCredentials(ctx, registry)).Model
	equal("two passwords", len(pointer.From(credentials.Passwords)), 2)

	place := replications.NewReplicationID(subscription, group.ResourceGroupName, registry.RegistryName, "northeurope")
	step("replica", places.CreateThenPoll(ctx, place, replications.Replication{Location: "northeurope"}))
	equal("where it is", must(places.Get(ctx, place)).Model.Location, "northeurope")

	pull := "/subscriptions/" + subscription + "/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
	assignment := roleassignments.NewScopedRoleAssignmentID(registry.ID(), "1ce8f6d4-53bf-4dbb-9e83-6b3c8e0f9f10")
	_, err = roles.Create(ctx, assignment, roleassignments.RoleAssignmentCreateParameters{Properties: roleassignments.RoleAssignmentProperties{
		PrincipalId: pointer.From(who.PrincipalId), RoleDefinitionId: pull, PrincipalType: pointer.To(roleassignments.PrincipalTypeServicePrincipal),
	}})
	step("AcrPull for the identity", err)

	step("replica away", places.DeleteThenPoll(ctx, place))
	step("registry away", acr.DeleteThenPoll(ctx, registry))
	step("group away", groups.DeleteThenPoll(ctx, group, resourcegroups.DefaultDeleteOperationOptions()))
	gone, err := acr.Get(ctx, registry)
	equal("the registry is gone", err != nil && gone.HttpResponse != nil && gone.HttpResponse.StatusCode == 404, true)
}
