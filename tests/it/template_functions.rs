//! Every template function with a test of it; and the evaluator held against nonsense.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use acrite::domain::resources::template::Budget;
use acrite::domain::resources::template::Facts;
use acrite::domain::resources::template::Known;
use acrite::domain::resources::template::Need;
use acrite::domain::resources::template::Places;
use acrite::domain::resources::template::Program;
use acrite::domain::resources::template::Source;
use acrite::domain::resources::template::function_names;
use acrite::domain::resources::template::json as reader;
use proptest::prelude::*;
use serde_json::{Value, json};

const GROUP: &str = "/subscriptions/ac0e1e00-50b5-4000-8000-000000000002/resourceGroups/rg";

fn facts() -> Facts {
    Facts {
        subscription: json!({"subscriptionId": "ac0e1e00-50b5-4000-8000-000000000002", "tenantId": "t"}),
        group: json!({"id": GROUP, "name": "rg", "location": "eastus"}),
        tenant: json!({"tenantId": "t"}),
        deployment: json!({"name": "d", "properties": {"mode": "Incremental"}}),
        environment: json!({"name": "AzureCloud"}),
        deployer: json!({"objectId": "o"}),
        now: 1_767_225_600_000_000,
        ..Facts::default()
    }
}

fn read_with(template: &Value, parameters: &Value) -> Result<Program, String> {
    let places = Places::default();
    let guids = || "00000000-0000-4000-8000-000000000001".to_owned();
    let facts = facts();
    let source = Source {
        template: template.clone(),
        parameters: parameters.clone(),
        places: &places,
        scope: GROUP,
        facts: &facts,
        guids: &guids,
        budget: &Budget::new(),
    };
    Program::read(source).map_err(|invalid| invalid.message)
}

/// Reads a template; one that is about other things need not write down that it has no resources.
fn read(template: &Value) -> Result<Program, String> {
    let mut template = template.clone();
    if let Some(template) = template.as_object_mut() {
        template.entry("resources").or_insert_with(|| json!([]));
    }
    read_with(&template, &json!({}))
}

fn need(action: Option<&str>, input: Option<&str>) -> Need {
    Need {
        action: action.map(str::to_owned),
        id: format!("{GROUP}/providers/A.B/cs/c"),
        api_version: "1".into(),
        input: input.map(str::to_owned),
    }
}

fn known(program: &Program) -> Known {
    let mut known = Known::new(program.budget());
    let resource = json!({"id": "x", "location": "eastus", "properties": {"p": 1}});
    for (need, answer) in [
        (need(None, None), resource),
        (need(Some("listKeys"), None), json!({"keys": [7]})),
        (need(Some("listCredentials"), Some("{}")), json!({"username": "u"})),
    ] {
        known.add(need, answer).unwrap();
    }
    known
}

/// What an expression comes to, as an output of a template that has a bit of everything.
fn evaluate(expression: &str) -> Result<Value, String> {
    let template = json!({
        "parameters": {
            "p": {"type": "object", "defaultValue": {"A": [1, 2], "b": "x"}},
            "guid": {"type": "string", "defaultValue": "[newGuid()]"},
            "now": {"type": "string", "defaultValue": "[utcNow('yyyy-MM-dd HH:mm:ss.fff tt ddd MMM')]"},
            "plain": {"type": "string", "defaultValue": "[utcNow()]"},
        },
        "variables": {
            "v": "[concat('v-', variables('w'))]", "w": "w",
            "copy": [{"name": "loop", "count": 3, "input": "[copyIndex('loop', 10)]"}],
            "inside": {"copy": [{"name": "items", "count": 2, "input": {"at": "[copyIndex('items')]"}}], "other": 1},
        },
        "functions": [{"namespace": "my", "members": {"twice": {
            "parameters": [{"name": "x", "type": "string"}], "output": {"type": "string", "value": "[concat(parameters('x'), parameters('x'))]"},
        }}}],
        "resources": {
            "sym": {"type": "A.B/cs", "apiVersion": "1", "name": "c"},
            "many": {"type": "A.B/ds", "apiVersion": "1", "name": "[format('d{0}', copyIndex())]", "copy": {"name": "many", "count": 2}},
        },
        "outputs": {"x": {"type": "object", "value": format!("[{expression}]")}},
    });
    let program = read(&template)?;
    let mut known = known(&program);
    for at in 0..2 {
        let id = format!("{GROUP}/providers/A.B/ds/d{at}");
        let of = Need { action: None, id, api_version: "1".into(), input: None };
        known.add(of, json!({"properties": {"at": at}})).unwrap();
    }
    program.outputs(&known).map(|outputs| outputs["x"]["value"].clone()).map_err(|stop| format!("{stop:?}"))
}

/// Function, an expression with it, what it comes to.
fn table() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("add", "add(2, 3)", json!(5)),
        ("and", "and(true(), equals(1, 1), false())", json!(false)),
        ("array", "array('a')", json!(["a"])),
        ("array", "array(createArray(1))", json!([1])),
        ("base64", "base64('one, two')", json!("b25lLCB0d28=")),
        ("base64ToJson", "base64ToJson(base64('{\"a\": 1}')).a", json!(1)),
        ("base64ToString", "base64ToString('b25l')", json!("one")),
        ("bool", "bool('True')", json!(true)),
        ("bool", "bool(0)", json!(false)),
        (
            "buildUri",
            "buildUri(createObject('scheme', 'https', 'host', 'a', 'port', 8, 'path', 'b', 'query', 'c=d'))",
            json!("https://a:8/b?c=d"),
        ),
        ("cidrHost", "cidrHost('10.144.3.0/24', 0)", json!("10.144.3.1")),
        ("cidrSubnet", "cidrSubnet('10.144.0.0/20', 24, 3)", json!("10.144.3.0/24")),
        ("cidrSubnet", "cidrSubnet('fd00::/16', 17, 1)", json!("fd00:8000::/17")),
        ("coalesce", "coalesce(null(), null(), 'x', fail('never'))", json!("x")),
        ("concat", "concat('a', 1, true())", json!("a1True")),
        ("concat", "concat(createArray(1), createArray(2))", json!([1, 2])),
        ("contains", "contains('OneTwo', 'Two')", json!(true)),
        ("contains", "contains('OneTwo', 'two')", json!(false)),
        ("contains", "contains(parameters('p'), 'a')", json!(true)),
        ("contains", "contains(createArray('a'), 'a')", json!(true)),
        ("copyIndex", "variables('loop')", json!([10, 11, 12])),
        ("copyIndex", "variables('inside')", json!({"items": [{"at": 0}, {"at": 1}], "other": 1})),
        ("createArray", "createArray(1, 'a', null())", json!([1, "a", null])),
        ("createObject", "createObject('a', 1, 'b', createObject())", json!({"a": 1, "b": {}})),
        ("dataUri", "dataUri('Hello')", json!("data:text/plain;charset=utf8;base64,SGVsbG8=")),
        ("dataUriToString", "dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')", json!("Hello, World!")),
        ("dateTimeAdd", "dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y', 'u')", json!("2023-04-07 14:53:14Z")),
        ("dateTimeAdd", "dateTimeAdd('2020-04-07T14:53:14Z', '-P9D')", json!("2020-03-29T14:53:14Z")),
        ("dateTimeAdd", "dateTimeAdd('20200407T145314Z', 'PT1H', 'HH:mm')", json!("15:53")),
        ("dateTimeFromEpoch", "dateTimeFromEpoch(1683040573)", json!("2023-05-02T15:16:13Z")),
        ("dateTimeToEpoch", "dateTimeToEpoch('2023-05-02T15:16:13Z')", json!(1683040573)),
        ("deployer", "deployer().objectId", json!("o")),
        ("deployment", "deployment().properties.mode", json!("Incremental")),
        ("div", "div(8, 3)", json!(2)),
        ("empty", "createArray(empty(''), empty(createArray(1)), empty(createObject()))", json!([true, false, true])),
        ("endsWith", "endsWith('abcdef', 'EF')", json!(true)),
        ("environment", "environment().name", json!("AzureCloud")),
        ("equals", "equals(createObject('a', 1), createObject('a', 1))", json!(true)),
        ("equals", "equals('a', 'A')", json!(false)),
        (
            "extensionResourceId",
            "extensionResourceId('/s', 'Microsoft.Authorization/locks', 'l')",
            json!("/s/providers/Microsoft.Authorization/locks/l"),
        ),
        ("fail", "if(true(), 1, fail('no'))", json!(1)),
        ("false", "false()", json!(false)),
        ("filter", "filter(createArray(1, 5, 9), lambda('x', greater(lambdaVariables('x'), 4)))", json!([5, 9])),
        ("filter", "filter(createArray('a', 'b'), lambda('x', 'i', equals(lambdaVariables('i'), 1)))", json!(["b"])),
        ("first", "createArray(first('abc'), first(createArray(7)))", json!(["a", 7])),
        ("flatten", "flatten(createArray(createArray(1), createArray(2, 3)))", json!([1, 2, 3])),
        ("float", "float('3.5')", json!(3.5)),
        (
            "format",
            "format('{0}, {1:N0}. {{{2,4}}} {3:D3}', 'Hi', 8175133, 'x', 7)",
            json!("Hi, 8,175,133. {   x} 007"),
        ),
        ("greater", "greater('b', 'a')", json!(true)),
        ("greaterOrEquals", "greaterOrEquals(1, 2)", json!(false)),
        (
            "groupBy",
            "groupBy(createArray('ab', 'ac', 'b'), lambda('x', first(lambdaVariables('x'))))",
            json!({"a": ["ab", "ac"], "b": ["b"]}),
        ),
        ("guid", "guid('')", json!("e655a85f-3ab2-5e4a-9666-569aa72a5a10")),
        ("guid", "equals(guid('a', 'b'), guid('a-b'))", json!(true)),
        ("if", "if(equals(1, 2), fail('lazily'), 'no')", json!("no")),
        ("indexFromEnd", "indexFromEnd(createArray(1, 2, 3), 1)", json!(3)),
        (
            "indexOf",
            "createArray(indexOf('test', 'T'), indexOf('abc', 'z'), indexOf(createArray(1, 2), 2))",
            json!([0, -1, 1]),
        ),
        ("int", "int('42')", json!(42)),
        ("intersection", "intersection(createArray(1, 2, 3), createArray(3, 2))", json!([2, 3])),
        ("intersection", "intersection(createObject('a', 1, 'b', 2), createObject('b', 2, 'a', 3))", json!({"b": 2})),
        ("items", "items(createObject('b', 1, 'a', 2))", json!([{"key": "a", "value": 2}, {"key": "b", "value": 1}])),
        ("join", "join(createArray('a', 'b', 1), ', ')", json!("a, b, 1")),
        ("json", "json('{\"a\": [null]}').a", json!([null])),
        ("lambda", "map(createArray(1), lambda('x', add(lambdaVariables('x'), 1)))", json!([2])),
        (
            "lambdaVariables",
            "map(createArray(1), lambda('x', map(createArray(2), lambda('y', add(lambdaVariables('x'), lambdaVariables('y'))))))",
            json!([[3]]),
        ),
        ("last", "createArray(last('abc'), last(createArray(7, 8)))", json!(["c", 8])),
        ("lastIndexOf", "lastIndexOf('test', 't')", json!(3)),
        ("length", "createArray(length('abc'), length(createArray(1)), length(parameters('p')))", json!([3, 1, 2])),
        ("less", "less(1, 2)", json!(true)),
        ("lessOrEquals", "lessOrEquals('a', 'a')", json!(true)),
        ("list*", "listKeys('sym').keys[0]", json!(7)),
        ("list*", "listCredentials(resourceId('A.B/cs', 'c'), '1', createObject()).username", json!("u")),
        (
            "managementGroupResourceId",
            "managementGroupResourceId('mg', 'A.B/cs', 'c')",
            json!("/providers/Microsoft.Management/managementGroups/mg/providers/A.B/cs/c"),
        ),
        ("map", "map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))", json!([0, 2, 4])),
        ("mapValues", "mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))", json!({"a": 2})),
        ("max", "createArray(max(1, 3, 2), max(createArray(4, 5)))", json!([3, 5])),
        ("min", "min(createArray(4, 5))", json!(4)),
        ("mod", "mod(7, 3)", json!(1)),
        ("mul", "mul(7, 3)", json!(21)),
        ("newGuid", "parameters('guid')", json!("00000000-0000-4000-8000-000000000001")),
        ("not", "not(false())", json!(true)),
        ("null", "null()", json!(null)),
        ("objectKeys", "objectKeys(createObject('b', 1, 'a', 2))", json!(["a", "b"])),
        ("or", "or(false(), true(), fail('never'))", json!(true)),
        ("padLeft", "padLeft('123', 6, '0')", json!("000123")),
        ("parameters", "parameters('P').a[1]", json!(2)),
        (
            "parseCidr",
            "parseCidr('10.144.0.0/20')",
            json!({"network": "10.144.0.0", "netmask": "255.255.240.0", "broadcast": "10.144.15.255", "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20}),
        ),
        ("parseUri", "parseUri('https://a:8/b?c=d').host", json!("a")),
        ("range", "range(5, 3)", json!([5, 6, 7])),
        (
            "reduce",
            "reduce(range(1, 4), 0, lambda('sum', 'x', add(lambdaVariables('sum'), lambdaVariables('x'))))",
            json!(10),
        ),
        ("reference", "reference('sym').p", json!(1)),
        ("reference", "reference(resourceID('A.B/cs', 'c'), '1', 'Full').location", json!("eastus")),
        ("reference", "reference('many[1]').at", json!(1)),
        ("references", "map(references('many'), lambda('r', lambdaVariables('r').at))", json!([0, 1])),
        ("replace", "replace('123-123-1234', '-', '')", json!("1231231234")),
        ("resourceGroup", "resourceGroup().location", json!("eastus")),
        ("resourceId", "resourceId('A.B/cs', 'c')", json!(format!("{GROUP}/providers/A.B/cs/c"))),
        (
            "resourceId",
            "resourceId('11111111-1111-1111-1111-111111111111', 'other', 'A.B/cs/ds', 'c', 'd')",
            json!("/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/other/providers/A.B/cs/c/ds/d"),
        ),
        ("resourceInfo", "resourceInfo('sym').name", json!("c")),
        (
            "shallowMerge",
            "shallowMerge(createArray(createObject('a', createObject('x', 1)), createObject('a', 2)))",
            json!({"a": 2}),
        ),
        ("skip", "createArray(skip('abcd', 2), skip(createArray(1, 2), 1))", json!(["cd", [2]])),
        (
            "sort",
            "sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))",
            json!([1, 2, 3]),
        ),
        ("split", "split('a;b,c', createArray(';', ','))", json!(["a", "b", "c"])),
        ("startsWith", "startsWith('abc', 'AB')", json!(true)),
        (
            "string",
            "createArray(string(1), string(true()), string(createObject('a', 1)))",
            json!(["1", "True", "{\"a\":1}"]),
        ),
        ("sub", "sub(7, 3)", json!(4)),
        ("subscription", "subscription().tenantId", json!("t")),
        (
            "subscriptionResourceId",
            "subscriptionResourceId('A.B/cs', 'c')",
            json!("/subscriptions/ac0e1e00-50b5-4000-8000-000000000002/providers/A.B/cs/c"),
        ),
        ("substring", "substring('one two three', 4, 3)", json!("two")),
        ("take", "createArray(take('abcd', 2), take(createArray(1, 2), 1))", json!(["ab", [1]])),
        ("tenant", "tenant().tenantId", json!("t")),
        ("tenantResourceId", "tenantResourceId('A.B/cs', 'c')", json!("/providers/A.B/cs/c")),
        ("toLower", "toLower('One')", json!("one")),
        (
            "toObject",
            "toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', 1))",
            json!({"a": 1, "b": 1}),
        ),
        ("toUpper", "toUpper('One')", json!("ONE")),
        ("trim", "trim('  a ')", json!("a")),
        ("true", "true()", json!(true)),
        ("tryGet", "createArray(tryGet(parameters('p'), 'A', 0), tryGet(parameters('p'), 'z', 'y'))", json!([1, null])),
        ("tryIndexFromEnd", "tryIndexFromEnd(createArray(1), 2)", json!(null)),
        ("union", "union(createArray(1, 2), createArray(2, 3))", json!([1, 2, 3])),
        (
            "union",
            "union(createObject('a', createObject('x', 1)), createObject('A', createObject('y', 2)))",
            json!({"a": {"x": 1, "y": 2}}),
        ),
        // Values that people published of the real service.
        ("uniqueString", "uniqueString('tyeth')", json!("zcztcwvu6iyg6")),
        ("uniqueString", "uniqueString('hello', 'world')", json!("a7wkljktk6wne")),
        ("uri", "uri('http://contoso.org/firstpath', 'myscript.sh')", json!("http://contoso.org/myscript.sh")),
        (
            "uri",
            "uri('http://contoso.org/firstpath/', 'myscript.sh')",
            json!("http://contoso.org/firstpath/myscript.sh"),
        ),
        ("uriComponent", "uriComponent('http://a/b c')", json!("http%3A%2F%2Fa%2Fb%20c")),
        ("uriComponentToString", "uriComponentToString('http%3A%2F%2Fa')", json!("http://a")),
        ("utcNow", "parameters('now')", json!("2026-01-01 00:00:00.000 AM Thu Jan")),
        ("utcNow", "parameters('plain')", json!("20260101T000000Z")),
        ("variables", "variables('V')", json!("v-w")),
        ("variables", "my.twice('ab')", json!("abab")),
        ("xor", "xor(true(), false())", json!(true)),
    ]
}

#[test]
fn each_function_does_what_is_documented() {
    let mut wrong = Vec::new();
    for (function, expression, expected) in table() {
        let name = function.trim_end_matches('*').to_ascii_lowercase();
        let called = expression.to_ascii_lowercase().contains(&name);
        let through_a_name =
            ["copyindex", "newguid", "utcnow"].contains(&name.as_str()) || expression.starts_with("my.");
        assert!(called || through_a_name, "{expression} does not call {function}");
        match evaluate(expression) {
            Ok(found) if found == expected => {}
            other => wrong.push(format!("{expression}\n  is {other:?}\n  not {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_names_every_function() {
    let tested: BTreeSet<&str> = table().iter().map(|(function, ..)| *function).collect();
    let all: BTreeSet<&str> = function_names().into_iter().collect();
    assert_eq!(all, tested);
}

#[test]
fn wrong_expressions_are_told_in_azures_words() {
    for (expression, words) in [
        ("foo(", "Unable to parse language expression 'foo(': expected token 'Identifier' and actual 'EndOfData'"),
        ("foo()", "The template function 'foo' is not valid."),
        ("variables('none')", "The template variable 'none' is not found."),
        ("parameters('none')", "The template parameter 'none' is not found."),
        ("newGuid()", "The template function 'newGuid' is not expected at this location"),
        ("copyIndex()", "The template function 'copyIndex' is not expected at this location"),
        ("reference('none')", "The resource 'none' is not defined in the template."),
        ("parameters('p').z", "The language expression property 'z' doesn't exist, available properties are 'A, b'"),
        ("parameters('p').a[9]", "The language expression property array index '9' is out of bounds"),
        ("toLower(1)", "expects its parameter to be a string. The provided value is of type 'Integer'"),
        ("toLower('a', 'b')", "expects exactly '1' parameter(s) and was invoked with '2'"),
        ("add(9223372036854775807, 1)", "is not a 64-bit integer"),
        ("div(1, 0)", "the divisor is zero"),
        ("range(0, 10001)", "the count must be from"),
        ("resourceId('A.B/cs', 'a', 'b')", "requires '1' resource name argument(s)"),
        ("fail('because')", "because"),
        ("substring('abc', 2, 5)", "must refer to a location within the string"),
    ] {
        let error = evaluate(expression).unwrap_err();
        assert!(error.contains(words), "{expression}: {error}");
    }
}

fn only(resources: Value) -> Value {
    json!({ "resources": resources })
}

fn resource(name: &str, more: Value) -> Value {
    let mut made = json!({"type": "A.B/cs", "apiVersion": "1", "name": name});
    made.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    made
}

#[test]
fn wrong_templates_are_told_in_azures_words() {
    let deep = (0..90).fold(json!(1), |inner, _| json!([inner]));
    let cases = [
        (
            only(json!([resource("a", json!({"dependsOn": ["b"]})), resource("b", json!({"dependsOn": ["a"]}))])),
            "Circular dependency detected on resource: '/subscriptions/",
        ),
        (only(json!([resource("a", json!({"properties": {"x": "[reference('a').y]"}}))])), "Circular dependency"),
        (
            only(json!([resource("a", json!({"dependsOn": ["zzz"]}))])),
            "The resource 'zzz' is not defined in the template.",
        ),
        (only(json!([resource("a", json!({})), resource("A", json!({}))])), "is defined multiple times in a template"),
        (only(json!([resource("a/b", json!({}))])), "has incorrect segment lengths"),
        (only(json!([{"type": "A.B/cs", "name": "a"}])), "is missing the property 'apiVersion'"),
        (
            only(json!([resource("[foo()]", json!({}))])),
            "The template resource '[foo()]' at line '1' and column '1' is not valid: The template function 'foo' is not valid",
        ),
        (only(json!([resource("a", json!({"properties": {"x": "[concat('a'"}}))])), ""),
        (
            only(json!([resource("a", json!({"properties": {"x": "[concat('a']"}}))])),
            "expected token 'RightParenthesis' and actual 'EndOfData'",
        ),
        (only(json!([resource("[reference('x').y]", json!({}))])), "is not defined in the template"),
        (only(json!([resource("a", json!({"condition": 1}))])), "the condition is expected to be a boolean"),
        (only(json!([resource("a", json!({"copy": {"name": "l", "count": 801}}))])), "The copy count '801' must be"),
        (
            only(json!([resource("a", json!({"copy": {"name": "l", "count": "x"}}))])),
            "The copy count must be an integer",
        ),
        (
            only(json!([
                resource("[format('a{0}', copyIndex())]", json!({"copy": {"name": "l", "count": 800}})),
                resource("z", json!({}))
            ])),
            "The number of template resources limit exceeded. Limit: '800' and actual: '801'",
        ),
        (only(json!("x")), "must be an array or an object"),
        (only(json!(["x"])), "is not an object"),
        (
            json!({"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}}),
            "Circular dependency detected on variable",
        ),
        (json!({"variables": {"a": deep}, "outputs": {"x": {"type": "array", "value": "[variables('a')]"}}}), ""),
        (json!({"variables": {"a": "[reference('x')]"}}), "is not defined in the template"),
        (
            json!({"parameters": {"p": {"type": "string"}}}),
            "The value for the template parameter 'p' at line '1' and column '1' is not provided. Please see https://aka.ms/arm-create-parameter-file",
        ),
        (json!({"parameters": {"p": {"type": "strin", "defaultValue": ""}}}), "has an invalid type 'strin'"),
        (
            json!({"parameters": {"p": {"type": "int", "defaultValue": "x"}}}),
            "Expected a value of type 'Integer', but received a value of type 'String'",
        ),
        (
            json!({"parameters": {"p": {"type": "string", "defaultValue": "x", "allowedValues": ["a", "b"]}}}),
            "The value 'x' is not part of the allowed value(s): 'a,b'",
        ),
        (
            json!({"parameters": {"p": {"type": "string", "defaultValue": "x", "minLength": 3}}}),
            "Length of the value should be greater than or equal to '3'",
        ),
        (
            json!({"parameters": {"p": {"type": "int", "defaultValue": 9, "maxValue": 3}}}),
            "The value should be less than or equal to '3'",
        ),
        (json!("x"), "is not an object"),
    ];
    for (template, words) in cases {
        match read(&template) {
            Ok(_) => assert!(words.is_empty(), "{template} is taken; it should say {words}"),
            Err(error) => assert!(!words.is_empty() && error.contains(words), "{template}\n{error}\n{words}"),
        }
    }
    let missing = read_with(&json!({"manifests": []}), &json!({}));
    assert!(missing.unwrap_err().contains("'Required property 'resources' not found in JSON. Path '', line 1"));
    let many: serde_json::Map<String, Value> =
        (0..257).map(|i| (format!("p{i}"), json!({"type": "int", "defaultValue": 1}))).collect();
    assert!(read(&json!({ "parameters": many })).unwrap_err().contains("Limit: '256' and actual: '257'"));
    let defined = json!({"parameters": {"p": {"type": "int", "defaultValue": 1}}, "resources": []});
    let error = read_with(&defined, &json!({"q": {"value": 1}})).unwrap_err();
    assert!(error.contains("The following parameters were supplied, but do not correspond to any parameters defined in the template: 'q'"), "{error}");
}

#[test]
fn resources_are_put_in_order() {
    let template = json!({
        "resources": [
            resource("first", json!({"properties": {"keyVaultProperties": {}, "x": "[reference(resourceId('A.B/cs', 'second'), '1').y]"}})),
            resource("second", json!({"resources": [{"type": "ds", "apiVersion": "1", "name": "child"}]})),
            resource("[format('l{0}', copyIndex())]", json!({"copy": {"name": "loop", "count": 4, "mode": "serial", "batchSize": 2}})),
            resource("last", json!({"dependsOn": ["loop", "first"], "condition": "[equals(1, 1)]"})),
            resource("not", json!({"condition": false})),
        ],
    });
    let program = read(&template).unwrap();
    let named = |name: &str| program.resources.iter().position(|r| r.name == name).unwrap();
    let before = |name: &str| -> Vec<&str> {
        let at = named(name);
        program.resources[at].depends_on.iter().map(|d| program.resources[*d].name.as_str()).collect()
    };
    assert_eq!(before("second/child"), ["second"]);
    assert_eq!(before("l2"), ["l0", "l1"]);
    assert_eq!(before("l0"), [""; 0]);
    assert_eq!(before("last"), ["first", "l0", "l1", "l2", "l3"]);
    // It uses a key, so it goes after all that does not wait for it.
    assert_eq!(before("first"), ["second", "second/child", "l0", "l1", "l2", "l3", "not"]);
    assert!(!program.resources[named("not")].wanted);
    assert_eq!(program.resources[named("second/child")].id, format!("{GROUP}/providers/A.B/cs/second/ds/child"));
}

#[test]
fn a_serial_loop_waits_for_its_own_iterations_whatever_their_children() {
    let child = json!({"type": "ds", "apiVersion": "1", "name": "child", "dependsOn": ["loop"]});
    let serial = |size: u64| json!({"name": "loop", "count": 4, "mode": "serial", "batchSize": size});
    for (size, waits) in [
        (1, [&[][..], &["l0"], &["l1"], &["l2"]]),
        (2, [&[][..], &[], &["l0", "l1"], &["l0", "l1"]]),
        (3, [&[][..], &[], &[], &["l0", "l1", "l2"]]),
        (9, [&[][..], &[], &[], &[]]),
    ] {
        let looped = resource(
            "[format('l{0}', copyIndex())]",
            json!({"copy": serial(size), "resources": [child, child_of_two()]}),
        );
        let program = read(&only(json!([looped]))).unwrap();
        for (at, expected) in waits.iter().enumerate() {
            let name = format!("l{at}");
            let found = program.resources.iter().find(|r| r.name == name).unwrap();
            let before: Vec<&str> = found.depends_on.iter().map(|d| program.resources[*d].name.as_str()).collect();
            assert_eq!(&before, expected, "{name} in batches of {size}");
        }
    }
}

/// A child that is itself a serial loop.
fn child_of_two() -> Value {
    json!({
        "type": "es", "apiVersion": "1", "name": "[format('e{0}', copyIndex())]",
        "copy": {"name": "inner", "count": 2, "mode": "serial"},
    })
}

#[test]
fn expressions_that_blow_up_are_stopped() {
    let mut variables = serde_json::Map::new();
    variables.insert("v0".into(), json!("x".repeat(1000)));
    for i in 1..40 {
        variables.insert(format!("v{i}"), json!(format!("[concat(variables('v{0}'), variables('v{0}'))]", i - 1)));
    }
    assert!(read(&json!({ "variables": variables })).is_err());
    let nest = "map(range(0, 10000), lambda('x', ".repeat(4) + "1" + &"))".repeat(4);
    let began = Instant::now();
    assert!(evaluate(&nest).is_err());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let began = Instant::now();
    let all: Vec<String> = (0..400).map(|i| format!("r{i}")).collect();
    let everything: Vec<Value> = all
        .iter()
        .enumerate()
        .map(|(i, name)| resource(name, json!({"dependsOn": all[..i], "properties": {"keyVaultProperties": {}}})))
        .collect();
    assert_eq!(read(&only(json!(everything))).unwrap().resources.len(), 400);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let mut functions = serde_json::Map::new();
    let own = json!({"parameters": [], "output": {"type": "int", "value": "[f.own()]"}});
    functions.insert("own".into(), own);
    let template = json!({"functions": [{"namespace": "f", "members": functions}], "variables": {"a": "[f.own()]"}});
    assert!(read(&template).unwrap_err().contains("nest deeper"));
}

fn word() -> impl Strategy<Value = String> {
    let names: Vec<String> = function_names().into_iter().map(|n| n.replace('*', "Keys")).collect();
    prop_oneof![proptest::sample::select(names), "[a-z]{1,3}".prop_map(String::from),]
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "'[^']{0,8}'".prop_map(String::from),
        any::<i64>().prop_map(|n| n.to_string()),
        (-20i64..20).prop_map(|n| n.to_string()),
        Just("parameters('p')".to_owned()),
        Just("variables('v')".to_owned()),
        Just("lambdaVariables('x')".to_owned()),
        Just("createArray(3, 1, 2)".to_owned()),
        Just("createObject('a', 1)".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            (word(), proptest::collection::vec(inner.clone(), 0..4))
                .prop_map(|(f, a)| format!("{f}({})", a.join(", "))),
            (inner.clone(), "[a-z]{1,3}").prop_map(|(of, name)| format!("{of}.{name}")),
            (inner.clone(), inner.clone()).prop_map(|(of, at)| format!("{of}[{at}]")),
            inner.prop_map(|body| format!("map(range(0, 3), lambda('x', {body}))")),
        ]
    })
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        expression().prop_map(|e| json!(format!("[{e}]"))),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let keys = prop_oneof![
            proptest::sample::select(vec![
                "type",
                "name",
                "apiVersion",
                "copy",
                "count",
                "input",
                "dependsOn",
                "condition",
                "properties",
                "resources",
                "value",
                "defaultValue",
                "allowedValues",
                "scope",
                "template",
                "existing",
            ])
            .prop_map(str::to_owned),
            ".{0,5}".prop_map(String::from),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((keys, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_expression_makes_it_panic(expression in expression()) {
        let _ = evaluate(&expression);
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        let _ = evaluate(&text);
        let _ = reader::parse(&text, 1_000_000);
    }

    #[test]
    fn no_template_makes_it_panic(
        parameters in anything(), variables in anything(), resources in anything(), outputs in anything(), given in anything(),
    ) {
        let template = json!({"parameters": parameters, "variables": variables, "resources": resources, "outputs": outputs});
        if let Ok(program) = read_with(&template, &given) {
            for resource in &program.resources {
                let _ = program.body(resource, &Known::new(program.budget()));
            }
            let _ = program.outputs(&Known::new(program.budget()));
        }
    }
}

/// Random templates for as many seconds as `ACRITE_FUZZ_SECONDS` says, three unless told otherwise.
#[test]
fn a_bounded_fuzz_of_the_evaluator() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let seconds = std::env::var("ACRITE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runner = TestRunner::default();
    let (expressions, values) = (expression(), anything());
    let mut rounds = 0u64;
    while Instant::now() < end {
        let expression = expressions.new_tree(&mut runner).unwrap().current();
        let began = Instant::now();
        let _ = evaluate(&expression);
        let template = json!({"resources": [values.new_tree(&mut runner).unwrap().current()], "outputs": {"x": {"value": format!("[{expression}]")}}});
        let _ = read(&template);
        assert!(began.elapsed() < Duration::from_secs(30), "{expression} hangs");
        rounds += 1;
    }
    assert!(rounds > 0);
}
