//! The published vectors, rotation of secrets, and that what is signed verifies.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "whsec-example";
const BODY: &[u8] = br#"{"order":42,"ok":true}"#;
const AT: i64 = 1_760_000_000;

fn message(body: &[u8]) -> Message<'_> {
    Message {
        id: "msg_1",
        timestamp: AT,
        body,
    }
}

fn version(hash: HashKind, encoding: DigestEncoding) -> DigestForm {
    DigestForm { hash, encoding }
}

fn value(scheme: &SignatureScheme, secrets: &[SigningSecret], message: &Message<'_>) -> String {
    let signer = Signer::new(scheme, secrets).expect("a signer");
    signer.sign(message).pop().expect("a header").1
}

fn simple(versions: Vec<DigestForm>) -> SignatureScheme {
    SignatureScheme::Simple {
        header: DEFAULT_HEADER.to_owned(),
        versions,
    }
}

fn advanced(versions: Vec<DigestForm>) -> SignatureScheme {
    SignatureScheme::Advanced {
        header: DEFAULT_HEADER.to_owned(),
        versions,
    }
}

#[test]
fn simple_signatures_match_the_published_vectors() {
    let secrets = [SigningSecret::lasting(SECRET)];
    for (encoding, expected) in [
        (
            DigestEncoding::Hex,
            "f70d3eef4c2a0fb4d408b420fc9cb71d8c7aa7ee890e51b5909eb7248cb7ccf1",
        ),
        (
            DigestEncoding::Base64,
            "9w0+70wqD7TUCLQg/Jy3HYx6p+6JDlG1kJ63JIy3zPE=",
        ),
    ] {
        let version = version(HashKind::Sha256, encoding);
        assert_eq!(value(&simple(vec![version]), &secrets, &message(BODY)), expected);
        assert!(verify_simple(expected, SECRET, version, BODY));
        assert!(!verify_simple(expected, "another", version, BODY));
    }
}

#[test]
fn advanced_signatures_match_the_published_vectors() {
    let secrets = [SigningSecret::lasting(SECRET)];
    for (version, digest) in [
        (
            version(HashKind::Sha256, DigestEncoding::Hex),
            "82cce759bccdf540d26374134107f7ff15117d80a7e17e46dab034591bc4195c",
        ),
        (
            version(HashKind::Sha256, DigestEncoding::Base64),
            "gsznWbzN9UDSY3QTQQf3/xURfYCn4X5G2rA0WRvEGVw=",
        ),
        (
            version(HashKind::Sha512, DigestEncoding::Base64),
            "ERVkhlh0WE4izBeHX2Q8oc8noV1PGK8jvqXmGuLnJYghQe6IubzyFwbQB/RyGiInG2eIsVLXoCwMulEfqP22lg==",
        ),
    ] {
        let expected = format!("t={AT},v1={digest}");
        assert_eq!(
            value(&advanced(vec![version]), &secrets, &message(BODY)),
            expected
        );
        assert!(verify_advanced(
            &expected,
            SECRET,
            version,
            BODY,
            AT + 300,
            DEFAULT_TOLERANCE_SECONDS
        ));
        assert!(!verify_advanced(
            &expected,
            SECRET,
            version,
            BODY,
            AT + 301,
            DEFAULT_TOLERANCE_SECONDS
        ));
    }
}

#[test]
fn a_standard_webhooks_signature_matches_the_vector_of_the_specification() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let message = Message {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
        body: br#"{"test": 2432232314}"#,
    };
    let signer = Signer::new(
        &SignatureScheme::StandardWebhooks,
        &[SigningSecret::lasting(secret)],
    )
    .expect("a signer");
    assert_eq!(
        signer.sign(&message),
        [
            (WEBHOOK_ID, "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            (WEBHOOK_TIMESTAMP, "1614265330".to_owned()),
            (
                WEBHOOK_SIGNATURE,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()
            ),
        ]
    );
}

#[test]
fn advanced_signs_with_every_version_and_every_living_secret() {
    let versions = vec![
        version(HashKind::Sha256, DigestEncoding::Hex),
        version(HashKind::Sha512, DigestEncoding::Base64),
    ];
    let secrets = [
        SigningSecret {
            value: "long-gone".to_owned(),
            expires_at: Some(AT),
        },
        SigningSecret {
            value: "old".to_owned(),
            expires_at: Some(AT + 1),
        },
        SigningSecret::lasting("new"),
    ];
    let header = value(&advanced(versions.clone()), &secrets, &message(BODY));
    let names: Vec<_> = header
        .split(',')
        .filter_map(|part| part.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["t", "v1", "v1", "v2", "v2"]);
    for version in versions {
        for (secret, living) in [("long-gone", false), ("old", true), ("new", true)] {
            assert_eq!(
                verify_advanced(&header, secret, version, BODY, AT, 300),
                living,
                "{secret}"
            );
        }
    }
}

#[test]
fn simple_signs_with_the_last_version_and_the_newest_secret() {
    let last = version(HashKind::Sha512, DigestEncoding::Base64);
    let secrets = [SigningSecret::lasting("old"), SigningSecret::lasting("new")];
    let header = value(
        &simple(vec![version(HashKind::Sha256, DigestEncoding::Hex), last]),
        &secrets,
        &message(BODY),
    );
    assert!(verify_simple(&header, "new", last, BODY));
    assert!(!verify_simple(&header, "old", last, BODY));
}

#[test]
fn the_form_of_a_project_is_its_versions_under_its_header() {
    let config = SignatureConfig {
        header: "X-Sign".to_owned(),
        ..SignatureConfig::default()
    };
    let versions = vec![DigestForm::default()];
    let header = config.header.clone();
    assert_eq!(
        SignatureScheme::convoy(&config, false),
        SignatureScheme::Simple {
            header: header.clone(),
            versions: versions.clone()
        }
    );
    assert_eq!(
        SignatureScheme::convoy(&config, true),
        SignatureScheme::Advanced { header, versions }
    );
}

#[test]
fn the_newest_secret_signs_even_when_it_has_expired() {
    let secrets = [SigningSecret {
        value: SECRET.to_owned(),
        expires_at: Some(0),
    }];
    let header = value(&SignatureScheme::default(), &secrets, &message(BODY));
    assert!(verify_advanced(
        &header,
        SECRET,
        DigestForm::default(),
        BODY,
        AT,
        300
    ));
}

#[test]
fn standard_webhooks_signs_with_both_secrets_during_a_rotation() {
    let secrets = [
        SigningSecret {
            value: "plain text".to_owned(),
            expires_at: Some(AT + 60),
        },
        SigningSecret::lasting("whsec_bmV3"),
    ];
    let header = value(&SignatureScheme::StandardWebhooks, &secrets, &message(BODY));
    assert_eq!(header.split(' ').count(), 2);
    for secret in ["plain text", "whsec_bmV3", "new"] {
        assert!(
            verify_standard("msg_1", &AT.to_string(), &header, secret, BODY, AT, 300),
            "{secret}"
        );
    }
    assert!(!verify_standard(
        "msg_2",
        &AT.to_string(),
        &header,
        "plain text",
        BODY,
        AT,
        300
    ));
}

#[test]
fn a_secret_that_only_looks_encoded_is_taken_as_it_stands() {
    assert_eq!(standard_key("whsec_%%%"), b"whsec_%%%");
    assert!(!is_standard_secret("whsec_%%%"));
    assert!(!is_standard_secret("whsec_"));
    assert!(is_standard_secret("whsec_bmV3"));
}

#[test]
fn nothing_is_signed_without_a_secret_or_a_version() {
    let secret = [SigningSecret::lasting(SECRET)];
    assert_eq!(
        Signer::new(&SignatureScheme::default(), &[]).err(),
        Some(SignatureError::NoSecret)
    );
    assert_eq!(
        Signer::new(&simple(vec![]), &secret).err(),
        Some(SignatureError::NoVersion)
    );
    assert_eq!(
        Signer::new(&advanced(vec![]), &secret).err(),
        Some(SignatureError::NoVersion)
    );
}

#[test]
fn a_secret_is_not_shown() {
    assert!(!format!("{:?}", SigningSecret::lasting(SECRET)).contains(SECRET));
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_a_changed_byte_does_not(
        secret in ".{1,40}", body in prop::collection::vec(any::<u8>(), 1..200), at: u32, flip: prop::sample::Index,
    ) {
        let mut changed = body.clone();
        changed[flip.index(body.len())] ^= 1;
        let at = i64::from(at);
        let message = Message { id: "msg_1", timestamp: at, body: &body };
        let secrets = [SigningSecret::lasting(secret.clone())];
        let version = DigestForm::default();

        let header = value(&SignatureScheme::default(), &secrets, &message);
        prop_assert!(verify_advanced(&header, &secret, version, &body, at, 0));
        prop_assert!(!verify_advanced(&header, &secret, version, &changed, at, 0));

        let header = value(&SignatureScheme::StandardWebhooks, &secrets, &message);
        prop_assert!(verify_standard("msg_1", &at.to_string(), &header, &secret, &body, at, 0));
        prop_assert!(!verify_standard("msg_1", &at.to_string(), &header, &secret, &changed, at, 0));
    }

    #[test]
    fn no_header_makes_verification_panic(header in ".{0,80}", now: i64) {
        let version = DigestForm::default();
        let _ = verify_simple(&header, SECRET, version, BODY);
        let _ = verify_advanced(&header, SECRET, version, BODY, now, 300);
        let _ = verify_advanced(&format!("t=1,{header}"), SECRET, version, BODY, now, 300);
        let _ = verify_standard(&header, &header, &header, SECRET, BODY, now, 300);
    }
}
