use super::super::CustomHeaders;
use super::*;

fn basic(username: &str) -> EndpointAuthentication {
    EndpointAuthentication::Basic(Basic {
        username: username.to_owned(),
    })
}

fn api_key(header: &str) -> EndpointAuthentication {
    EndpointAuthentication::ApiKey(ApiKey::new(header))
}

const BEARER: EndpointAuthentication = EndpointAuthentication::Bearer(Bearer {});

fn credential(
    authentication: EndpointAuthentication,
    secret: &str,
) -> Result<Credential, AuthenticationError> {
    Credential::new(authentication, secret.to_owned())
}

/// The examples of RFC 7617 (2 and 2.1) and of RFC 6750 (2.1).
#[test]
fn a_request_gets_the_header_of_its_scheme() {
    for (authentication, secret, name, value) in [
        (
            basic("Aladdin"),
            "open sesame",
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (
            basic("test"),
            "123£",
            "authorization",
            "Basic dGVzdDoxMjPCow==",
        ),
        (
            BEARER,
            "mF_9.B5f-4.1JqM",
            "authorization",
            "Bearer mF_9.B5f-4.1JqM",
        ),
        (
            api_key("X-Api-Key"),
            "k3y and more",
            "x-api-key",
            "k3y and more",
        ),
        (
            api_key("Authorization"),
            "Token k3y",
            "authorization",
            "Token k3y",
        ),
    ] {
        let header = credential(authentication, secret).unwrap().header();
        assert_eq!(header, (name.to_owned(), value.to_owned()));
    }
}

/// A longer value, or one with a line break, would not be a valid header.
#[test]
fn the_longest_credential_is_a_valid_header() {
    for (authentication, bytes) in [
        (basic(&"u".repeat(256)), 1_024),
        (BEARER, 2_000),
        (api_key("x-key"), 2_000),
    ] {
        let secret = "x".repeat(bytes);
        let (name, value) = credential(authentication.clone(), &secret)
            .unwrap()
            .header();
        CustomHeaders::new([(name, value)].into()).unwrap();
        let refused = credential(authentication, &(secret + "x")).unwrap_err();
        let words = format!("must have 1 to {bytes} bytes, has {}", bytes + 1);
        assert!(refused.to_string().contains(&words), "{refused}");
    }
}

#[test]
fn a_refused_part_is_named_and_the_secret_is_not() {
    let header = "header `x-key`: value must be printable ASCII without a space at either end";
    for (authentication, secret, problem) in [
        (
            basic(""),
            "s3cret",
            "username: must have 1 to 256 bytes, has 0",
        ),
        (
            basic("a:b"),
            "s3cret",
            "username: must have only characters other than a colon and control characters",
        ),
        (
            basic("a\nb"),
            "s3cret",
            "username: must have only characters other than a colon and control characters",
        ),
        (basic("a"), "", "password: must have 1 to 1024 bytes, has 0"),
        (
            basic("a"),
            "s3cret\r\nx-admin: 1",
            "password: must have only characters other than control characters",
        ),
        (
            basic("a"),
            "****",
            "password: must be the secret itself, is a mask of asterisks",
        ),
        (BEARER, "", "token: must have 1 to 2000 bytes, has 0"),
        (
            BEARER,
            "s3cret s3cret",
            "token: must have only printable ASCII characters, and no space",
        ),
        (
            BEARER,
            "s3cret\r\nx-admin: 1",
            "token: must have only printable ASCII characters, and no space",
        ),
        (
            BEARER,
            "s3crét",
            "token: must have only printable ASCII characters, and no space",
        ),
        (
            BEARER,
            "***",
            "token: must be the secret itself, is a mask of asterisks",
        ),
        (api_key("x-key"), "s3cret\n", header),
        (api_key("x-key"), " s3cret", header),
        (
            api_key("x-key"),
            "",
            "value: must have 1 to 2000 bytes, has 0",
        ),
        (
            api_key("Webhook-Signature"),
            "s3cret",
            "header `webhook-signature`: must not be `webhook-*`, which the sender controls",
        ),
        (
            api_key("connection"),
            "s3cret",
            "header `connection`: must not be `connection`, which the sender controls",
        ),
        (
            api_key("x key"),
            "s3cret",
            "header `x key`: name must be 1 to 64 letters, digits and ``!#$%&'*+-.^_`|~``",
        ),
    ] {
        let refused = credential(authentication, secret).unwrap_err().to_string();
        assert_eq!(refused, problem);
    }
}

#[test]
fn no_other_header_has_the_name() {
    let plain =
        |name: &str| CustomHeaders::new([(name.to_owned(), "v".to_owned())].into()).unwrap();
    let sealed = |name: &str| SealedHeaders::from_stored([(name.to_owned(), vec![0; 30])]);
    let none = (CustomHeaders::default(), SealedHeaders::default());
    for authentication in [basic("a"), BEARER, api_key("x-key")] {
        let name = authentication.header_name();
        let in_use = Err(AuthenticationError::HeaderInUse {
            name: name.to_owned(),
        });
        assert_eq!(authentication.check_with(&plain(name), &none.1), in_use);
        assert_eq!(authentication.check_with(&none.0, &sealed(name)), in_use);
        let others = (plain("x-a"), sealed("x-b"));
        assert_eq!(authentication.check_with(&others.0, &others.1), Ok(()));
    }
}

#[test]
fn the_debug_form_of_a_credential_shows_no_secret() {
    let text = format!("{:?}", credential(basic("ann"), "s3cret").unwrap());
    assert!(text.contains("ann") && !text.contains("s3cret"), "{text}");
}

#[test]
fn the_stored_form_has_a_type() {
    for (authentication, json) in [
        (basic("ann"), r#"{"type":"basic","username":"ann"}"#),
        (BEARER, r#"{"type":"bearer"}"#),
        (api_key("X-Key"), r#"{"type":"apiKey","header":"x-key"}"#),
    ] {
        assert_eq!(serde_json::to_string(&authentication).unwrap(), json);
        let read: EndpointAuthentication = serde_json::from_str(json).unwrap();
        assert_eq!(read, authentication);
    }
}
