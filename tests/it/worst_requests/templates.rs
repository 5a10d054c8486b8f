//! Deployments and what they are made of.

use super::*;

pub fn templates() -> Vec<Case> {
    vec![
        ("template: join without end", nothing, |world| {
            Box::pin(async {
                let template = variables(&format!(
                    "{{\"a\":\"{}\",\"b\":\"[join(split(variables('a'),','),variables('a'))]\"}}",
                    "x,".repeat(1_000_000)
                ));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: a long name over 3,000 objects", nothing, |world| {
            Box::pin(async {
                let template = variables(&format!("{{\"{}\":{}}}", "n".repeat(1_000_000), dense("{},", 9_000)));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: copy 800 x 800 x 800", nothing, |world| {
            Box::pin(async {
                let looped = |inner: String, name: &str| {
                    format!("{{\"copy\":[{{\"name\":\"{name}\",\"count\":800,\"input\":{inner}}}]}}")
                };
                let template =
                    variables(&format!("{{\"v\":{}}}", looped(looped(looped("\"x\"".into(), "c"), "b"), "a")));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: one megabyte a thousand times", nothing, |world| {
            Box::pin(async {
                let many = vec!["variables('a')"; 1_000].join(",");
                let template =
                    variables(&format!("{{\"a\":\"{}\",\"b\":\"[length(createArray({many}))]\"}}", "x".repeat(MB)));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: a dense one", nothing, |world| {
            Box::pin(async {
                let template = variables(&format!("{{\"a\":{}}}", dense("{\"\":0},", 4 * MB - 500)));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: as dense as may be", nothing, |world| {
            Box::pin(async {
                let template =
                    variables(&format!("{{\"a\":{},\"b\":\"[length(variables('a'))]\"}}", dense("{\"\":0},", 350_000)));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: 4 MB of text", nothing, |world| {
            Box::pin(async {
                let template = variables(&format!("{{\"a\":\"{}\"}}", "x".repeat(4 * MB - 500)));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("template: a large body 800 times", nothing, |world| {
            Box::pin(async {
                let body = dense("\"[toUpper('x')]\",", 100_000);
                let template = format!(
                    "{{\"resources\":[{{\"type\":\"Microsoft.ManagedIdentity/userAssignedIdentities\",\"apiVersion\":\"2023-01-31\",\"name\":\"[concat('n', copyIndex())]\",\"location\":\"eastus\",\"copy\":{{\"name\":\"c\",\"count\":800}},\"properties\":{{\"a\":{body}}}}}]}}"
                );
                deployment(world, "", &template, "{}").await
            })
        }),
        ("template: 100 bodies of 30 KB created", nothing, |world| {
            Box::pin(async {
                let template = format!(
                    "{{\"resources\":[{{\"type\":\"Microsoft.ManagedIdentity/userAssignedIdentities\",\"apiVersion\":\"2023-01-31\",\"name\":\"[concat('n', copyIndex())]\",\"location\":\"eastus\",\"copy\":{{\"name\":\"c\",\"count\":100}},\"properties\":{{\"a\":\"{}\"}}}}]}}",
                    "x".repeat(30_000)
                );
                deployment(world, "", &template, "{}").await
            })
        }),
        ("template: what-if of 100 large bodies", nothing, |world| {
            Box::pin(async {
                let template = format!(
                    "{{\"resources\":[{{\"type\":\"Microsoft.ManagedIdentity/userAssignedIdentities\",\"apiVersion\":\"2023-01-31\",\"name\":\"[concat('n', copyIndex())]\",\"location\":\"eastus\",\"copy\":{{\"name\":\"c\",\"count\":100}},\"properties\":{{\"a\":\"{}\"}}}}]}}",
                    "x".repeat(30_000)
                );
                deployment(world, "/whatIf", &template, "{}").await
            })
        }),
        ("template: templates within templates", nothing, |world| {
            Box::pin(async {
                let inner = format!(
                    "{{\"$schema\":\"s\",\"contentVersion\":\"1.0.0.0\",\"resources\":[],\"variables\":{{\"a\":\"{}\"}}}}",
                    "x".repeat(100_000)
                );
                let mut nested = String::new();
                for i in 0..30 {
                    write!(nested, "{}{{\"type\":\"Microsoft.Resources/deployments\",\"apiVersion\":\"2022-09-01\",\"name\":\"n{i}\",\"properties\":{{\"mode\":\"Incremental\",\"expressionEvaluationOptions\":{{\"scope\":\"inner\"}},\"template\":{inner}}}}}", if i == 0 { "" } else { "," }).unwrap();
                }
                deployment(world, "", &format!("{{\"resources\":[{nested}]}}"), "{}").await
            })
        }),
        ("template: dense parameters", nothing, |world| {
            Box::pin(async {
                let template = "{\"resources\":[],\"parameters\":{\"p\":{\"type\":\"array\"}}}";
                deployment(world, "", template, &format!("{{\"p\":{{\"value\":{}}}}}", dense("[],", 300_000))).await
            })
        }),
        ("template: parameters of 4 MB", nothing, |world| {
            Box::pin(async {
                let template = "{\"resources\":[],\"parameters\":{\"p\":{\"type\":\"string\"}}}";
                deployment(world, "", template, &format!("{{\"p\":{{\"value\":\"{}\"}}}}", "x".repeat(4 * MB - 500)))
                    .await
            })
        }),
        ("template: many large outputs", nothing, |world| {
            Box::pin(async {
                let outputs: Vec<String> = (0..60)
                    .map(|i| format!("\"o{i}\":{{\"type\":\"string\",\"value\":\"[variables('a')]\"}}"))
                    .collect();
                let template = format!(
                    "{{\"resources\":[],\"variables\":{{\"a\":\"{}\"}},\"outputs\":{{{}}}}}",
                    "x".repeat(MB),
                    outputs.join(",")
                );
                deployment(world, "", &template, "{}").await
            })
        }),
        ("template: a message of control characters", nothing, |world| {
            Box::pin(async {
                let template =
                    variables(&format!("{{\"a\":\"{}\",\"b\":\"[fail(variables('a'))]\"}}", "\\u0001".repeat(600_000)));
                deployment(world, "/validate", &template, "{}").await
            })
        }),
        ("deployments: a list of twelve, 3 MB each", large_deployments, |world| {
            Box::pin(async {
                let path = group_path("/providers/Microsoft.Resources/deployments");
                arm(world, Method::GET, &path, "2022-09-01", String::new()).await
            })
        }),
    ]
}
