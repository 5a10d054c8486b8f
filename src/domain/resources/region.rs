//! Azure's public regions: names, and how they are shown.
//! Must not know: what is in a region; here everything is on one machine.

use crate::domain::error::{ResourceError, Result};
use crate::domain::world::name;

/// The type of resource groups.
pub const GROUPS: &str = "Microsoft.Resources/resourceGroups";

/// Name and display name [docs: regions-list], those that Microsoft uses to try things (EUAP) at the end.
pub const ALL: &[(&str, &str)] = &[
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("centralus", "Central US"),
    ("northcentralus", "North Central US"),
    ("southcentralus", "South Central US"),
    ("westcentralus", "West Central US"),
    ("westus", "West US"),
    ("westus2", "West US 2"),
    ("westus3", "West US 3"),
    ("canadacentral", "Canada Central"),
    ("canadaeast", "Canada East"),
    ("mexicocentral", "Mexico Central"),
    ("brazilsouth", "Brazil South"),
    ("brazilsoutheast", "Brazil Southeast"),
    ("brazilus", "Brazil US"),
    ("chilecentral", "Chile Central"),
    ("northeurope", "North Europe"),
    ("westeurope", "West Europe"),
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("francecentral", "France Central"),
    ("francesouth", "France South"),
    ("germanywestcentral", "Germany West Central"),
    ("germanynorth", "Germany North"),
    ("switzerlandnorth", "Switzerland North"),
    ("switzerlandwest", "Switzerland West"),
    ("norwayeast", "Norway East"),
    ("norwaywest", "Norway West"),
    ("swedencentral", "Sweden Central"),
    ("swedensouth", "Sweden South"),
    ("denmarkeast", "Denmark East"),
    ("polandcentral", "Poland Central"),
    ("italynorth", "Italy North"),
    ("spaincentral", "Spain Central"),
    ("austriaeast", "Austria East"),
    ("belgiumcentral", "Belgium Central"),
    ("uaenorth", "UAE North"),
    ("uaecentral", "UAE Central"),
    ("qatarcentral", "Qatar Central"),
    ("israelcentral", "Israel Central"),
    ("southafricanorth", "South Africa North"),
    ("southafricawest", "South Africa West"),
    ("eastasia", "East Asia"),
    ("southeastasia", "Southeast Asia"),
    ("japaneast", "Japan East"),
    ("japanwest", "Japan West"),
    ("koreacentral", "Korea Central"),
    ("koreasouth", "Korea South"),
    ("centralindia", "Central India"),
    ("southindia", "South India"),
    ("westindia", "West India"),
    ("jioindiawest", "Jio India West"),
    ("jioindiacentral", "Jio India Central"),
    ("indonesiacentral", "Indonesia Central"),
    ("malaysiawest", "Malaysia West"),
    ("taiwannorth", "Taiwan North"),
    ("australiaeast", "Australia East"),
    ("australiasoutheast", "Australia Southeast"),
    ("australiacentral", "Australia Central"),
    ("australiacentral2", "Australia Central 2"),
    ("newzealandnorth", "New Zealand North"),
    ("centraluseuap", "Central US EUAP"),
    ("eastus2euap", "East US 2 EUAP"),
];

/// Words of the names of regions, each with the geography that it tells [docs]; the first that fits counts.
const GEOGRAPHIES: &[(&str, &str)] = &[
    ("australia", "Australia"),
    ("austria", "Austria"),
    ("brazil", "Brazil"),
    ("belgium", "Belgium"),
    ("canada", "Canada"),
    ("chile", "Chile"),
    ("mexico", "Mexico"),
    ("denmark", "Denmark"),
    ("france", "France"),
    ("germany", "Germany"),
    ("italy", "Italy"),
    ("norway", "Norway"),
    ("poland", "Poland"),
    ("spain", "Spain"),
    ("sweden", "Sweden"),
    ("switzerland", "Switzerland"),
    ("uk", "United Kingdom"),
    ("europe", "Europe"),
    ("uae", "UAE"),
    ("qatar", "Qatar"),
    ("israel", "Israel"),
    ("southafrica", "South Africa"),
    ("japan", "Japan"),
    ("korea", "Korea"),
    ("india", "India"),
    ("indonesia", "Indonesia"),
    ("malaysia", "Malaysia"),
    ("taiwan", "Taiwan"),
    ("newzealand", "New Zealand"),
    ("asia", "Asia Pacific"),
    ("us", "United States"),
];

/// The geography that a region lies in.
#[must_use]
pub fn geography(region: &str) -> Option<&'static str> {
    GEOGRAPHIES.iter().find(|(word, _)| region.contains(word)).map(|(_, geography)| *geography)
}

/// Requires that a location, by name or display name and in any case, is a region that has resources of `kind`.
/// Here every region has all of them.
pub fn require(location: &str, kind: &str) -> Result<()> {
    let wanted = name::location(location);
    if ALL.iter().any(|(known, _)| *known == wanted) {
        return Ok(());
    }
    Err(ResourceError::LocationUnavailable { wanted: location.to_owned(), kind: kind.to_owned() }.into())
}

/// All names, as refusals list them.
#[must_use]
pub fn names() -> String {
    ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_lies_in_a_geography() {
        for (name, _) in ALL {
            assert!(geography(name).is_some(), "{name}");
        }
        for (region, expected) in [
            ("eastus", "United States"),
            ("eastus2euap", "United States"),
            ("brazilus", "Brazil"),
            ("austriaeast", "Austria"),
            ("australiacentral2", "Australia"),
            ("jioindiawest", "India"),
            ("uksouth", "United Kingdom"),
            ("northeurope", "Europe"),
            ("southeastasia", "Asia Pacific"),
        ] {
            assert_eq!(geography(region), Some(expected), "{region}");
        }
    }

    #[test]
    fn either_name_leads_to_the_region() {
        for (name, display) in ALL {
            assert_eq!(name::location(display), *name);
            assert_eq!(require(&display.to_uppercase(), GROUPS), Ok(()));
        }
        assert!(require("mars", GROUPS).is_err());
    }
}
