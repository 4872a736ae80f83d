//! Finds the operation of a call, and its input.

use bytes::Bytes;
use http::{Request, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    form,
    models::{Models, Operation, Place, Protocol, Service, Shape},
    violation::Violation,
};
use crate::{
    call::header,
    failure::{Form, service},
};

/// One request to an AWS service.
pub(crate) struct Asked<'a> {
    /// The service's name in its model: `stepfunctions`.
    pub(crate) service_name: &'a str,
    pub(crate) service: &'a Service,
    /// `SendMessage`
    pub(crate) operation: &'a str,
    /// The shape of the input.
    pub(crate) shape: Option<&'a String>,
    /// The input by names of members, collected from all parts of the call.
    pub(crate) input: Value,
    /// The unchanged body.
    pub(crate) body: &'a Bytes,
}

/// A call that cannot be compared with a model.
pub(crate) struct Unreadable {
    /// The operation's name in reports.
    pub(crate) operation: String,
    pub(crate) form: Form,
    pub(crate) violation: Violation,
    /// True if no model contains the operation.
    pub(crate) is_unknown: bool,
}

/// Returns true if a call is not addressed to an AWS service and passes unchecked: the
/// emulator's own routes, the proxy's routes, and a function's URL.
pub(crate) fn passes(call: &Request<Bytes>) -> bool {
    let path = call.uri().path();
    path.starts_with("/_ministack/") || path.starts_with("/_proxy/") || is_function_url(call)
}

/// Returns true if a call is addressed to a function's URL: by its host as on AWS, or by the
/// emulator's path for clients that cannot choose a host.
pub(crate) fn is_function_url(call: &Request<Bytes>) -> bool {
    header(call, "host").is_some_and(|host| host.contains(".lambda-url."))
        || call.uri().path().starts_with("/_aws/lambda-url/")
}

/// Returns the error format of a protocol.
pub(crate) fn form(protocol: Protocol) -> Form {
    match protocol {
        Protocol::Json => Form::Json,
        Protocol::RestJson => Form::RestJson,
        Protocol::Query | Protocol::RestXml => Form::Xml,
    }
}

/// Identifies a call and its input with the models.
pub(crate) fn read<'a>(
    models: &'a Models,
    call: &'a Request<Bytes>,
) -> Result<Asked<'a>, Unreadable> {
    if let Some(target) = header(call, "x-amz-target") {
        let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
        return match models.by_target(prefix) {
            Some((name, service)) => json(name, service, operation, call),
            None => Err(unknown(Form::Json, target)),
        };
    }
    let signing_name = service(call).unwrap_or("unsigned");
    let Some((name, service)) = models.by_signing_name(signing_name) else {
        let what = format!("{signing_name} {} {}", call.method(), call.uri().path());
        return Err(unknown(Form::Xml, &what));
    };
    match service.protocol {
        Protocol::Json => Err(unknown(Form::Json, &format!("{name} without a target"))),
        Protocol::Query => query(name, service, call),
        Protocol::RestJson | Protocol::RestXml => rest(name, service, call),
    }
}

fn json<'a>(
    service_name: &'a str,
    service: &'a Service,
    operation: &str,
    call: &'a Request<Bytes>,
) -> Result<Asked<'a>, Unreadable> {
    let Some((operation, found)) = service.operations.get_key_value(operation) else {
        return Err(unknown(Form::Json, &format!("{service_name} {operation}")));
    };
    Ok(Asked {
        service_name,
        service,
        operation,
        shape: found.input.as_ref(),
        input: Value::Object(
            body(call.body())
                .map_err(|violation| unreadable(service_name, service, operation, violation))?,
        ),
        body: call.body(),
    })
}

fn query<'a>(
    service_name: &'a str,
    service: &'a Service,
    call: &'a Request<Bytes>,
) -> Result<Asked<'a>, Unreadable> {
    let in_url = call.uri().query().unwrap_or_default().as_bytes();
    let pairs = form_urlencoded::parse(call.body()).chain(form_urlencoded::parse(in_url));
    let mut pairs: Vec<_> = pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    pairs.retain(|(name, _)| name != "Version");
    let action = pairs.iter().position(|(name, _)| name == "Action");
    let action = action.map(|place| pairs.swap_remove(place).1);
    let action = action.unwrap_or_default();
    let Some((operation, found)) = service.operations.get_key_value(&action) else {
        return Err(unknown(Form::Xml, &format!("{service_name} {action}")));
    };
    let input = found.input.as_ref();
    let read = form::read(service, input.map(String::as_str), pairs);
    Ok(Asked {
        service_name,
        service,
        operation,
        shape: input,
        input: read.map_err(|violation| unreadable(service_name, service, operation, violation))?,
        body: call.body(),
    })
}

fn rest<'a>(
    service_name: &'a str,
    service: &'a Service,
    call: &'a Request<Bytes>,
) -> Result<Asked<'a>, Unreadable> {
    let path = call.uri().path();
    let given: Vec<_> = parameters(call.uri()).map(|(name, _)| name).collect();
    let found = service.operations.iter().filter_map(|(name, operation)| {
        let is_method = operation.method.as_ref() == Some(call.method());
        let labels = is_method.then(|| labels(&operation.path, path)).flatten()?;
        let needed = needed_parameters(service, operation);
        let is_given = needed
            .iter()
            .all(|name| given.iter().any(|given| given == name));
        is_given.then_some((needed.len(), name, operation, labels))
    });
    // `PutObject` and `UploadPart` differ only in the parameters that `UploadPart` needs.
    let found = found.max_by_key(|(needed, ..)| *needed);
    let found = found.map(|(_, name, operation, labels)| (name, operation, labels));
    let Some((name, operation, labels)) = found else {
        let what = format!("{service_name} {} {path}", call.method());
        return Err(unknown(form(service.protocol), &what));
    };
    let input = placed(service, operation, labels, call)
        .map_err(|violation| unreadable(service_name, service, name, violation))?;
    Ok(Asked {
        service_name,
        service,
        operation: name,
        shape: operation.input.as_ref(),
        input: Value::Object(input),
        body: call.body(),
    })
}

/// Returns the labels of a path if it matches this form. A final slash is ignored.
fn labels(form: &str, path: &str) -> Option<Vec<(String, String)>> {
    let form = form.split('?').next()?.trim_matches('/').split('/');
    let mut parts = path.trim_matches('/').split('/');
    let mut labels = Vec::new();
    for expected in form {
        let Some(label) = expected.strip_prefix('{').and_then(|l| l.strip_suffix('}')) else {
            if parts.next()? != expected {
                return None;
            }
            continue;
        };
        let (label, value) = match label.strip_suffix('+') {
            // The label takes the rest of the path.
            Some(label) => (label, parts.by_ref().collect::<Vec<_>>().join("/")),
            None => (label, parts.next()?.to_owned()),
        };
        let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
        labels.push((label.to_owned(), value));
    }
    parts.next().is_none().then_some(labels)
}

/// Returns the query parameters that identify an operation.
fn needed_parameters<'a>(service: &'a Service, operation: &'a Operation) -> Vec<&'a str> {
    let in_path = operation.path.split_once('?').map(|(_, name)| name);
    let mut needed: Vec<_> = in_path.into_iter().collect();
    let shape = operation
        .input
        .as_ref()
        .and_then(|shape| service.shapes.get(shape));
    if let Some(Shape::Structure {
        required, places, ..
    }) = shape
    {
        let places = required.iter().filter_map(|member| places.get(member));
        let in_query = places.filter(|(place, _)| *place == Place::QueryString);
        needed.extend(in_query.map(|(_, name)| name.as_str()));
    }
    needed
}

/// Collects the members of a REST request from the places that the model defines.
fn placed(
    service: &Service,
    operation: &Operation,
    labels: Vec<(String, String)>,
    call: &Request<Bytes>,
) -> Result<Map<String, Value>, Violation> {
    let shape = operation.input.as_ref();
    let Some(Shape::Structure {
        members,
        payload,
        places,
        ..
    }) = shape.and_then(|shape| service.shapes.get(shape))
    else {
        return Ok(Map::new());
    };
    // A body that is a single member, or XML, is not examined.
    let is_json = service.protocol == Protocol::RestJson && payload.is_none();
    let mut input = if is_json {
        body(call.body())?
    } else {
        Map::new()
    };
    let name_of = |kind: Place, name: &str| {
        places
            .iter()
            .find(|(_, (place, placed))| *place == kind && placed.eq_ignore_ascii_case(name))
            .map(|(member, _)| member.clone())
    };
    let mut put = |member: String, text: String| {
        let shape = members.get(&member).map_or("string", String::as_str);
        let value = form::scalar(service, shape, text);
        input.insert(member, value);
    };
    for (name, value) in labels {
        if let Some(member) = name_of(Place::Uri, &name) {
            put(member, value);
        }
    }
    for (name, value) in parameters(call.uri()) {
        match name_of(Place::QueryString, &name) {
            Some(member) => put(member, value),
            // Parameters that a client adds to name the operation or to sign.
            None if name == "x-id" || name.starts_with("X-Amz-") => {}
            None if operation.path.contains(&format!("?{name}")) => {}
            None => return Err(Violation::new(name, "unknown parameter of the query")),
        }
    }
    for (name, value) in call.headers() {
        if let (Some(member), Ok(value)) = (name_of(Place::Header, name.as_str()), value.to_str()) {
            put(member, value.to_owned());
        }
    }
    Ok(input)
}

fn parameters(uri: &Uri) -> impl Iterator<Item = (String, String)> {
    let query = uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// Parses a body as JSON. An empty body is an empty object.
fn body(bytes: &Bytes) -> Result<Map<String, Value>, Violation> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(bytes).map_err(|_| {
        Violation::new("", "the body is not a JSON object").with_code("SerializationException")
    })
}

fn unknown(form: Form, operation: &str) -> Unreadable {
    let reason = "an operation that the gate does not know: add it to \
                  crates/xtask/python/service_models.py";
    Unreadable {
        operation: operation.to_owned(),
        form,
        violation: Violation::new("", reason).with_code("UnknownOperationException"),
        is_unknown: true,
    }
}

fn unreadable(
    service_name: &str,
    service: &Service,
    operation: &str,
    violation: Violation,
) -> Unreadable {
    Unreadable {
        operation: format!("{service_name} {operation}"),
        form: form(service.protocol),
        violation,
        is_unknown: false,
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;

    fn call(method: Method, uri: &str, service: &str, body: &str) -> Request<Bytes> {
        Request::builder()
            .method(method)
            .uri(uri)
            .header(
                "authorization",
                format!("Credential=K/1/us-east-1/{service}/aws4_request"),
            )
            .body(Bytes::from(body.to_owned()))
            .unwrap()
    }

    fn read(call: &Request<Bytes>) -> Result<(String, Value), String> {
        let models = Models::new();
        match super::read(&models, call) {
            Ok(asked) => Ok((
                format!("{} {}", asked.service_name, asked.operation),
                asked.input,
            )),
            Err(unreadable) => Err(format!("{} {}", unreadable.operation, unreadable.violation)),
        }
    }

    #[test]
    fn a_target_header_names_service_and_operation() {
        for (target, expected) in [
            ("AmazonSQS.PurgeQueue", "sqs PurgeQueue"),
            ("Logs_20140328.FilterLogEvents", "logs FilterLogEvents"),
        ] {
            let mut call = call(Method::POST, "/", "other", r#"{"a":1}"#);
            call.headers_mut()
                .insert("x-amz-target", target.parse().unwrap());
            assert_eq!(read(&call).unwrap(), (expected.to_owned(), json!({"a": 1})));
        }
    }

    #[test]
    fn rest_has_its_members_in_path_query_and_headers() {
        let mut invoke = call(
            Method::POST,
            "/2015-03-31/functions/a%3Ab/invocations?Qualifier=1",
            "lambda",
            "not read",
        );
        invoke
            .headers_mut()
            .insert("x-amz-invocation-type", "Event".parse().unwrap());
        let (operation, input) = read(&invoke).unwrap();
        assert_eq!(operation, "lambda Invoke");
        let expected = json!({"FunctionName": "a:b", "Qualifier": "1", "InvocationType": "Event"});
        assert_eq!(input, expected);

        // Once with and once without a final slash.
        for path in [
            "functions",
            "functions/",
            "event-source-mappings/",
            "event-source-mappings",
        ] {
            let uri = format!("/2015-03-31/{path}?MaxItems=5");
            let (operation, input) = read(&call(Method::GET, &uri, "lambda", "")).unwrap();
            assert!(operation.starts_with("lambda List"), "{operation}");
            assert_eq!(input, json!({"MaxItems": 5}));
        }
        let put = call(Method::PUT, "/bucket/a/b.zip", "s3", "bytes");
        let (operation, input) = read(&put).unwrap();
        assert_eq!(operation, "s3 PutObject");
        assert_eq!(input, json!({"Bucket": "bucket", "Key": "a/b.zip"}));
        for (method, query, expected) in [
            (Method::PUT, "partNumber=1&uploadId=u", "s3 UploadPart"),
            (Method::POST, "uploads", "s3 CreateMultipartUpload"),
            (Method::POST, "uploadId=u", "s3 CompleteMultipartUpload"),
        ] {
            let call = call(method, &format!("/bucket/a?{query}"), "s3", "<xml/>");
            assert_eq!(read(&call).unwrap().0, expected);
        }
    }

    #[test]
    fn unknown_operations_are_refused() {
        let mut target = call(Method::POST, "/", "sqs", "{}");
        target
            .headers_mut()
            .insert("x-amz-target", "AmazonSQS.Steal".parse().unwrap());
        for unknown in [
            target,
            call(Method::POST, "/", "iam", "Action=CreateUser"),
            call(Method::DELETE, "/2015-03-31/functions/a", "lambda", ""),
            call(Method::GET, "/", "polly", ""),
        ] {
            let error = read(&unknown).unwrap_err();
            assert!(error.contains("does not know"), "{error}");
        }
        let query = call(
            Method::GET,
            "/2015-03-31/functions?Colour=red",
            "lambda",
            "",
        );
        let error = read(&query).unwrap_err();
        assert_eq!(
            error,
            "lambda ListFunctions Colour: unknown parameter of the query"
        );
    }
}
