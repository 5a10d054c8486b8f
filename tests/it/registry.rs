//! The registry's login server: OCI distribution, sign-in, `/acr/v1`, and what is refused.

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Docker, MANIFEST, Person, World, digest, good, registry_path};

const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const ACR_PUSH: &str = "8311e382-0749-4cb8-b61a-304f252e45ec";
const ACR_DELETE: &str = "c2f4ef07-c644-48eb-af81-4b1b4947fb11";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub const SERVER: &str = "https://reg01.azurecr.io";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub async fn start(world: &World) -> Person<'_> {
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me
}

pub fn bytes(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|i| u8::try_from((i * 7 + i / 253 + seed) % 256).unwrap()).collect()
}

/// Status, code and message of a refusal in the OCI envelope.
pub async fn refused(answer: Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {status} {text}"));
    let word = |name: &str| body["errors"][0][name].as_str().unwrap_or_default().to_owned();
    (status, word("code"), word("message"))
}

pub async fn expect(answer: Response, status: u16, code: &str) {
    let (got, said, message) = refused(answer).await;
    assert_eq!((got, said.as_str()), (status, code), "{message}");
}

pub fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).unwrap_or_else(|| panic!("{name} is missing")).to_str().unwrap()
}

fn location(docker: &Docker<'_>, answer: &Response) -> String {
    format!("https://{}{}", docker.server, header(answer, "location"))
}

pub async fn begin(docker: &Docker<'_>) -> String {
    let begun = docker.call(Method::POST, "blobs/uploads/").send().await.unwrap();
    assert_eq!(begun.status(), 202);
    assert_eq!(header(&begun, "range"), "0-0");
    location(docker, &begun)
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_come_back_whole_and_in_parts() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "a/b/c/d").await;
    for size in [0, 1, 65_535, 65_536, 65_537, 524_288, 1_500_000] {
        let blob = bytes(size, size);
        let name = docker.push_blob(&blob).await.unwrap();
        let head = docker.call(Method::HEAD, &format!("blobs/{name}")).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert_eq!(header(&head, "content-length"), size.to_string());
        assert_eq!(header(&head, "docker-content-digest"), name);
        let got = docker.call(Method::GET, &format!("blobs/{name}")).send().await.unwrap();
        assert_eq!(got.bytes().await.unwrap(), blob);
    }
    let blob = bytes(1_500_000, 1_500_000);
    let path = format!("blobs/{}", digest(&blob));
    for (first, last) in [(0, 0), (65_535, 65_536), (100, 700_000), (1_499_999, 1_499_999), (524_287, 1_499_000)] {
        let part =
            docker.call(Method::GET, &path).header("range", format!("bytes={first}-{last}")).send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(header(&part, "content-range"), format!("bytes {first}-{last}/1500000"));
        assert_eq!(part.bytes().await.unwrap(), blob[first..=last], "{first}-{last}");
    }
    let tail = docker.call(Method::GET, &path).header("range", "bytes=-5").send().await.unwrap();
    assert_eq!(tail.bytes().await.unwrap(), blob[1_499_995..]);
    let beyond = docker.call(Method::GET, &path).header("range", "bytes=1500000-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "content-range"), "bytes */1500000");
    let other = me.sign_in("reg01", "other").await;
    expect(other.call(Method::GET, &path).send().await.unwrap(), 404, "BLOB_UNKNOWN").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_in_chunks_go_in_order() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let blob = bytes(200_000, 3);
    let mut url = begin(&docker).await;
    for (first, end) in [(0, 10), (10, 70_000), (70_000, 150_000)] {
        let range = format!("{first}-{}", end - 1);
        let patch =
            docker.absolute(Method::PATCH, &url).header("content-range", &range).body(blob[first..end].to_vec());
        let patched = patch.send().await.unwrap();
        assert_eq!(patched.status(), 202);
        assert_eq!(header(&patched, "range"), format!("0-{}", end - 1));
        url = location(&docker, &patched);
        let again =
            docker.absolute(Method::PATCH, &url).header("content-range", "3-4").body("xx").send().await.unwrap();
        assert_eq!(again.status(), 416);
        assert_eq!(header(&again, "range"), format!("0-{}", end - 1));
        let status = docker.absolute(Method::GET, &url).send().await.unwrap();
        assert_eq!(status.status(), 204);
        assert_eq!(header(&status, "range"), format!("0-{}", end - 1));
        assert!(status.headers().contains_key("docker-upload-uuid"));
    }
    let short = docker.absolute(Method::PATCH, &url).header("content-range", "150000-150009").body("short");
    expect(short.send().await.unwrap(), 400, "BLOB_UPLOAD_INVALID").await;
    let name = digest(&blob);
    let put = docker.absolute(Method::PUT, &format!("{url}&digest={name}")).body(blob[150_000..].to_vec());
    let put = put.send().await.unwrap();
    assert_eq!(put.status(), 201);
    assert_eq!(header(&put, "location"), format!("/v2/r/blobs/{name}"));
    let got = docker.call(Method::GET, &format!("blobs/{name}")).send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), blob);
    expect(docker.absolute(Method::GET, &url).send().await.unwrap(), 404, "BLOB_UPLOAD_UNKNOWN").await;

    let cancelled = begin(&docker).await;
    assert_eq!(docker.absolute(Method::DELETE, &cancelled).send().await.unwrap().status(), 204);
    let patch = docker.absolute(Method::PATCH, &cancelled).body("x").send().await.unwrap();
    expect(patch, 404, "BLOB_UPLOAD_UNKNOWN").await;
    assert_eq!(files(&world, "uploads"), 0);
    assert_eq!(files(&world, "blobs"), 1);
}

pub fn files(world: &World, folder: &str) -> usize {
    std::fs::read_dir(world.dir.join(folder)).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_chunks_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(dir.path(), &[]);
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let blob = bytes(300_000, 9);
    let url = begin(&docker).await;
    let patched = docker.absolute(Method::PATCH, &url).body(blob[..200_000].to_vec()).send().await.unwrap();
    assert_eq!(patched.status(), 202);
    let token = docker.token.clone();
    world.leaves_uploads();
    world.kill();

    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "r").await;
    // The token from before is still good: the signing key is kept.
    let status = world.http().get(&url).bearer_auth(token).send().await.unwrap();
    assert_eq!(header(&status, "range"), "0-199999");
    let name = digest(&blob);
    let put = docker.absolute(Method::PUT, &format!("{url}&digest={name}")).body(blob[200_000..].to_vec());
    assert_eq!(put.send().await.unwrap().status(), 201);
    let got = docker.call(Method::GET, &format!("blobs/{name}")).send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), blob);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pushes_of_one_layer_leave_one_blob() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let blob = bytes(300_000, 1);
    let pushes = (0..64).map(|_| docker.push_blob(&blob));
    for pushed in futures_util::future::join_all(pushes).await {
        pushed.unwrap();
    }
    assert_eq!(files(&world, "blobs"), 1);
    assert_eq!(files(&world, "uploads"), 0);
    let gone = docker.call(Method::DELETE, &format!("blobs/{}", digest(&blob))).send().await.unwrap();
    assert_eq!(gone.status(), 202);
    assert_eq!(files(&world, "blobs"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_in_one_post_and_by_mount() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let name = digest(b"hello");
    let wrong = docker.call(Method::POST, &format!("blobs/uploads/?digest={name}")).body("bye").send().await.unwrap();
    expect(wrong, 400, "DIGEST_INVALID").await;
    // Mounts of what is not there begin sessions.
    world.leaves_uploads();
    let post = docker.call(Method::POST, &format!("blobs/uploads/?digest={name}")).body("hello").send().await.unwrap();
    assert_eq!(post.status(), 201);
    assert_eq!(header(&post, "docker-content-digest"), name);
    // The token for "other" gives nothing in "r": a session begins instead.
    let other = me.sign_in("reg01", "other").await;
    let mount = format!("blobs/uploads/?mount={name}&from=r");
    assert_eq!(other.call(Method::POST, &mount).send().await.unwrap().status(), 202);
    let both = token(&me, "repository:r:pull repository:other:pull,push").await;
    let mounted = world.http().post(format!("{SERVER}/v2/other/{mount}")).bearer_auth(&both).send().await.unwrap();
    assert_eq!(mounted.status(), 201);
    assert_eq!(header(&mounted, "location"), format!("/v2/other/blobs/{name}"));
    let missing = format!("{SERVER}/v2/other/blobs/uploads/?mount={}&from=r", digest(b"none"));
    assert_eq!(world.http().post(missing).bearer_auth(&both).send().await.unwrap().status(), 202);
    // Taken out of one repository, it stays in the other.
    assert_eq!(docker.call(Method::DELETE, &format!("blobs/{name}")).send().await.unwrap().status(), 202);
    assert_eq!(docker.call(Method::HEAD, &format!("blobs/{name}")).send().await.unwrap().status(), 404);
    assert_eq!(other.call(Method::HEAD, &format!("blobs/{name}")).send().await.unwrap().status(), 200);
    // A digest of the other algorithm.
    let long = "sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";
    let post = docker.call(Method::POST, &format!("blobs/uploads/?digest={long}")).body("hello").send().await.unwrap();
    assert_eq!(post.status(), 201);
    assert_eq!(docker.call(Method::GET, &format!("blobs/{long}")).send().await.unwrap().text().await.unwrap(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_tags_and_lists() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    let name = digest(&manifest);
    for reference in ["v1", &name] {
        let got = docker.call(Method::GET, &format!("manifests/{reference}")).send().await.unwrap();
        assert_eq!(got.status(), 200);
        assert_eq!(header(&got, "docker-content-digest"), name);
        assert_eq!(header(&got, "content-type"), MANIFEST);
        assert_eq!(got.bytes().await.unwrap(), manifest);
        let head = docker.call(Method::HEAD, &format!("manifests/{reference}")).send().await.unwrap();
        assert_eq!(header(&head, "content-length"), manifest.len().to_string());
    }
    for tag in ["v2", "v3", "v4"] {
        let put = docker.call(Method::PUT, &format!("manifests/{tag}")).header("content-type", MANIFEST);
        assert_eq!(put.body(manifest.clone()).send().await.unwrap().status(), 201);
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": name, "size": manifest.len(), "platform": {"architecture": "arm64", "os": "linux"}}]});
    let put = docker.call(Method::PUT, "manifests/all").header("content-type", INDEX).body(index.to_string());
    assert_eq!(put.send().await.unwrap().status(), 201);
    let listed = docker.call(Method::GET, "tags/list?n=2&last=all").send().await.unwrap();
    assert_eq!(header(&listed, "link"), "</v2/r/tags/list?last=v2&n=2&orderby=>; rel=\"next\"");
    assert_eq!(good(listed).await, json!({"name": "r", "tags": ["v1", "v2"]}));
    let all = good(docker.call(Method::GET, "tags/list").send().await.unwrap()).await;
    assert_eq!(all["tags"], json!(["all", "v1", "v2", "v3", "v4"]));
    let none = good(docker.call(Method::GET, "tags/list?n=0").send().await.unwrap()).await;
    assert_eq!(none["tags"], json!([]));

    me.sign_in("reg01", "a/deep/one").await.push_image("v1", b"x").await.unwrap();
    let catalog = token(&me, "registry:catalog:*").await;
    let get = |path: &str| world.http().get(format!("{SERVER}{path}")).bearer_auth(&catalog).send();
    let page = get("/v2/_catalog?n=1").await.unwrap();
    assert_eq!(header(&page, "link"), "</v2/_catalog?last=a%2Fdeep%2Fone&n=1&orderby=>; rel=\"next\"");
    assert_eq!(good(page).await, json!({"repositories": ["a/deep/one"]}));
    let rest = get("/acr/v1/_catalog?n=5&last=a%2Fdeep%2Fone").await.unwrap();
    assert!(!rest.headers().contains_key("link"));
    assert_eq!(good(rest).await, json!({"repositories": ["r"]}));

    assert_eq!(docker.call(Method::DELETE, "manifests/v2").send().await.unwrap().status(), 202);
    assert_eq!(docker.call(Method::GET, "manifests/v2").send().await.unwrap().status(), 404);
    assert_eq!(docker.call(Method::DELETE, &format!("manifests/{name}")).send().await.unwrap().status(), 202);
    assert_eq!(docker.call(Method::GET, "manifests/v1").send().await.unwrap().status(), 404);
    let again = docker.call(Method::DELETE, &format!("manifests/{name}")).send().await.unwrap();
    let (status, code, message) = refused(again).await;
    assert_eq!((status, code, message), (404, "MANIFEST_UNKNOWN".into(), format!("manifest {name} is not found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_are_found_by_subject_and_type() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let image = docker.push_image("v1", b"layer").await.unwrap();
    let config = docker.push_blob(b"{}").await.unwrap();
    for kind in ["sbom/x", "signature/x"] {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2}, "layers": [],
            "subject": {"mediaType": MANIFEST, "digest": digest(&image), "size": image.len()},
            "annotations": {"about": kind},
        });
        let text = manifest.to_string();
        let put = docker.call(Method::PUT, &format!("manifests/{}", digest(text.as_bytes())));
        let put = put.header("content-type", MANIFEST).body(text).send().await.unwrap();
        assert_eq!(put.status(), 201);
        assert_eq!(header(&put, "oci-subject"), digest(&image));
    }
    let all = docker.call(Method::GET, &format!("referrers/{}", digest(&image))).send().await.unwrap();
    assert_eq!(header(&all, "content-type"), INDEX);
    assert_eq!(good(all).await["manifests"].as_array().unwrap().len(), 2);
    let path = format!("referrers/{}?artifactType=sbom/x", digest(&image));
    let some = docker.call(Method::GET, &path).send().await.unwrap();
    assert_eq!(header(&some, "oci-filters-applied"), "artifactType");
    let some = good(some).await;
    assert_eq!(some["manifests"][0]["annotations"], json!({"about": "sbom/x"}));
    assert_eq!(some["manifests"].as_array().unwrap().len(), 1);
    let none = docker.call(Method::GET, &format!("referrers/{}", digest(b"none"))).send().await.unwrap();
    assert_eq!(good(none).await["manifests"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_stores_nothing() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();
    let blobs = files(&world, "blobs");

    // Digests.
    let url = begin(&docker).await;
    let put =
        docker.absolute(Method::PUT, &format!("{url}&digest={}", digest(b"other"))).body("bytes").send().await.unwrap();
    expect(put, 400, "DIGEST_INVALID").await;
    for bad in ["", "&digest=", "&digest=nonsense", "&digest=md5:d41d8cd98f00b204e9800998ecf8427e"] {
        let url = begin(&docker).await;
        expect(
            docker.absolute(Method::PUT, &format!("{url}{bad}")).body("x").send().await.unwrap(),
            400,
            "DIGEST_INVALID",
        )
        .await;
        docker.absolute(Method::DELETE, &url).send().await.unwrap();
    }
    assert_eq!((files(&world, "blobs"), files(&world, "uploads")), (blobs, 0));

    // Manifests.
    let put = |reference: &str, body: String| {
        docker.call(Method::PUT, &format!("manifests/{reference}")).header("content-type", MANIFEST).body(body).send()
    };
    expect(put("v2", "not json".into()).await.unwrap(), 400, "MANIFEST_INVALID").await;
    expect(put("v2", "{}".into()).await.unwrap(), 400, "MANIFEST_INVALID").await;
    let missing = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {"mediaType": "c", "digest": digest(b"missing"), "size": 7}});
    expect(put("v2", missing.to_string()).await.unwrap(), 400, "MANIFEST_BLOB_UNKNOWN").await;
    expect(put(&digest(b"another"), missing.to_string()).await.unwrap(), 400, "DIGEST_INVALID").await;
    // No route matches such a tag [issue].
    let unmatched = put(".bad", missing.to_string()).await.unwrap();
    assert_eq!((unmatched.status().as_u16(), unmatched.text().await.unwrap().as_str()), (404, "404 page not found\n"));
    let large = format!("{{\"schemaVersion\":2{}}}", " ".repeat(4 * 1024 * 1024));
    assert_eq!(put("v2", large).await.unwrap().status(), 413);
    let answer = docker.call(Method::GET, "manifests/v2").send().await.unwrap();
    assert_eq!(refused(answer).await.2, "manifest tagged by \"v2\" is not found");
    assert_eq!(docker.call(Method::GET, "manifests/.INVALID").send().await.unwrap().status(), 404);
    expect(docker.call(Method::GET, "tags/list?n=x").send().await.unwrap(), 400, "PAGINATION_NUMBER_INVALID").await;
    expect(docker.call(Method::POST, "manifests/v1").send().await.unwrap(), 405, "UNSUPPORTED").await;

    // Paths.
    let get = |path: &str| world.http().get(format!("{SERVER}{path}")).bearer_auth(&docker.token).send();
    for path in ["/v2/Upper/tags/list", "/v2/a%00b/tags/list", "/nothing", "/v2/r", "/v2/r%5C/tags/list"] {
        let answer = get(path).await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.text().await.unwrap(), "404 page not found\n", "{path}");
    }
    for path in [
        "/v2/a..b/tags/list",
        "/v2/%2e%2e%2fr/tags/list",
        "/v2//tags/list",
        "/v2/-a/tags/list",
        "/v2/r%252Fx/tags/list",
    ] {
        expect(get(path).await.unwrap(), 400, "NAME_INVALID").await;
    }
    let elsewhere = world.http().get("https://nobody.azurecr.io/v2/").send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_leaves_what_was_there() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let url = begin(&docker).await;
    let patched = docker.absolute(Method::PATCH, &url).body(bytes(100_000, 0)).send().await.unwrap();
    assert_eq!(patched.status(), 202);
    let parts = futures_util::stream::iter([Ok(bytes(300_000, 5)), Err(std::io::Error::other("cut"))]);
    let cut = docker.absolute(Method::PATCH, &url).body(reqwest::Body::wrap_stream(parts)).send().await;
    assert!(cut.is_err());
    let status = docker.absolute(Method::GET, &url).send().await.unwrap();
    assert_eq!(header(&status, "range"), "0-99999");
    let name = digest(&bytes(100_000, 0));
    let put = docker.absolute(Method::PUT, &format!("{url}&digest={name}")).send().await.unwrap();
    assert_eq!(put.status(), 201);
}

// Sign-in.

pub async fn refresh(person: &Person<'_>) -> Response {
    let entra = person.token("https://management.azure.com").await;
    let form = [("grant_type", "access_token"), ("service", "reg01.azurecr.io"), ("access_token", &entra)];
    person.world.http().post(format!("{SERVER}/oauth2/exchange")).form(&form).send().await.unwrap()
}

/// An access token by way of the refresh token.
/// An access token of `reg01` for these scopes.
pub async fn token(person: &Person<'_>, scope: &str) -> String {
    let refresh = good(refresh(person).await).await["refresh_token"].as_str().unwrap().to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("service", "reg01.azurecr.io"),
        ("scope", scope),
        ("refresh_token", &refresh),
    ];
    let answer = person.world.http().post(format!("{SERVER}/oauth2/token")).form(&form).send().await.unwrap();
    good(answer).await["access_token"].as_str().unwrap().to_owned()
}

/// The claims of a token.
pub fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&acrite::domain::world::crypto::from_base64url(body).unwrap()).unwrap()
}

fn actions(token: &str) -> Value {
    claims(token)["access"].get(0).map_or(json!([]), |s| s["actions"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_follow_roles() {
    let world = World::new();
    let me = start(&world).await;
    let registry = registry_path("reg01");
    let all = "repository:r:pull,push,delete,metadata_read,metadata_write";

    let nobody = world.somebody("nobody").await;
    let (status, code, message) = refused(refresh(&nobody).await).await;
    assert_eq!((status, code.as_str()), (401, "UNAUTHORIZED"));
    let said = "authentication required, visit https://aka.ms/acr/authorization for more information. CorrelationId: ";
    assert!(message.starts_with(said), "{message}");

    for (role, wanted) in [
        (ACR_PULL, json!(["metadata_read", "pull"])),
        (ACR_PUSH, json!(["metadata_read", "metadata_write", "pull", "push"])),
        (ACR_DELETE, json!(["delete"])),
        (READER, json!(["metadata_read", "pull"])),
    ] {
        let person = world.somebody(&format!("holder of {role}")).await;
        me.assign(&registry, role, &person.object_id).await;
        let token = token(&person, all).await;
        assert_eq!(actions(&token), wanted, "{role}");
        let claims = claims(&token);
        assert_eq!(claims["iss"], "Azure Container Registry");
        assert_eq!(claims["aud"], "reg01.azurecr.io");
        assert_eq!(claims["grant_type"], "access_token");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 4500);
    }
    let owner = token(&me, all).await;
    assert_eq!(actions(&owner), json!(["delete", "metadata_read", "metadata_write", "pull", "push"]));

    // With rights per repository, roles of the older mode give nothing.
    let body = json!({"properties": {"roleAssignmentMode": "AbacRepositoryPermissions"}});
    good(me.arm(Method::PATCH, &registry, body).await).await;
    assert_eq!(refresh(&me).await.status(), 401);
    let writer = world.somebody("writer").await;
    me.assign(&registry, "2a1e307c-b015-4ebd-883e-5b7698a07328", &writer.object_id).await;
    let token = token(&writer, all).await;
    assert_eq!(actions(&token), json!(["metadata_read", "metadata_write", "pull", "push"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_wants_a_good_token() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();
    me.make_registry("other1").await;
    let elsewhere = me.sign_in("other1", "r").await.token;
    let routes = crate::registry_walk::routes(&digest(b"layer"));
    let small = token(&me, "repository:another:pull,push,delete,metadata_read,metadata_write").await;
    let entra = me.token("https://management.azure.com").await;
    let refresh = good(refresh(&me).await).await["refresh_token"].as_str().unwrap().to_owned();
    let mut broken = docker.token.clone();
    broken.replace_range(broken.len() - 6.., "AAAAAA");
    for (_, method, path) in &routes {
        let url = format!("{SERVER}{path}");
        let none = world.http().request(method.clone(), &url).send().await.unwrap();
        assert_eq!(none.status(), 401, "{method} {path}");
        let challenge = header(&none, "www-authenticate").to_owned();
        let wanted = "Bearer realm=\"https://reg01.azurecr.io/oauth2/token\",service=\"reg01.azurecr.io\",scope=\"";
        assert!(challenge.starts_with(wanted), "{method} {path}: {challenge}");
        for bad in [&elsewhere, &entra, &refresh, &broken] {
            let answer = world.http().request(method.clone(), &url).bearer_auth(bad).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
            assert!(header(&answer, "www-authenticate").ends_with(",error=\"invalid_token\""), "{method} {path}");
        }
        let answer = world.http().request(method.clone(), &url).bearer_auth(&small).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{method} {path}");
    }
    let base = world.http().get(format!("{SERVER}/v2/")).send().await.unwrap();
    assert_eq!(base.status(), 401);
    assert_eq!(header(&base, "docker-distribution-api-version"), "registry/2.0");
    assert!(!header(&base, "www-authenticate").contains("scope="));
    let base = world.http().get(format!("{SERVER}/v2/")).bearer_auth(&docker.token).send().await.unwrap();
    assert_eq!(base.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_dies_with_its_subject() {
    let world = World::new();
    let me = start(&world).await;
    let person = world.somebody("leaver").await;
    me.assign(&registry_path("reg01"), ACR_PUSH, &person.object_id).await;
    let docker = person.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();
    let gone = me.graph(Method::DELETE, &format!("servicePrincipals/{}", person.object_id), Value::Null).await;
    assert!(gone.status().is_success());
    assert_eq!(docker.call(Method::GET, "manifests/v1").send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_as_docker_sends_them() {
    let world = World::new();
    let me = start(&world).await;
    let refresh = good(refresh(&me).await).await["refresh_token"].as_str().unwrap().to_owned();
    let url = format!("{SERVER}/oauth2/token?service=reg01.azurecr.io&scope=repository:r:pull,push");
    let zero = "00000000-0000-0000-0000-000000000000";
    let narrow = token(&me, "repository:r:pull").await;
    for (user, password, wanted) in [
        (zero, refresh.as_str(), json!(["pull", "push"])),
        (zero, narrow.as_str(), json!(["pull"])),
        (me.client_id.as_str(), me.secret.as_str(), json!(["pull", "push"])),
    ] {
        let answer = world.http().get(&url).basic_auth(user, Some(password)).send().await.unwrap();
        let token = good(answer).await["access_token"].as_str().unwrap().to_owned();
        assert_eq!(actions(&token), wanted, "{user}");
    }
    for (user, password) in [(zero, "nonsense"), (me.client_id.as_str(), "wrong"), ("reg01", "wrong"), ("nobody", "x")]
    {
        let answer = world.http().get(&url).basic_auth(user, Some(password)).send().await.unwrap();
        expect(answer, 401, "UNAUTHORIZED").await;
    }
    expect(world.http().get(&url).send().await.unwrap(), 401, "UNAUTHORIZED").await;
    // Straight on a call.
    let catalog = world.http().get(format!("{SERVER}/v2/_catalog")).basic_auth(&me.client_id, Some(&me.secret));
    assert_eq!(catalog.send().await.unwrap().status(), 200);
    let form = [("grant_type", "nonsense")];
    assert_eq!(world.http().post(format!("{SERVER}/oauth2/token")).form(&form).send().await.unwrap().status(), 400);

    // Anybody may pull where the registry says so, and no more.
    me.sign_in("reg01", "r").await.push_image("v1", b"layer").await.unwrap();
    let body = json!({"properties": {"anonymousPullEnabled": true}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
    let answer = good(world.http().get(&url).send().await.unwrap()).await;
    let anonymous = answer["access_token"].as_str().unwrap();
    assert_eq!(actions(anonymous), json!(["pull"]));
    let got = Docker::new(&world, "reg01", "r", anonymous).call(Method::GET, "manifests/v1").send().await.unwrap();
    assert_eq!(got.status(), 200);
}

// Azure's own API.

#[tokio::test(flavor = "multi_thread")]
async fn azures_own_view() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "lib/r").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    docker.push_image("v2", b"layer two").await.unwrap();
    let name = digest(&manifest);
    let get = |path: &str| world.http().get(format!("{SERVER}/acr/v1/{path}")).bearer_auth(&docker.token).send();
    let shown = good(get("lib%2Fr").await.unwrap()).await;
    assert_eq!((&shown["registry"], &shown["imageName"]), (&json!("reg01.azurecr.io"), &json!("lib/r")));
    assert_eq!((&shown["manifestCount"], &shown["tagCount"]), (&json!(2), &json!(2)));
    assert_eq!(shown["changeableAttributes"]["teleportEnabled"], json!(false));
    let tags = good(get("lib/r/_tags?orderby=timedesc").await.unwrap()).await;
    assert_eq!((&tags["tags"][0]["name"], &tags["tags"][1]["name"]), (&json!("v2"), &json!("v1")));
    let first = get("lib/r/_tags?orderby=timedesc&n=1").await.unwrap();
    assert_eq!(header(&first, "link"), "</acr/v1/lib/r/_tags?last=v2&n=1&orderby=timedesc>; rel=\"next\"");
    let second = good(get("lib/r/_tags?orderby=timedesc&n=1&last=v2").await.unwrap()).await;
    assert_eq!(second["tags"][0]["name"], "v1");
    let one = good(get("lib/r/_tags/v1").await.unwrap()).await;
    assert_eq!((&one["tag"]["digest"], &one["tag"]["signed"]), (&json!(name), &json!(false)));
    let manifests = good(get("lib/r/_manifests").await.unwrap()).await;
    assert_eq!(manifests["manifests"].as_array().unwrap().len(), 2);
    let one = good(get(&format!("lib/r/_manifests/{}", name.replace(':', "%3A"))).await.unwrap()).await;
    let shown = &one["manifest"];
    assert_eq!((&shown["architecture"], &shown["os"]), (&json!("amd64"), &json!("linux")));
    assert_eq!((&shown["tags"], &shown["mediaType"]), (&json!(["v1"]), &json!(MANIFEST)));
    assert_eq!(shown["changeableAttributes"]["quarantineState"], "Passed");
    expect(get("lib/r/_tags/none").await.unwrap(), 404, "TAG_UNKNOWN").await;
    expect(get(&format!("lib/r/_manifests/{}", digest(b"none"))).await.unwrap(), 404, "MANIFEST_UNKNOWN").await;

    let http: &Client = world.http();
    let delete = |path: &str| http.delete(format!("{SERVER}/acr/v1/{path}")).bearer_auth(&docker.token).send();
    assert_eq!(delete("lib/r/_tags/v2").await.unwrap().status(), 202);
    let gone = delete("lib/r").await.unwrap();
    assert_eq!(gone.status(), 202);
    let gone: Value = gone.json().await.unwrap();
    assert_eq!(gone["tagsDeleted"], json!(["v1"]));
    assert_eq!(gone["manifestsDeleted"].as_array().unwrap().len(), 2);
    assert_eq!(files(&world, "blobs"), 0);
    let (status, code, message) = refused(delete("lib/r").await.unwrap()).await;
    assert_eq!((status, code.as_str()), (404, "NAME_UNKNOWN"));
    assert_eq!(message, "repository name not known to registry");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_hold() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    let manifest = docker.push_image("v1", b"layer").await.unwrap();
    let name = digest(&manifest);
    let patch = |path: String, body: Value| {
        world.http().patch(format!("{SERVER}/acr/v1/{path}")).bearer_auth(&docker.token).json(&body).send()
    };
    let disallowed = "REGISTRY_DISALLOWED_OPERATION";
    let put =
        || docker.call(Method::PUT, "manifests/v1").header("content-type", MANIFEST).body(manifest.clone()).send();

    let locked = patch("r/_tags/v1".into(), json!({"writeEnabled": false})).await.unwrap();
    assert_eq!(good(locked).await["tag"]["changeableAttributes"]["writeEnabled"], json!(false));
    expect(put().await.unwrap(), 405, disallowed).await;
    // What may not be written may not be deleted: the tag, its manifest, the whole repository.
    let whole = || world.http().delete(format!("{SERVER}/acr/v1/r")).bearer_auth(&docker.token).send();
    for path in ["manifests/v1".to_owned(), format!("manifests/{name}")] {
        expect(docker.call(Method::DELETE, &path).send().await.unwrap(), 405, disallowed).await;
    }
    expect(whole().await.unwrap(), 405, disallowed).await;
    for (path, write) in [("r/_tags/v1".to_owned(), true), (format!("r/_manifests/{name}"), false)] {
        good(patch(path, json!({"writeEnabled": write})).await.unwrap()).await;
    }
    expect(docker.call(Method::DELETE, &format!("manifests/{name}")).send().await.unwrap(), 405, disallowed).await;
    expect(whole().await.unwrap(), 405, disallowed).await;
    for (path, write) in [(format!("r/_manifests/{name}"), true), ("r".to_owned(), false)] {
        good(patch(path, json!({"writeEnabled": write})).await.unwrap()).await;
    }
    expect(docker.call(Method::DELETE, "manifests/v1").send().await.unwrap(), 405, disallowed).await;
    expect(whole().await.unwrap(), 405, disallowed).await;
    good(patch("r".into(), json!({"writeEnabled": true})).await.unwrap()).await;
    good(patch("r/_tags/v1".into(), json!({"writeEnabled": true, "deleteEnabled": false})).await.unwrap()).await;
    assert_eq!(put().await.unwrap().status(), 201);
    expect(docker.call(Method::DELETE, "manifests/v1").send().await.unwrap(), 405, disallowed).await;
    expect(docker.call(Method::DELETE, &format!("manifests/{name}")).send().await.unwrap(), 405, disallowed).await;
    good(patch("r/_tags/v1".into(), json!({"deleteEnabled": true})).await.unwrap()).await;

    good(patch(format!("r/_manifests/{name}"), json!({"readEnabled": false})).await.unwrap()).await;
    expect(docker.call(Method::GET, "manifests/v1").send().await.unwrap(), 405, disallowed).await;
    good(patch(format!("r/_manifests/{name}"), json!({"readEnabled": true, "listEnabled": false})).await.unwrap())
        .await;
    assert_eq!(docker.call(Method::GET, "manifests/v1").send().await.unwrap().status(), 200);

    good(patch("r".into(), json!({"writeEnabled": false, "deleteEnabled": false})).await.unwrap()).await;
    expect(docker.call(Method::POST, "blobs/uploads/").send().await.unwrap(), 405, disallowed).await;
    let gone = world.http().delete(format!("{SERVER}/acr/v1/r")).bearer_auth(&docker.token).send().await.unwrap();
    expect(gone, 405, disallowed).await;
    let wrong = patch("r".into(), json!({"writeEnabled": "no"})).await.unwrap();
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_with_other_bytes_gets_those() {
    let world = World::new();
    let me = start(&world).await;
    let docker = me.sign_in("reg01", "r").await;
    for round in 0..8 {
        let url = begin(&docker).await;
        // Broken off somewhere while batches are being written …
        let parts = (0..30).map(|n| Ok(bytes(40_000, n))).chain([Err(std::io::Error::other("cut"))]);
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
        assert!(docker.absolute(Method::PATCH, &url).body(body).send().await.is_err());
        // … and begun again at once.
        let blob = bytes(900_000 + round * 65_536, round + 77);
        let patched = docker.absolute(Method::PATCH, &url).body(blob.clone()).send().await.unwrap();
        assert_eq!(patched.status(), 202);
        let name = digest(&blob);
        let put = docker.absolute(Method::PUT, &format!("{url}&digest={name}")).send().await.unwrap();
        assert_eq!(put.status(), 201);
        let got = docker.call(Method::GET, &format!("blobs/{name}")).send().await.unwrap();
        assert_eq!(got.bytes().await.unwrap(), blob, "round {round}");
    }
    assert_eq!(files(&world, "uploads"), 0);
}
