//! Lists of resources: they come in pages, in one order, and go on after what has gone meanwhile.
//! Must not know: what a resource's document holds.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, SUBSCRIPTION, World, good, group_path};

/// The ids of a page, and the path and query of the next.
async fn page(person: &Person<'_>, path: &str) -> (Vec<String>, Option<String>) {
    let listed = good(person.arm(Method::GET, path, Value::Null).await).await;
    let ids = listed["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    let next =
        listed["nextLink"].as_str().map(|link| link.strip_prefix("https://management.azure.com").unwrap().to_owned());
    (ids, next)
}

/// The pages of a list up to its end.
async fn pages(person: &Person<'_>, path: &str) -> Vec<Vec<String>> {
    let (mut all, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let (ids, after) = page(person, &path).await;
        all.push(ids);
        next = after;
    }
    all
}

#[tokio::test]
async fn all_resources_come_in_pages() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    let other = format!("{subscription}/resourceGroups/zz-other");
    good(me.arm(Method::PUT, &other, json!({"location": "eastus"})).await).await;
    for name in ["alpha01", "beta02", "gamma03"] {
        me.make_registry(name).await;
    }
    // The same name in two groups.
    for group in [group_path(""), other.clone()] {
        for name in ["one", "two"] {
            let path = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
            good(me.arm(Method::PUT, &path, json!({"location": "eastus"})).await).await;
        }
    }
    for scope in [&subscription, &group_path("")] {
        let list = format!("{scope}/resources");
        let whole = pages(&me, &list).await.concat();
        assert_eq!(whole.len(), if *scope == subscription { 7 } else { 5 }, "{whole:?}");
        for top in [1, 2, 3, 100] {
            let cut = pages(&me, &format!("{list}?$top={top}")).await;
            assert!(cut.iter().all(|page| page.len() <= top && !page.is_empty()), "{cut:?}");
            assert_eq!(cut.concat(), whole, "{list} by {top}");
        }
        let filtered =
            pages(&me, &format!("{list}?$top=1&$filter=resourceType%20eq%20'Microsoft.ContainerRegistry/registries'"))
                .await;
        assert_eq!(filtered.len(), 3, "{filtered:?}");
    }

    // A list goes on after what has gone meanwhile.
    let (first, next) = page(&me, &format!("{subscription}/resources?$top=2")).await;
    assert!(first[1].ends_with("/beta02"), "{first:?}");
    good(me.arm(Method::DELETE, &first[1], Value::Null).await).await;
    let (second, _) = page(&me, &next.unwrap()).await;
    assert!(second[0].ends_with("/gamma03"), "{second:?}");
}

#[tokio::test]
async fn a_providers_lists_come_in_pages_of_a_hundred() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let identities = "providers/Microsoft.ManagedIdentity/userAssignedIdentities";
    for number in 0..101 {
        let path = format!("{}/{identities}/i{number:03}", group_path(""));
        good(me.arm(Method::PUT, &path, json!({"location": "eastus"})).await).await;
    }
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    for scope in [group_path(""), subscription] {
        let cut = pages(&me, &format!("{scope}/{identities}")).await;
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [100, 1], "{scope}");
        assert!(cut.concat().is_sorted());
    }
}
