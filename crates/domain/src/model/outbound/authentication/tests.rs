use std::time::Duration;

use super::super::{CustomHeaders, DevelopmentNetworks, EndpointUrl};
use super::*;

fn basic(username: &str) -> EndpointAuthentication {
    EndpointAuthentication::Basic(Basic {
        username: username.to_owned(),
    })
}

fn api_key(header: &str) -> EndpointAuthentication {
    EndpointAuthentication::ApiKey(ApiKey::new(header))
}

fn oauth2() -> OAuth2 {
    let url = "https://login.example.com/token?tenant=a";
    OAuth2 {
        token_url: EndpointUrl::parse(url, &DevelopmentNetworks::none()).unwrap(),
        client_id: "s6BhdRkqt3".to_owned(),
        scope: None,
        audience: None,
        client_authentication: ClientAuthentication::Header,
    }
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
        let header = header.unwrap();
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
            .header()
            .unwrap();
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
fn a_refused_part_of_a_client_is_named_and_its_secret_is_not() {
    let client = |change: fn(&mut OAuth2)| {
        let mut client = oauth2();
        change(&mut client);
        EndpointAuthentication::OAuth2(client)
    };
    let visible = "must have only printable ASCII characters and spaces";
    for (authentication, secret, problem) in [
        (
            client(|it| it.client_id = String::new()),
            "s3cret",
            "clientId: must have 1 to 256 bytes, has 0",
        ),
        (
            client(|it| it.client_id = "é".to_owned()),
            "s3cret",
            &format!("clientId: {visible}"),
        ),
        (
            client(|it| it.audience = Some("a\n".to_owned())),
            "s3cret",
            &format!("audience: {visible}"),
        ),
        (
            client(|it| it.scope = Some("a".repeat(1_025))),
            "s3cret",
            "scope: must have 1 to 1024 bytes, has 1025",
        ),
        (
            client(|it| it.scope = Some("a  b".to_owned())),
            "s3cret",
            "scope: must have only scopes with one space between two of them: printable ASCII \
             characters other than a quotation mark and a backslash",
        ),
        (
            client(|_| ()),
            "s3cret\r\n",
            &format!("clientSecret: {visible}"),
        ),
        (
            client(|_| ()),
            "***",
            "clientSecret: must be the secret itself, is a mask of asterisks",
        ),
        (
            client(|_| ()),
            &"s3cret".repeat(200),
            "clientSecret: must have 1 to 1024 bytes, has 1200",
        ),
    ] {
        let refused = credential(authentication, secret).unwrap_err().to_string();
        assert_eq!(refused, problem);
    }
    for scope in ["a", "a b", "https://example.com/orders.write openid"] {
        let mut client = oauth2();
        client.scope = Some(scope.to_owned());
        let accepted = credential(EndpointAuthentication::OAuth2(client), "s3cret");
        assert!(accepted.is_ok(), "{scope}");
    }
}

/// The secret is that of RFC 6749 (2.3.1) with characters that must be encoded.
#[test]
fn a_client_authenticates_in_the_header_or_in_the_body() {
    let mut client = oauth2();
    client.client_id = "a:b".to_owned();
    client.audience = Some("https://api.example.com/".to_owned());
    let secret = "7Fjfp0ZBr1KtDRbnfVdmIw&=+ %";
    let ask = |client: &OAuth2| client.token_request(secret, None, Duration::ZERO);
    let asked = ask(&client);
    let basic = "a%3Ab:7Fjfp0ZBr1KtDRbnfVdmIw%26%3D%2B+%25";
    let basic = format!(
        "Basic {}",
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, basic)
    );
    let authorization = ("authorization".to_owned(), basic);
    assert!(
        asked.headers.contains(&authorization),
        "{:?}",
        asked.headers
    );
    let body = "grant_type=client_credentials&audience=https%3A%2F%2Fapi.example.com%2F";
    assert_eq!(String::from_utf8(asked.body).unwrap(), body);
    assert_eq!(asked.url, client.token_url);

    client.client_authentication = ClientAuthentication::Body;
    let asked = ask(&client);
    let mut names = asked.headers.iter().map(|(name, _)| name.as_str());
    assert!(names.all(|name| name != "authorization"));
    let body = format!("{body}&client_id=a%3Ab&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw%26%3D%2B+%25");
    assert_eq!(String::from_utf8(asked.body).unwrap(), body);
}

/// A request gets an access token, and never the client's secret.
#[test]
fn the_secret_of_a_client_is_no_header() {
    let client = credential(EndpointAuthentication::OAuth2(oauth2()), "s3cret").unwrap();
    assert_eq!(client.header(), None);
    assert_eq!(client.authentication().header_name(), Some("authorization"));
}

#[test]
fn no_other_header_has_the_name() {
    let plain =
        |name: &str| CustomHeaders::new([(name.to_owned(), "v".to_owned())].into()).unwrap();
    let sealed = |name: &str| SealedHeaders::from_stored([(name.to_owned(), vec![0; 30])]);
    let none = (CustomHeaders::default(), SealedHeaders::default());
    for authentication in [basic("a"), BEARER, api_key("x-key")] {
        let name = authentication.header_name().unwrap();
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
        (
            EndpointAuthentication::OAuth2(oauth2()),
            r#"{"type":"oauth2","tokenUrl":"https://login.example.com/token?tenant=a","clientId":"s6BhdRkqt3"}"#,
        ),
        (
            EndpointAuthentication::OAuth2(OAuth2 {
                scope: Some("a b".to_owned()),
                audience: Some("c".to_owned()),
                client_authentication: ClientAuthentication::Body,
                ..oauth2()
            }),
            r#"{"type":"oauth2","tokenUrl":"https://login.example.com/token?tenant=a","clientId":"s6BhdRkqt3","scope":"a b","audience":"c","clientAuthentication":"body"}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&authentication).unwrap(), json);
        let read: EndpointAuthentication = serde_json::from_str(json).unwrap();
        assert_eq!(read, authentication);
    }
}
