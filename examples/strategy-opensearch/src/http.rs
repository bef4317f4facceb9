//! One request over `wasi:http`, blocking: nothing else is to be done meanwhile. Knows the interface; nothing of what is
//! sent.

use self::bindings::wasi::http::outgoing_handler::handle;
use self::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use self::bindings::wasi::io::streams::StreamError;
use crate::Request;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "http-client", generate_all });
}

/// What one write may take (`blocking-write-and-flush` says so).
const WRITE: usize = 4096;
const READ: u64 = 64 << 10;

/// Status and body, or why there is none, for people.
pub fn post(request: &Request) -> Result<(u16, Vec<u8>), String> {
    let broken = |what: &str| format!("the request could not be made: {what}");
    let (scheme, rest) = match request.url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((_, rest)) => (Scheme::Http, rest),
        None => return Err(broken("its URL has no scheme")),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut fields = vec![("content-type".to_owned(), b"application/json".to_vec())];
    fields.extend(request.authorization.iter().map(|value| ("authorization".to_owned(), value.clone().into_bytes())));
    let fields = Fields::from_list(&fields).map_err(|error| broken(&format!("{error:?}")))?;
    let outgoing = OutgoingRequest::new(fields);
    let is_set = outgoing.set_method(&Method::Post).is_ok()
        && outgoing.set_scheme(Some(&scheme)).is_ok()
        && outgoing.set_authority(Some(authority)).is_ok()
        && outgoing.set_path_with_query(Some(path)).is_ok();
    if !is_set {
        return Err(broken("its URL is not valid"));
    }
    let body = outgoing.body().map_err(|()| broken("it has no body"))?;
    let answer = handle(outgoing, None).map_err(|error| why(&error))?;
    // A host that denies the request reads nothing: the answer below says why.
    if write(&body, request.body.as_bytes()).is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
    answer.subscribe().block();
    let answer = match answer.get() {
        Some(Ok(Ok(answer))) => answer,
        Some(Ok(Err(error))) => return Err(why(&error)),
        _ => return Err("the host gave no answer".into()),
    };
    let status = answer.status();
    let body = answer.consume().map_err(|()| "the answer has no body")?;
    Ok((status, read(&body)?))
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), StreamError> {
    let Ok(stream) = body.write() else { return Err(StreamError::Closed) };
    bytes.chunks(WRITE).try_for_each(|piece| stream.blocking_write_and_flush(piece))
}

fn read(body: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "the answer's body cannot be read")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}

fn why(error: &ErrorCode) -> String {
    match error {
        ErrorCode::HttpRequestDenied => "the host denied the request: see its log".into(),
        ErrorCode::HttpResponseTimeout => "the engine did not answer in time".into(),
        ErrorCode::InternalError(Some(reason)) => reason.clone(),
        other => format!("{other:?}"),
    }
}
