//! The portal through real sockets, as browsers without scripts use it: pages, forms, and what must not come of them.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::harness::{
    Docker, GROUP, MANIFEST, Person, World, digest, good, group_path, identity_path, registry_path, vault_path,
};

/// A field or a header with its value.
type Pair<'a> = (&'a str, &'a str);

/// A browser: it keeps cookies and follows what forms answer.
struct Browser<'w> {
    world: &'w World,
    http: Client,
    cookies: std::sync::Mutex<Vec<(String, String)>>,
}

/// A page that was answered.
struct Page {
    status: u16,
    /// Path and query.
    at: String,
    text: String,
    headers: reqwest::header::HeaderMap,
}

const SESSION: usize = 32;

impl<'w> Browser<'w> {
    fn new(world: &'w World) -> Self {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { world, http, cookies: std::sync::Mutex::default() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let cookies = self.cookies.lock().unwrap();
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.http
            .request(method, format!("{}{path}", self.world.url))
            .header("cookie", cookies.join("; "))
            .header("accept", "text/html")
    }

    fn keep(&self, answer: &Response) {
        let mut cookies = self.cookies.lock().unwrap();
        for header in answer.headers().get_all("set-cookie") {
            let header = header.to_str().unwrap();
            assert!(header.contains("HttpOnly") && header.contains("SameSite=Strict"), "{header}");
            let (name, value) = header.split(';').next().unwrap().split_once('=').unwrap();
            cookies.retain(|(n, _)| n != name);
            if !header.contains("Max-Age=0") {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    async fn read(&self, path: &str, answer: Response) -> Page {
        self.keep(&answer);
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Page { status, at: path.to_owned(), text: answer.text().await.unwrap(), headers }
    }

    async fn get(&self, path: &str) -> Page {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        self.read(path, answer).await
    }

    /// Sends the form of a page as a browser would: with the hidden fields of the form that has the button.
    async fn send(&self, page: &Page, verb: &str, fields: &[(&str, &str)]) -> Page {
        let form = page.form(verb);
        let mut pairs: Vec<(String, String)> = form.hidden;
        for (name, value) in fields {
            pairs.retain(|(n, _)| n != name);
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
        pairs.push(("do".to_owned(), verb.to_owned()));
        let sent = self.request(Method::POST, &form.action).header("origin", &self.world.url).form(&pairs);
        let answer = sent.send().await.unwrap();
        if answer.status() == 303 {
            self.keep(&answer);
            let to = answer.headers()["location"].to_str().unwrap().to_owned();
            return self.get(&to).await;
        }
        self.read(&form.action, answer).await
    }
}

struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

impl Page {
    /// The form with a button that does `verb`.
    fn form(&self, verb: &str) -> Form {
        let button = format!("name=\"do\" value=\"{verb}\"");
        let form =
            self.text.split("<form").skip(1).find(|form| form.split("</form>").next().unwrap().contains(&button));
        let form = form.unwrap_or_else(|| panic!("no form does {verb} at {}: {}", self.at, self.text));
        let form = form.split("</form>").next().unwrap();
        let hidden = form.split("<input").skip(1).map(|i| i.split('>').next().unwrap());
        let hidden = hidden.filter(|i| i.contains("type=\"hidden\""));
        let hidden = hidden.map(|i| (attribute(i, "name").unwrap(), attribute(i, "value").unwrap())).collect();
        Form { action: attribute(form.split('>').next().unwrap(), "action").unwrap(), hidden }
    }

    fn says(&self, words: &str) -> &Self {
        assert!(self.text.contains(words), "{} ({}) does not say {words}: {}", self.at, self.status, self.text);
        self
    }

    fn rows(&self) -> usize {
        self.text.matches("<tr>").count().saturating_sub(1)
    }
}

fn at(arm: &str, blade: &str) -> String {
    format!("/portal/resource{arm}/{blade}")
}

async fn group_is_there(developer: &Person<'_>, group: &str) -> bool {
    let path = format!("/subscriptions/{}/resourceGroups/{group}", crate::harness::SUBSCRIPTION);
    developer.arm(Method::GET, &path, Value::Null).await.status().is_success()
}

#[tokio::test]
async fn only_forms_of_this_session_do_anything() {
    let world = World::new();
    let developer = world.developer().await;
    let (browser, other) = (Browser::new(&world), Browser::new(&world));
    let page = browser.get("/portal/create-group").await;
    assert_eq!(page.status, 200);
    let token = page.form("create").hidden[0].1.clone();
    let others = other.get("/portal/create-group").await.form("create").hidden[0].1.clone();
    assert_ne!(token, others);
    let own = world.url.as_str();
    let table: [(&str, &[Pair<'_>], &str); 9] = [
        ("a foreign origin", &[("origin", "https://evil.example")], &token),
        ("no origin that can be told", &[("origin", "null")], &token),
        ("another port of this machine", &[("origin", "http://127.0.0.1:1")], &token),
        ("a page of another site", &[("origin", own), ("sec-fetch-site", "cross-site")], &token),
        ("a page of the same site", &[("origin", own), ("sec-fetch-site", "same-site")], &token),
        ("no token", &[("origin", own)], ""),
        ("another session's token", &[("origin", own)], &others),
        ("half a token", &[("origin", own)], &token[..SESSION / 2]),
        ("a foreign origin and no token", &[("origin", "https://evil.example")], ""),
    ];
    for (number, (what, headers, token)) in table.iter().enumerate() {
        let group = format!("attempt{number}");
        let form = [("form", *token), ("name", &group), ("location", "eastus"), ("do", "create")];
        let mut request = browser.request(Method::POST, "/portal/create-group").form(&form);
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let status = request.send().await.unwrap().status().as_u16();
        let made = group_is_there(&developer, &group).await;
        eprintln!("{what:<32} {status} {}", if made { "MADE" } else { "nothing made" });
        assert_eq!((status, made), (403, false), "{what}");
    }
    // Without cookies the token is of no session.
    let stranger = Client::builder().no_proxy().build().unwrap();
    let form = [("form", token.as_str()), ("name", "stranger"), ("location", "eastus"), ("do", "create")];
    let sent = stranger.post(format!("{own}/portal/create-group")).header("origin", own).form(&form).send().await;
    assert_eq!(sent.unwrap().status(), 403);
    // A name that leads to this machine, as in an attack by DNS rebinding.
    for path in ["/portal/", "/acrite/v1/health"] {
        let sent = stranger.get(format!("{own}{path}")).header("host", "evil.example").send().await.unwrap();
        eprintln!("a foreign host, {path:<16} {}", sent.status());
        assert_eq!(sent.status(), 421);
    }
    // Asking alone changes nothing.
    let asked = browser.get("/portal/create-group?name=asked&location=eastus&do=create").await;
    assert_eq!(asked.status, 200);
    assert!(!group_is_there(&developer, "asked").await);
    // And the form itself works.
    let made = browser.send(&page, "create", &[("name", "made"), ("location", "eastus")]).await;
    made.says("az group create --name made");
    assert!(group_is_there(&developer, "made").await);
}

#[tokio::test]
async fn pages_cannot_be_framed_and_load_nothing_from_elsewhere() {
    let world = World::new();
    world.developer().await.make_group().await;
    let browser = Browser::new(&world);
    for path in [
        "/portal/",
        "/portal/create",
        "/portal/who",
        "/portal/map",
        "/portal/audit",
        "/portal/requests",
        "/portal/none",
        "/portal/assets/portal.css",
        "/portal/assets/portal.js",
    ] {
        let page = browser.get(path).await;
        let header = |name: &str| page.headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        for word in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "@import", "url(", "style=\"", " onclick"] {
            assert!(!page.text.contains(word), "{path} holds {word}");
        }
    }
    // The same by Azure's name, through the proxy.
    let answer = world.client().get("https://portal.azure.com/").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/portal/"));
    let answer = world.client().get("https://portal.azure.com/portal/").send().await.unwrap();
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Secure"));
    assert!(answer.text().await.unwrap().contains("All resources"));
    // Who does not browse gets the control API at `/`, as before.
    let health = reqwest::get(&world.url).await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(browser.get("/").await.status, 303);
}

#[tokio::test]
async fn pages_speak_the_language_that_is_wanted() {
    let world = World::new();
    let browser = Browser::new(&world);
    let answer = browser.request(Method::GET, "/portal/create").header("accept-language", "ja,en;q=0.5").send().await;
    browser.read("", answer.unwrap()).await.says("コンテナー レジストリ").says("<html lang=\"ja\">");
    let page = browser.get("/portal/create").await;
    page.says("Container Registry");
    let form = [("form", page.form_token()), ("lang", "ja".to_owned()), ("back", "/portal/create".to_owned())];
    let sent = browser.request(Method::POST, "/portal/language").header("origin", &world.url).form(&form).send().await;
    let answer = sent.unwrap();
    assert_eq!(answer.headers()["location"], "/portal/create");
    browser.read("", answer).await;
    browser.get("/portal/create").await.says("コンテナー レジストリ");
    // Nobody is led elsewhere.
    for back in ["https://evil.example/", "//evil.example", "/portal/\\evil", "/other"] {
        let form = [("form", page.form_token()), ("lang", "en".to_owned()), ("back", back.to_owned())];
        let sent = browser.request(Method::POST, "/portal/language").header("origin", &world.url).form(&form).send();
        let location = sent.await.unwrap().headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(location, "/portal/", "{back}");
    }
}

impl Page {
    fn form_token(&self) -> String {
        self.text.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

/// What users can store and pages show, with a script in it.
#[tokio::test]
async fn scripts_in_what_is_stored_are_inert() {
    const EVIL: &str = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>";
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("kv-evil", false).await;
    developer.make_registry("evilreg").await;
    let evil = world.somebody(EVIL).await;
    developer.policy("kv-evil", "add", &evil.object_id, &["get"]).await;
    developer.assign(&group_path(""), "acdd72a7-3385-48ef-bd42-f606fba81ae7", &evil.object_id).await;
    let template = json!({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": [], "outputs": {"o": {"type": "string", "value": EVIL}}});
    let path = group_path("/providers/Microsoft.Resources/deployments/evil");
    let body = json!({"properties": {"mode": "Incremental", "template": template}});
    good(developer.arm(Method::PUT, &path, body).await).await;
    let role = uuid::Uuid::new_v4();
    let path = group_path(&format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"));
    let role = json!({"properties": {"roleName": EVIL, "type": "CustomRole", "description": EVIL,
        "assignableScopes": [group_path("")], "permissions": [{"actions": ["*/read"]}]}});
    developer.arm(Method::PUT, &path, role).await;
    let docker = developer.sign_in("evilreg", "app").await;
    let config = docker.push_blob(b"{}").await.unwrap();
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": EVIL, "annotations": {EVIL: EVIL},
        "config": {"mediaType": EVIL, "digest": config, "size": 2}, "layers": [{"mediaType": EVIL, "digest": config, "size": 2}]});
    push_manifest(&docker, "v1", &manifest).await;
    // Audit and requests: the path and the client's own word for itself.
    let path = format!("https://kv-evil.vault.azure.net/keys/{EVIL}?api-version=7.4");
    let token = developer.token("https://vault.azure.net").await;
    world.client().get(path).header("user-agent", EVIL).bearer_auth(token).send().await.unwrap();
    let browser = Browser::new(&world);
    let (vault, registry) = (vault_path("kv-evil"), registry_path("evilreg"));
    let asked = "%3Cscript%3Ealert(1)%3C/script%3E%22%3E";
    let mut shown = 0;
    for path in [
        "/portal/who".to_owned(),
        "/portal/audit".to_owned(),
        "/portal/requests".to_owned(),
        at(&vault, "access-policies"),
        at(&vault, "access-policies-add"),
        at(&vault, "iam"),
        at(&vault, "iam-add"),
        at(&group_path(""), "iam-add"),
        at(&group_path(""), "deployment/evil"),
        format!("{}?name=app", at(&registry, "repository")),
        format!("{}?name=app&reference=v1", at(&registry, "manifest")),
        format!("/portal/?q={asked}"),
        format!("/portal/audit?caller={asked}"),
        format!("/portal/create-vault?name={asked}&location={asked}"),
        at(&vault, &format!("key/{asked}")),
        format!("{}?name={asked}&reference={asked}", at(&registry, "manifest")),
        format!("/portal/{asked}"),
    ] {
        let page = browser.get(&path).await;
        assert!(!page.text.contains("<script>alert"), "{path} runs a script: {}", page.text);
        assert!(!page.text.contains("<img"), "{path}: {}", page.text);
        shown += usize::from(page.text.contains("&lt;script&gt;alert"));
    }
    eprintln!("pages that show the script as text: {shown} of 17");
    assert!(shown >= 12, "the texts were shown: {shown}");
}

async fn push_manifest(docker: &Docker<'_>, tag: &str, manifest: &Value) -> String {
    let bytes = serde_json::to_vec(manifest).unwrap();
    let put =
        docker.call(Method::PUT, &format!("manifests/{tag}")).header("content-type", MANIFEST).body(bytes.clone());
    let done = put.send().await.unwrap();
    assert_eq!(done.status(), 201, "{}", done.text().await.unwrap());
    digest(&bytes)
}

/// Nothing, wrong and hostile input: Azure's message beside the field, what was typed is kept, nothing is made.
#[tokio::test]
async fn what_is_wrong_is_said_beside_its_field() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("kv-forms", false).await;
    developer.make_registry("formsreg").await;
    let browser = Browser::new(&world);
    let (vault, registry) = (vault_path("kv-forms"), registry_path("formsreg"));
    let hostile = "../../evil?x=1#<b>'\"";
    let keys = at(&vault, "keys-create");
    let group = ("group", GROUP);
    let (east, sku) = (("location", "eastus"), ("sku", "Premium"));
    let cases: Vec<(String, &str, Vec<Pair<'_>>, &str)> = vec![
        ("/portal/create-group".into(), "create", vec![], "name"),
        ("/portal/create-group".into(), "create", vec![("name", hostile), east], "name"),
        ("/portal/create-group".into(), "create", vec![("name", "good"), ("location", "nowhere")], "location"),
        ("/portal/create-identity".into(), "create", vec![group, east], "name"),
        ("/portal/create-identity".into(), "create", vec![("group", "none"), ("name", "id1"), east], "group"),
        ("/portal/create-identity".into(), "create", vec![group, ("name", hostile), east], "name"),
        ("/portal/create-vault".into(), "create", vec![group, ("name", "x"), east], "name"),
        ("/portal/create-vault".into(), "create", vec![group, ("name", "kv-new-1"), ("retention", "1")], "retention"),
        ("/portal/create-vault".into(), "create", vec![group, ("name", "kv-new-2"), ("sku", "gold")], "sku"),
        ("/portal/create-registry".into(), "create", vec![group, ("name", "no-dashes"), east, sku], "name"),
        ("/portal/create-registry".into(), "create", vec![group, ("name", "formsreg"), east, sku], "name"),
        (
            "/portal/create-registry".into(),
            "create",
            vec![group, ("name", "newregistry"), ("cmk", "enabled"), sku],
            "identity",
        ),
        (keys.clone(), "create", vec![], "name"),
        (keys.clone(), "create", vec![("name", "not_a_name!"), ("kty", "RSA"), ("size", "2048")], "name"),
        (keys.clone(), "create", vec![("name", "k1"), ("kty", "RSA"), ("size", "1")], "size"),
        (keys.clone(), "create", vec![("name", "k1"), ("kty", "oct9")], "kty"),
        (keys.clone(), "create", vec![("name", "k1"), ("kty", "RSA"), ("exp", "tomorrow")], "exp"),
        (keys, "create", vec![("name", "k1"), ("way", "import"), ("jwk", "{")], "jwk"),
        (at(&vault, "access-policies-add"), "add", vec![], "principal"),
        (at(&vault, "iam-add"), "save", vec![("role", "none"), ("principal", "nobody")], "role"),
        (at(&registry, "webhooks"), "create", vec![("name", "x y"), ("uri", "nowhere"), ("actions", "push")], ""),
        (at(&registry, "replications"), "create", vec![], "location"),
        ("/portal/create-deployment".into(), "create", vec![group, ("name", "d"), ("template", "{")], "template"),
    ];
    for (path, verb, fields, field) in cases {
        let page = browser.get(&path).await;
        let answer = if verb == "create" && page.text.contains("class=\"wizard\"") {
            // The button that creates stands on the last tab.
            let mut form = vec![("form", page.form_token()), ("do", verb.to_owned())];
            form.extend(fields.iter().map(|(n, v)| (*n, (*v).to_owned())));
            let sent = browser.request(Method::POST, &path).header("origin", &world.url).form(&form).send().await;
            browser.read(&path, sent.unwrap()).await
        } else {
            browser.send(&page, verb, &fields).await
        };
        eprintln!("{path} {fields:?}: {}", answer.status);
        assert!((400..500).contains(&answer.status), "{path} {fields:?}: {} {}", answer.status, answer.text);
        answer.says("role=\"alert\"");
        if !field.is_empty() {
            answer.says(&format!("id=\"w-{field}\""));
        }
        for (_, value) in fields.iter().filter(|(name, _)| *name == "name") {
            let kept = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
            answer.says(&format!("value=\"{kept}\""));
        }
    }
    // Nothing was made.
    let list = good(developer.arm(Method::GET, &group_path("/resources"), Value::Null).await).await;
    let mut names: Vec<&str> = list["value"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["formsreg", "kv-forms"]);
    assert!(!group_is_there(&developer, "good").await);
    let keys = good(developer.vault(Method::GET, "kv-forms", "keys", Value::Null).await).await;
    assert_eq!(keys["value"], json!([]));
}

#[tokio::test]
async fn the_second_of_two_windows_is_told() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("kv-two", false).await;
    developer.make_key("kv-two", "key").await;
    developer.make_registry("tworeg").await;
    let browser = Browser::new(&world);
    for (path, verb, fields) in [
        (at(&vault_path("kv-two"), "networking"), "save", [("network", "Deny"), ("bypass", "None")]),
        (at(&registry_path("tworeg"), "networking"), "save", [("network", "Disabled"), ("bypass", "None")]),
        (at(&registry_path("tworeg"), "access-keys"), "admin", [("enabled", "true"), ("x", "")]),
        (at(&vault_path("kv-two"), "properties"), "save", [("model", "policies"), ("purge", "true")]),
    ] {
        let (first, second) = (browser.get(&path).await, browser.get(&path).await);
        let saved = browser.send(&first, verb, &fields).await;
        assert_eq!(saved.status, 200, "{path}: {}", saved.text);
        let told = browser.send(&second, verb, &fields).await;
        assert_eq!(told.status, 409, "{path}");
        told.says("ResourceChanged");
        // What there is now was looked at: sent again, it is done.
        let again = browser.send(&told, verb, &fields).await;
        assert_eq!(again.status, 200, "{path}: {}", again.text);
    }
    // What is gone is said to be gone, by its page and by its form.
    let page = browser.get(&at(&registry_path("tworeg"), "networking")).await;
    good(developer.arm(Method::DELETE, &registry_path("tworeg"), Value::Null).await).await;
    let gone = browser.send(&page, "save", &[("network", "Allow"), ("bypass", "None")]).await;
    assert_eq!(gone.status, 404);
    gone.says("ResourceNotFound");
    let gone = browser.get(&at(&registry_path("tworeg"), "overview")).await;
    assert_eq!(gone.status, 404);
    gone.says("ResourceNotFound");
}

#[tokio::test]
async fn whoever_the_visitor_acts_as_can_do_no_more() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("kv-who", false).await;
    let nobody = world.somebody("nobody").await;
    let browser = Browser::new(&world);
    let who = browser.get("/portal/who").await;
    let act = [("form", who.form_token()), ("who", nobody.object_id.clone())];
    let sent = browser.request(Method::POST, "/portal/act-as").header("origin", &world.url).form(&act).send().await;
    browser.read("", sent.unwrap()).await;
    let vault = browser.get(&at(&vault_path("kv-who"), "overview")).await;
    assert_eq!(vault.status, 403);
    vault.says("AuthorizationFailed").says("nobody");
    let keys = browser.get(&at(&vault_path("kv-who"), "keys")).await;
    assert_eq!(keys.status, 403);
    keys.says("ForbiddenByPolicy");
    let page = browser.get("/portal/create-group").await;
    let made = browser.send(&page, "create", &[("name", "mine"), ("location", "eastus")]).await;
    assert_eq!(made.status, 403);
    assert!(!group_is_there(&developer, "mine").await);
    // The way back is always there.
    browser.get("/portal/who").await.says("nobody");
    // A principal that is gone may do nothing, and its visitor is told.
    good(developer.graph(Method::GET, &format!("servicePrincipals/{}", nobody.object_id), Value::Null).await).await;
    developer.graph(Method::DELETE, &format!("servicePrincipals/{}", nobody.object_id), Value::Null).await;
    assert!((400..500).contains(&browser.get("/portal/").await.status));
    browser.get("/portal/who").await.says("Act as");
}

/// A registry that is blocked says why, and where to mend it, whichever way it was blocked.
#[tokio::test]
async fn a_blocked_registry_says_why_and_how_to_mend_it() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_vault("kv-why", false).await;
    let (client, principal) = developer.make_identity("id1").await;
    developer.allow("kv-why", &principal).await;
    let key = developer.make_key("kv-why", "key").await;
    let body = Person::cmk_body("https://kv-why.vault.azure.net/keys/key", "id1", &client);
    good(developer.arm(Method::PUT, &registry_path("whyreg"), body).await).await;
    let browser = Browser::new(&world);
    let page = at(&registry_path("whyreg"), "encryption");
    let version = key.rsplit('/').next().unwrap();
    let open = browser.get(&page).await;
    open.says("id1").says(version).says("AES-256-GCM");
    assert!(!open.text.contains("class=\"blocked\""));

    developer.policy("kv-why", "replace", &principal, &["get"]).await;
    let why = browser.get(&page).await;
    why.says("class=\"blocked\"")
        .says("no access policy with Get")
        .says(&at(&vault_path("kv-why"), "access-policies-add"));
    browser.get("/portal/map").await.says("Blocked");
    developer.policy("kv-why", "replace", &principal, &["get", "wrapKey", "unwrapKey"]).await;

    let disabled = json!({"attributes": {"enabled": false}});
    good(developer.vault(Method::PATCH, "kv-why", &format!("keys/key/{version}"), disabled).await).await;
    let mend = at(&vault_path("kv-why"), &format!("key/{version}")).replace("/key/", "/key/key/");
    browser.get(&page).await.says("is disabled").says(&mend);
    // The way that it names mends it.
    let saved = browser.send(&browser.get(&mend).await, "save", &[("enabled", "true")]).await;
    saved.says("az keyvault key set-attributes");
    assert!(!browser.get(&page).await.text.contains("class=\"blocked\""));

    let acls = json!({"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}});
    good(developer.arm(Method::PATCH, &vault_path("kv-why"), acls).await).await;
    browser.get(&page).await.says("firewall keeps the registry out").says(&at(&vault_path("kv-why"), "networking"));
    let acls = json!({"properties": {"networkAcls": {"defaultAction": "Allow"}}});
    good(developer.arm(Method::PATCH, &vault_path("kv-why"), acls).await).await;

    good(developer.vault(Method::DELETE, "kv-why", "keys/key", Value::Null).await).await;
    browser.get(&page).await.says("was deleted").says("keys-deleted");
    let deleted = browser.get(&at(&vault_path("kv-why"), "keys-deleted")).await;
    browser.send(&deleted, "recover", &[]).await.says("az keyvault key recover");
    assert!(!browser.get(&page).await.text.contains("class=\"blocked\""));

    good(developer.arm(Method::DELETE, &vault_path("kv-why"), Value::Null).await).await;
    browser.get(&page).await.says("The vault was deleted").says("/portal/deleted-vaults");
    let deleted = browser.get("/portal/deleted-vaults").await;
    browser.send(&deleted, "recover", &[]).await.says("az keyvault recover");
    assert!(!browser.get(&page).await.text.contains("class=\"blocked\""));

    developer.arm(Method::DELETE, &identity_path("id1"), Value::Null).await;
    browser.get(&page).await.says("identity that uses the key is gone");
}

/// A task is run from its page, and the run's page has its log, but never the link to it.
#[tokio::test]
async fn tasks_are_run_and_their_logs_read() {
    let world = World::with(&["--builder", "/nowhere/kaniko"]);
    let developer = world.developer().await;
    developer.make_group().await;
    developer.make_registry("taskreg").await;
    let registry = registry_path("taskreg");
    let content = acrite::domain::world::crypto::base64(b"version: v1.1.0\nsteps:\n  - cmd: bash echo hello\n");
    let task = json!({"location": "eastus", "properties": {
        "platform": {"os": "linux", "architecture": "amd64"},
        "step": {"type": "EncodedTask", "encodedTaskContent": content},
        "trigger": {"timerTriggers": [{"name": "t1", "schedule": "30 6 * * *"}]},
    }});
    good(developer.arm_at("2025-03-01-preview", Method::PUT, &format!("{registry}/tasks/daily"), task).await).await;

    let browser = Browser::new(&world);
    browser.get(&at(&registry, "tasks")).await.says("daily").says("30 6 * * *");
    let page = browser.get(&at(&registry, "task/daily")).await;
    let mut run = browser.send(&page, "run", &[]).await;
    run.says("az acr task run --registry taskreg --name daily");
    while run.text.contains("data-reload") {
        run = browser.get(run.at.split('?').next().unwrap()).await;
    }
    run.says("Failed").says("Install buildah").says("listLogSasUrl");
    assert!(!run.text.contains("sig="), "{}", run.text);
    browser.get(&at(&registry, "runs")).await.says("daily").says("Failed");
    let page = browser.get(&at(&registry, "task/daily")).await;
    browser.send(&page, "delete", &[("confirm", "other")]).await.says("daily");
    browser.send(&page, "delete", &[("confirm", "daily")]).await.says("az acr task delete");
}

/// Lists are given page by page, each with a way to the next.
#[tokio::test]
async fn long_lists_come_in_pages() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    for number in 0..52 {
        developer.make_registry(&format!("paged{number:03}")).await;
    }
    let browser = Browser::new(&world);
    for (path, rows, rest) in [
        ("/portal/?type=Microsoft.ContainerRegistry/registries", 50, 2),
        ("/portal/map", 50, 2),
        ("/portal/?q=paged05", 2, 0),
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.rows(), rows, "{path}: {}", page.text);
        let next =
            page.text.split("rel=\"next\" href=\"").nth(1).map(|l| l.split('"').next().unwrap().replace("&amp;", "&"));
        match next {
            Some(next) => assert_eq!(browser.get(&next).await.rows(), rest, "{next}"),
            None => assert_eq!(rest, 0, "{path}"),
        }
    }
    let docker = developer.sign_in("paged000", "app").await;
    docker.push_image("t000", b"layer").await.unwrap();
    let manifest = docker.call(Method::GET, "manifests/t000").header("accept", MANIFEST).send().await.unwrap();
    let manifest: Value = manifest.json().await.unwrap();
    for number in 1..60 {
        push_manifest(&docker, &format!("t{number:03}"), &manifest).await;
    }
    let path = format!("{}?name=app", at(&registry_path("paged000"), "repository"));
    let page = browser.get(&path).await;
    assert_eq!(page.rows(), 50);
    let next = page.text.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    assert_eq!(browser.get(&next).await.rows(), 10);
    // A link that leads elsewhere is followed nowhere.
    for link in
        ["https://evil.example/", "https://management.azure.com.evil.example/", "http://localhost/acrite/v1/status"]
    {
        let page = browser.get(&format!("/portal/map?after={link}")).await;
        assert_eq!(page.status, 400, "{link}");
    }
}

/// What clients do is on the page at once, without what they must keep secret.
#[tokio::test]
async fn requests_are_shown_live_and_without_secrets() {
    use futures_util::StreamExt as _;
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let browser = Browser::new(&world);
    let token = developer.token("https://management.azure.com").await;
    let page = browser.get("/portal/requests").await;
    page.says("/resourceGroups/rg").says("management.azure.com");
    assert!(!page.text.contains(&token) && !page.text.contains("client_secret"));
    let mut stream = browser.request(Method::GET, "/portal/live").send().await.unwrap().bytes_stream();
    let mut text = String::from_utf8(stream.next().await.unwrap().unwrap().to_vec()).unwrap();
    let path = group_path("/providers/Microsoft.ContainerRegistry/registries/none?secret=s3cret");
    assert_eq!(developer.arm(Method::GET, &path, Value::Null).await.status(), 404);
    while !text.contains("event: clock") {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("event: request") && text.contains("registries/none"), "{text}");
    assert!(text.contains("\"404\",\"ResourceNotFound\""), "{text}");
    assert!(!text.contains("s3cret") && !text.contains(&token), "{text}");
    // Whoever looks on does not hold up the end.
    world.stop();
}

/// The clock of every page moves the emulator's.
#[tokio::test]
async fn the_clock_is_moved_from_any_page() {
    let world = World::with(&["--clock", "2026-01-01T00:00:00Z,frozen"]);
    let browser = Browser::new(&world);
    let page = browser.get("/portal/create").await;
    page.says("2026-01-01T00:00:00Z").says("frozen");
    let form =
        [("form", page.form_token()), ("do", "advance".into()), ("by", "2d".into()), ("back", "/portal/create".into())];
    let sent = browser.request(Method::POST, "/portal/clock").header("origin", &world.url).form(&form).send().await;
    let answer = sent.unwrap();
    assert!(answer.headers()["location"].to_str().unwrap().starts_with("/portal/create?done="));
    browser.get("/portal/create").await.says("2026-01-03T00:00:00Z");
    let form = [("form", page.form_token()), ("do", "advance".into()), ("by", "-1h".into()), ("back", String::new())];
    let sent = browser.request(Method::POST, "/portal/clock").header("origin", &world.url).form(&form).send().await;
    assert_eq!(sent.unwrap().status(), 400);
}
