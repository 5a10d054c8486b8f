//! How much a template may take: every function, every way to multiply, held against one limit.

use acrite::domain::resources::template::{
    Budget, Facts, Known, Places, Program, Source, VALUE_LIMIT, call_function, function_names,
};
use acrite::domain::world::crypto::base64;
use acrite::domain::world::json;
use serde_json::{Value, json};

const GROUP: &str = "/subscriptions/ac0e1e00-50b5-4000-8000-000000000002/resourceGroups/rg";

fn read(template: Value) -> Result<Program, String> {
    let source = Source {
        template,
        parameters: json!({}),
        places: &Places::default(),
        scope: GROUP,
        facts: &Facts::default(),
        guids: &|| "g".to_owned(),
        budget: &Budget::new(),
    };
    Program::read(source).map_err(|invalid| invalid.message)
}

/// What reading a template says against it; of one that reads, what its resources' bodies and its outputs say.
fn refusal(template: Value) -> String {
    let program = match read(template) {
        Ok(program) => program,
        Err(why) => return why,
    };
    let known = Known::new(program.budget());
    let bodies = program.resources.iter().map(|resource| program.body(resource, &known).map(drop));
    let all = bodies.chain([program.outputs(&known).map(drop)]).collect::<Result<Vec<()>, _>>();
    match all {
        Ok(_) => String::new(),
        Err(stop) => stop.why(),
    }
}

/// Values at the edges of what arguments can be.
fn values() -> Vec<Value> {
    let mut deep = json!("x");
    for _ in 0..json::DEPTH_LIMIT - 1 {
        deep = json!([deep]);
    }
    let keys = |n: usize| (0..n).map(|i| (format!("Key{i}"), json!(i))).collect::<serde_json::Map<_, _>>();
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(10_000),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!(","),
        json!("İß\u{1}😀é"),
        json!("x,".repeat(100_000)),
        json!("{0,32000}{1}{0:D99}".repeat(1_000)),
        json!("9223372036854775807"),
        json!("2020-01-01T00:00:00Z"),
        json!("-P9999999999Y"),
        json!("yyyy-MM-dd'T'HH:mm:ss.fffffff"),
        json!("10.0.0.0/8"),
        json!("::/0"),
        json!("https://a:1/b?c"),
        json!("data:;base64,AAAA"),
        json!(base64(b"[[],{\"a\":1}]")),
        json!((0..30_000).collect::<Vec<_>>()),
        json!(vec!["y".repeat(1_000); 200]),
        json!(["a", ["b"], {"c": "d"}]),
        deep,
        Value::Object(keys(5_000)),
        json!({"scheme": "s".repeat(100_000), "host": "h", "a": {"b": 1}}),
        json!([{"a": 1}, {"A": 2}]),
    ]
}

/// Values from which something much larger could be made.
fn large() -> Vec<Value> {
    vec![
        json!("\u{1}".repeat(1_500_000)),
        json!([["\u{1}".repeat(1_500_000)]]),
        json!("[],".repeat(400_000)),
        json!(format!("[{}0]", "[],".repeat(400_000))),
        json!(base64(&[0xff; 3_000_000])),
        json!("%FF".repeat(900_000)),
        json!("ΐ".repeat(1_500_000)),
    ]
}

fn held_to_the_limit(name: &str, arguments: &[Value]) {
    if let Some(Ok(made)) = call_function(name, arguments) {
        let size = json::size(&made).unwrap_or_else(|| panic!("{name} nests too deep"));
        assert!(size <= VALUE_LIMIT, "{name} makes {size}");
    }
}

#[test]
fn no_function_panics_or_makes_more_than_the_limit() {
    let (values, large) = (values(), large());
    let functions: Vec<&str> = function_names().into_iter().filter(|name| call_function(name, &[]).is_some()).collect();
    assert!(functions.len() > 70, "{functions:?}");
    // A row of numbers that is the same each time.
    let mut seed = 7usize;
    let mut any = |of: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % of
    };
    for name in functions {
        for value in values.iter().chain(&large) {
            held_to_the_limit(name, std::slice::from_ref(value));
        }
        for count in 2..=3 {
            for _ in 0..60 {
                let arguments: Vec<Value> = (0..count).map(|_| values[any(values.len())].clone()).collect();
                held_to_the_limit(name, &arguments);
            }
        }
    }
}

#[test]
fn what_could_grow_without_end_is_told_as_too_large() {
    let x = || json!("x,".repeat(300_000));
    let parts = || json!(vec![","; 30_000]);
    let too_large = |name: &str, arguments: &[Value]| {
        let Err(told) = call_function(name, arguments).unwrap() else { panic!("{name} makes it") };
        assert!(told.contains(&format!("larger than '{VALUE_LIMIT}'")), "{name}: {told}");
    };
    too_large("join", &[parts(), x()]);
    too_large("replace", &[x(), json!(","), x()]);
    too_large("padLeft", &[json!("x"), json!(i64::MAX)]);
    too_large("format", &[json!("{0}".repeat(100)), x()]);
    too_large("split", &[x(), json!(",")]);
    too_large("concat", &vec![x(); 20]);
    too_large("createArray", &vec![x(); 20]);
    too_large("flatten", &[json!(vec![parts(); 10])]);
    too_large("string", &large()[1..2]);
    too_large("uriComponent", &[json!("\u{1}".repeat(3_000_000))]);
    too_large("json", &large()[3..4]);
    let unlike: Vec<Value> = (0..20).map(|i| json!([format!("{i}{}", "x".repeat(600_000))])).collect();
    too_large("union", &unlike);
}

#[test]
fn ways_to_multiply_are_stopped() {
    let loops = |inner: Value, name: &str| json!({"copy": [{"name": name, "count": 800, "input": inner}]});
    let cube = loops(loops(loops(json!("x"), "c"), "b"), "a");
    let mb = "x".repeat(1_000_000);
    let many = |what: &str, n: usize| vec![what; n].join(",");
    let resource = |more: Value| {
        let mut resource = json!({"type": "A.B/cs", "apiVersion": "1", "name": "[format('n{0}', copyIndex())]", "copy": {"name": "l", "count": 800}});
        for (name, value) in more.as_object().unwrap() {
            resource[name] = value.clone();
        }
        json!([resource])
    };
    let templates = [
        ("loops within loops", json!({"variables": {"v": cube.clone()}, "resources": []})),
        ("the same in a body", json!({"resources": resource(json!({"copy": null, "name": "n", "properties": cube}))})),
        (
            "one value many times",
            json!({"variables": {"a": mb, "b": format!("[length(createArray({}))]", many("variables('a')", 1_000))}, "resources": []}),
        ),
        (
            "a string that doubles",
            json!({"variables": (0..40).map(|i| (format!("v{i}"), if i == 0 { json!("x".repeat(1000)) } else { json!(format!("[concat(variables('v{0}'), variables('v{0}'))]", i - 1)) })).collect::<serde_json::Map<_, _>>(), "resources": []}),
        ),
        (
            "a list that grows in a lambda",
            json!({"variables": {"v": "[reduce(range(0, 10000), createArray('x'), lambda('a', 'b', createArray(lambdaVariables('a'), lambdaVariables('a'))))]"}, "resources": []}),
        ),
        (
            "a list that nests in a lambda",
            json!({"variables": {"v": "[reduce(range(0, 10000), 'x', lambda('a', 'b', createArray(lambdaVariables('a'))))]"}, "resources": []}),
        ),
        (
            "values that nest through variables",
            json!({"variables": (0..300).map(|i| (format!("v{i}"), if i == 0 { json!("x") } else { json!([format!("[variables('v{}')]", i - 1)]) })).collect::<serde_json::Map<_, _>>(), "resources": []}),
        ),
        (
            "a large body many times",
            json!({"resources": resource(json!({"properties": {"p": vec!["[toUpper('x')]"; 20_000]}}))}),
        ),
        (
            "a long name many times",
            json!({"resources": resource(json!({"name": format!("[format('{}{{0}}', copyIndex())]", "n".repeat(20_000))}))}),
        ),
        ("a long loop name many times", json!({"resources": resource(json!({"copy": {"name": mb, "count": 800}}))})),
        ("a long symbol", json!({"resources": {mb.clone(): {"type": "A.B/cs", "apiVersion": "1", "name": "n"}}})),
        (
            "much to wait for many times",
            json!({"resources": resource(json!({"dependsOn": (0..100_000).map(|i| format!("x{i}")).collect::<Vec<_>>()}))}),
        ),
        (
            "many small resources",
            json!({"resources": vec![json!({"type": "A.B/cs", "apiVersion": "1", "name": "n", "condition": false}); 801]}),
        ),
        (
            "many loops of variables",
            json!({"variables": {"copy": vec![json!({"name": "a", "count": 1, "input": 1}); 600]}, "resources": []}),
        ),
        (
            "many large outputs",
            json!({"variables": {"a": mb}, "resources": [], "outputs": (0..60).map(|i| (format!("o{i}"), json!({"type": "string", "value": "[variables('a')]"}))).collect::<serde_json::Map<_, _>>()}),
        ),
        (
            "a body beyond a megabyte",
            json!({"resources": [{"type": "A.B/cs", "apiVersion": "1", "name": "n", "properties": {"a": mb, "b": mb}}]}),
        ),
        (
            "very many delimiters",
            json!({"variables": {"a": mb, "d": vec!["y"; 10_000], "s": "[split(variables('a'), variables('d'))]"}, "resources": []}),
        ),
    ];
    for (what, template) in templates {
        let why = refusal(template);
        assert!(!why.is_empty(), "{what}");
        assert!(why.len() < 40_000, "{what}: a message of {} bytes", why.len());
    }
}

#[test]
fn messages_are_cut_where_they_quote_too_much() {
    let mb = "x".repeat(1_000_000);
    for template in [
        json!({"variables": {"a": mb, "b": "[fail(variables('a'))]"}, "resources": []}),
        json!({"variables": {"a": {mb.clone(): 1}, "b": "[variables('a').c]"}, "resources": []}),
        json!({"variables": {mb.clone(): "[variables('none')]"}, "resources": []}),
        json!({"parameters": {mb.clone(): {"type": "none"}}, "resources": []}),
        json!({"resources": [{"type": "A.B/cs", "apiVersion": "1", "name": "n", "dependsOn": [mb]}]}),
        json!({"resources": [{"type": "A.B/cs", "name": mb}]}),
    ] {
        let why = read(template).unwrap_err();
        assert!((100..40_000).contains(&why.len()), "{}", why.len());
    }
}

#[test]
fn a_large_template_that_multiplies_nothing_is_read() {
    let resource = |i: usize| {
        let p: Vec<String> = (0..20).map(|j| format!("[concat('value-', parameters('p'), '-{j}')]")).collect();
        json!({"type": "A.B/cs", "apiVersion": "2020-01-01", "name": format!("resource{i}"), "location": "[parameters('p')]",
            "tags": {"one": "1", "two": "2"}, "properties": {"list": p, "object": {"a": 1, "b": [true, null], "c": {"d": "e"}}}})
    };
    let resources: Vec<Value> = (0..800).map(resource).collect();
    let template = json!({"parameters": {"p": {"type": "string", "defaultValue": "eastus"}}, "resources": resources});
    assert!(template.to_string().len() > 700_000);
    let program = read(template).unwrap();
    let known = Known::new(program.budget());
    for resource in &program.resources {
        assert!(program.body(resource, &known).unwrap().contains("value-eastus-19"));
    }
}
