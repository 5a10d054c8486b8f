//! What requests may say and what not: names, versions, options, algorithms.
//! Must not know: how any of it is kept.

use axum::http::Method;
use serde_json::{Value, json};

use super::*;

/// For every verb and collection, whether there is such an object or not [issue].
#[tokio::test]
async fn names_are_judged_before_the_object_is_looked_for() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let stranger = bed.person(json!({})).await;
    let stranger = At { bed: &bed, person: &stranger, vault: "v-one" };
    for (method, collection, rest) in [
        (Method::GET, "keys", ""),
        (Method::PUT, "keys", ""),
        (Method::PATCH, "keys", ""),
        (Method::DELETE, "keys", ""),
        (Method::GET, "keys", "/versions"),
        (Method::GET, "keys", "/rotationpolicy"),
        (Method::PUT, "keys", "/rotationpolicy"),
        (Method::POST, "keys", "/create"),
        (Method::POST, "keys", "/backup"),
        (Method::POST, "keys", "/rotate"),
        (Method::POST, "keys", "/0123/wrapkey"),
        (Method::POST, "keys", "/sign"),
        (Method::GET, "deletedkeys", ""),
        (Method::DELETE, "deletedkeys", ""),
        (Method::POST, "deletedkeys", "/recover"),
        (Method::GET, "secrets", ""),
        (Method::PUT, "secrets", ""),
        (Method::PATCH, "secrets", ""),
        (Method::DELETE, "secrets", ""),
        (Method::GET, "secrets", "/versions"),
        (Method::POST, "secrets", "/backup"),
        (Method::GET, "deletedsecrets", ""),
        (Method::DELETE, "deletedsecrets", ""),
        (Method::GET, "certificates", ""),
    ] {
        let long = "a".repeat(128);
        for (sent, name) in [("my_key", "my_key"), ("a.b", "a.b"), ("a%20b", "a b"), (long.as_str(), long.as_str())] {
            let text = format!("The request URI contains an invalid name: {name}");
            let path = format!("/{collection}/{sent}{rest}");
            let answer = at.ask(method.clone(), &path, Value::Null).await;
            assert_eq!(answer.error(), (400, "BadParameter", "", text.as_str()), "{method} {path}");
        }
    }
    assert_eq!(stranger.get("/keys/my_key").await.error().1, "BadParameter", "before the gate [inferred]");
}

#[tokio::test]
async fn a_version_of_the_api_that_is_not_there_is_refused() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    for path in ["/keys", "/keys/none", "/secrets", "/deletedkeys"] {
        for sent in ["abc", "7.9", "2099-01-01"] {
            let answer = at.ask_with(sent, Method::GET, path, Value::Null).await;
            let text = format!(
                "The specified version ({sent}) is not recognized. Consider using the latest supported version (2026-04-01)."
            );
            assert_eq!(answer.error(), (400, "BadParameter", "", text.as_str()), "[recorded] {path}");
        }
    }
    for sent in ["7.0", "7.4", "7.6-preview.2", "2026-03-01-preview", "2026-04-01"] {
        assert_eq!(at.ask_with(sent, Method::GET, "/keys", Value::Null).await.status, 200, "{sent}");
    }
}

/// The portal sends options of its own [recorded in audit logs]: what is not known is passed over. What is known is not.
#[tokio::test]
async fn options_that_are_not_known_are_passed_over_and_known_ones_are_read() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.post("/keys/k/create", json!({"kty": "EC", "newer": {"member": []}})).await;
    for option in
        ["x-ms-include-der=true", "_=1699275446", "$filter=name eq 'k'", "$top=1", "maxresults=", "$skiptoken="]
    {
        let option = option.replace(' ', "%20");
        assert_eq!(at.get(&format!("/keys?{option}")).await.body["value"].as_array().unwrap().len(), 1, "{option}");
    }
    for nonsense in ["0", "-1", "26", "abc", "1.5", "2x", "%20", "99999999999999999999"] {
        for collection in ["/keys", "/keys/k/versions", "/deletedkeys", "/secrets", "/deletedsecrets"] {
            let answer = at.get(&format!("{collection}?maxresults={nonsense}")).await;
            assert_eq!((answer.error().0, answer.error().1), (400, "BadParameter"), "{collection} {nonsense}");
        }
    }
    assert_eq!(at.get("/secrets?$skiptoken=bm9uc2Vuc2U").await.error().1, "BadParameter");
}

/// An EC key that can, by its operations, do what only RSA can.
async fn elliptic(at: &At<'_>, name: &str, curve: &str) -> String {
    let body = json!({"kty": "EC", "crv": curve, "key_ops": ["sign", "verify", "encrypt", "decrypt"]});
    let made = at.post(&format!("/keys/{name}/create"), body).await;
    assert_eq!(made.body["key"]["crv"], curve, "{}", made.body);
    made.body["key"]["kid"].as_str().unwrap().to_owned()
}

/// Each algorithm with each wrong length, type of key and curve. SDKs branch on such texts [issue].
#[tokio::test]
async fn what_does_not_go_together_is_told_apart() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.key("rsa").await;
    let rsa = at.get("/keys/rsa").await.body["key"]["kid"].as_str().unwrap().to_owned();
    let curves = ["P-256", "P-256K", "SECP256K1", "P-384", "P-521"];
    let mut kids = Vec::new();
    for curve in curves {
        kids.push(elliptic(&at, curve, curve).await);
    }
    let sign = async |key: &str, alg: &str, bytes: usize| {
        let body = json!({"alg": alg, "value": base64url(&vec![3; bytes])});
        at.post(&format!("/keys/{key}/sign"), body).await
    };
    let refused = |answer: Answer, text: &str| assert_eq!(answer.error(), (400, "BadParameter", "", text));
    let rsa_algorithms = [("RS256", 32), ("RS384", 48), ("RS512", 64), ("PS256", 32), ("PS384", 48), ("PS512", 64)];
    let ec_algorithms: [(&str, usize, &[&str]); 5] = [
        ("ES256", 32, &["P-256"]),
        ("ES256K", 32, &["P-256K"]),
        ("ECDSA256", 32, &["P-256", "SECP256K1"]),
        ("ES384", 48, &["P-384"]),
        ("ES512", 64, &["P-521"]),
    ];
    for (alg, length) in rsa_algorithms {
        assert_eq!(sign("rsa", alg, length).await.status, 200, "{alg}");
        for wrong in [0, 1, length - 1, length + 1, 44] {
            let text = format!(
                "Invalid length of 'value': {wrong} bytes. {alg} requires {length} bytes, encoded with base64url."
            );
            refused(sign("rsa", alg, wrong).await, &text);
        }
        let text = format!(
            "Key and signing algorithm are incompatible. Key {} is of type 'EC', and algorithm '{alg}' can only be used with type 'RSA'.",
            kids[0]
        );
        refused(sign("P-256", alg, length).await, &text);
    }
    for (alg, length, fit) in ec_algorithms {
        for (curve, kid) in curves.iter().zip(&kids) {
            if fit.contains(curve) {
                assert_eq!(sign(curve, alg, length).await.status, 200, "{alg} {curve}");
                let text = format!(
                    "Invalid length of 'value': 44 bytes. {alg} requires {length} bytes, encoded with base64url."
                );
                refused(sign(curve, alg, 44).await, &text);
                let body = json!({"alg": alg, "digest": base64url(&[3; 44]), "value": "AA"});
                let verified = at.post(&format!("/keys/{curve}/verify"), body).await;
                refused(verified, &text.replace("'value'", "'digest'"));
                continue;
            }
            let wanted = fit.iter().map(|curve| format!("'{curve}'")).collect::<Vec<_>>().join(" or ");
            let text = format!(
                "Key and signing algorithm are incompatible. Key {kid} uses curve '{curve}', and algorithm '{alg}' can only be used with curve {wanted}."
            );
            refused(sign(curve, alg, length).await, &text);
        }
        let text = format!(
            "Key and signing algorithm are incompatible. Key {rsa} is of type 'RSA', and algorithm '{alg}' can only be used with type 'EC'."
        );
        refused(sign("rsa", alg, length).await, &text);
    }
    for alg in ["", "HS256", "RSA-OAEP", "rs256"] {
        refused(sign("rsa", alg, 32).await, "Property alg has invalid value\r\n");
    }
}

#[tokio::test]
async fn what_is_encrypted_has_room_in_its_key() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.key("rsa").await;
    let kid = elliptic(&at, "ec", "P-256").await;
    let ask = async |path: &str, alg: &str, bytes: usize| {
        at.post(&format!("/keys/{path}"), json!({"alg": alg, "value": base64url(&vec![3; bytes])})).await
    };
    for (alg, most) in [("RSA1_5", 245), ("RSA-OAEP", 214), ("RSA-OAEP-256", 190)] {
        for operation in ["encrypt", "wrapkey"] {
            assert_eq!(ask(&format!("rsa/{operation}"), alg, most).await.status, 200, "{alg}");
            let long = ask(&format!("rsa/{operation}"), alg, most + 1).await;
            let text = format!(
                "Invalid length of 'value': {} bytes. {alg} requires at most {most} bytes, encoded with base64url.",
                most + 1
            );
            assert_eq!(long.error(), (400, "BadParameter", "", text.as_str()));
        }
        for operation in ["decrypt", "unwrapkey"] {
            let short = ask(&format!("rsa/{operation}"), alg, 255).await;
            let text =
                format!("Invalid length of 'value': 255 bytes. {alg} requires 256 bytes, encoded with base64url.");
            assert_eq!(short.error(), (400, "BadParameter", "", text.as_str()));
            assert_eq!(ask(&format!("rsa/{operation}"), alg, 256).await.error().1, "BadParameter");
        }
        let text = format!(
            "Key and encryption algorithm are incompatible. Key {kid} is of type 'EC', and algorithm '{alg}' can only be used with type 'RSA'."
        );
        assert_eq!(ask("ec/encrypt", alg, 1).await.error().3, text);
    }
    assert_eq!(ask("rsa/encrypt", "A256GCM", 1).await.error().3, "Property alg has invalid value\r\n");
}

/// The client says itself, in the bytes, of which hash they are [issue].
#[tokio::test]
async fn bytes_that_name_their_hash_are_signed_as_they_are() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    at.key("k").await;
    let digest = [3; 32];
    // The DigestInfo of SHA-256 (RFC 8017 9.2).
    let before = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let info = base64url(&[&before[..], &digest].concat());
    let signed = at.post("/keys/k/sign", json!({"alg": "RSNULL", "value": info})).await;
    assert_eq!(signed.status, 200, "{}", signed.body);
    for (alg, digest) in [("RSNULL", info), ("RS256", base64url(&digest))] {
        let verify = json!({"alg": alg, "digest": digest, "value": signed.body["value"]});
        assert_eq!(at.post("/keys/k/verify", verify).await.body, json!({"value": true}), "{alg}");
    }
    let long = at.post("/keys/k/sign", json!({"alg": "RSNULL", "value": base64url(&[1; 246])})).await;
    let text = "Invalid length of 'value': 246 bytes. RSNULL requires at most 245 bytes, encoded with base64url.";
    assert_eq!(long.error().3, text);
}
