//! Request bodies: bounded in length and depth, JSON only, and refused with the name of the field
//! and its line.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::state::ApiState;

/// Most levels of arrays and objects in a body. Readers further on are safe up to 128.
pub const MAX_DEPTH: usize = 100;
/// Longest reason that is sent back, in characters; a reason may quote the input.
const LONGEST_REASON: usize = 200;

/// A JSON body.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> ApiResult<Self> {
        let bytes = read_json(request, state.body_limit()).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be left out altogether.
#[derive(Clone, Debug)]
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<ApiState> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> ApiResult<Self> {
        let headers = request.headers().clone();
        let bytes = read(request, state.body_limit()).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        parse(&bytes).map(Self)
    }
}

/// Reads a body that must be declared as JSON, at most `limit` bytes of it.
pub async fn read_json(request: Request, limit: usize) -> ApiResult<Bytes> {
    require_json(request.headers())?;
    read(request, limit).await
}

/// 415 unless the body is declared as `application/json`, with or without parameters.
fn require_json(headers: &HeaderMap) -> ApiResult<()> {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(ApiError::not_json())
    }
}

async fn read(request: Request, limit: usize) -> ApiResult<Bytes> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(ApiError::too_large(limit));
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::too_large(limit)),
        Err(_) => Err(ApiError::Http(
            StatusCode::BAD_REQUEST,
            "body:could not be read to its end".into(),
        )),
    }
}

/// Reads JSON into `T`, and tells which field of which line does not fit.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let text = text(bytes)?;
    let value = parse_borrowed(text)?;
    without_nul(text)?;
    Ok(value)
}

/// Reads JSON into a `T` that borrows from it. Texts may hold U+0000: the caller looks.
///
/// What fits is read once and without notes; only what does not is read again, to tell why.
pub fn parse_borrowed<'a, T: Deserialize<'a>>(text: &'a str) -> ApiResult<T> {
    bounded(text)?;
    serde_json::from_str(text).or_else(|_| explained(text))
}

/// Reads JSON while noting where it is.
fn explained<'a, T: Deserialize<'a>>(text: &'a str) -> ApiResult<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| refused(&e))?;
    reader.end().map_err(|e| ApiError::invalid("body", reason(&e)))?;
    Ok(value)
}

/// The body as text.
pub fn text(bytes: &[u8]) -> ApiResult<&str> {
    std::str::from_utf8(bytes)
        .map_err(|e| ApiError::invalid("body", format!("not valid UTF-8 at byte {}", e.valid_up_to())))
}

/// Refuses JSON nested deeper than [`MAX_DEPTH`].
fn bounded(text: &str) -> ApiResult<()> {
    // Depth is never more than the number of opening brackets, and that is counted many bytes at
    // a time; only what has many is looked at byte by byte.
    let opening = text.bytes().filter(|b| matches!(b, b'{' | b'[')).count();
    if opening <= MAX_DEPTH || depth(text) <= MAX_DEPTH {
        return Ok(());
    }
    let field = deep_field(text).unwrap_or_else(|| "body".to_owned());
    Err(ApiError::invalid(
        field,
        format!("nested deeper than {MAX_DEPTH} levels"),
    ))
}

/// Levels of arrays and objects.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut quoted = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                bytes.next();
            }
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The field of the body that holds the deep value.
fn deep_field(text: &str) -> Option<String> {
    let fields: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(text).ok()?;
    fields
        .into_iter()
        .find(|(_, value)| depth(value.get()) + 1 > MAX_DEPTH)
        .map(|(field, _)| field)
}

/// Refuses texts that hold U+0000, which the tables cannot store.
fn without_nul(text: &str) -> ApiResult<()> {
    if memchr::memmem::find(text.as_bytes(), b"\\u0000").is_none() {
        return Ok(());
    }
    let value: Value = serde_json::from_str(text).map_err(|e| ApiError::invalid("body", reason(&e)))?;
    match nul_field(&value, "") {
        Some(field) => Err(ApiError::invalid(field, NUL_REASON)),
        None => Ok(()),
    }
}

/// Why a text with U+0000 is refused.
pub const NUL_REASON: &str = "must not contain the character U+0000";

/// The first field of `value` whose text or name holds U+0000; `path` names `value` itself.
pub fn nul_field(value: &Value, path: &str) -> Option<String> {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::String(text) if text.contains('\0') => Some(if path.is_empty() {
            "body".to_owned()
        } else {
            path.to_owned()
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| nul_field(item, &below(&i.to_string()))),
        Value::Object(fields) => fields.iter().find_map(|(name, item)| {
            if name.contains('\0') {
                Some(below("?"))
            } else {
                nul_field(item, &below(name))
            }
        }),
        _ => None,
    }
}

/// The field that does not fit, and why.
fn refused(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let path = error.path().to_string();
    let inner = error.inner();
    let inside = (path != ".").then_some(path);
    // A number that is too large is told like a wrong type: it is one field's fault.
    let of_a_field = inner.is_data() || inner.to_string().starts_with("number out of range");
    if !of_a_field {
        return ApiError::invalid("body", format!("not valid JSON: {}", reason(inner)));
    }
    match missing_field(inner) {
        Some(name) => {
            let field = inside.map_or_else(|| name.clone(), |path| format!("{path}.{name}"));
            ApiError::invalid(field, format!("is required{}", place(inner)))
        }
        None => ApiError::invalid(inside.unwrap_or_else(|| "body".to_owned()), reason(inner)),
    }
}

/// The name in a "missing field" error, which stands in its text only.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let (name, _) = text.strip_prefix("missing field `")?.split_once('`')?;
    Some(name.to_owned())
}

/// What is wrong, cut to a bounded length, and where.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = place(error);
    let what = text.strip_suffix(&place).unwrap_or(&text);
    let mut short: String = what.chars().take(LONGEST_REASON).collect();
    if short.len() < what.len() {
        short.push('…');
    }
    short + &place
}

fn place(error: &serde_json::Error) -> String {
    format!(" at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only read into")]
        name: String,
        #[expect(dead_code, reason = "only read into")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only read into")]
        count: u32,
    }

    fn message(body: &[u8]) -> String {
        match parse::<Outer>(body) {
            Err(ApiError::Service(error)) => error.to_string(),
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn a_wrong_type_names_field_and_line() {
        let message = message(b"{\n\"name\": \"a\",\n\"inner\": {\"count\": \"x\"}}");
        assert_eq!(
            message,
            "inner.count:invalid type: string \"x\", expected u32 at line 3 column 22"
        );
    }

    #[test]
    fn a_huge_number_names_its_field() {
        assert!(
            message(br#"{"name":"a","inner":{"count":1e999}}"#)
                .starts_with("inner.count:number out of range")
        );
        assert!(
            message(br#"{"name":"a","inner":{"count":99999999999}}"#)
                .starts_with("inner.count:invalid value")
        );
    }

    #[test]
    fn a_missing_field_is_named_with_its_path() {
        assert_eq!(message(b"{}"), "name:is required at line 1 column 2");
        assert_eq!(
            message(br#"{"name":"a","inner":{}}"#),
            "inner.count:is required at line 1 column 22"
        );
    }

    #[test]
    fn broken_json_names_the_body_and_the_line() {
        assert!(message(b"{\"name\":").starts_with("body:not valid JSON: EOF while parsing"));
        assert!(message(br#"{"name":"a"} x"#).starts_with("body:trailing characters at line 1"));
        assert!(message(b"").starts_with("body:not valid JSON"));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        assert_eq!(message(b"{\"name\":\"\xff\"}"), "body:not valid UTF-8 at byte 9");
    }

    #[test]
    fn deep_json_is_refused_with_the_field_that_holds_it() {
        let deep = format!(
            "{{\"name\":\"a\",\"extra\":{}1{}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        assert_eq!(message(deep.as_bytes()), "extra:nested deeper than 100 levels");
        let broken = "[".repeat(100_000);
        assert_eq!(message(broken.as_bytes()), "body:nested deeper than 100 levels");
    }

    #[test]
    fn brackets_inside_texts_are_not_levels() {
        let flat = format!("{{\"name\":\"{}\\\"[\"}}", "[{".repeat(500));
        assert!(parse::<Outer>(flat.as_bytes()).is_ok());
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let long = format!("{{\"name\":\"a\",\"inner\":\"{}\"}}", "x".repeat(10_000));
        assert!(message(long.as_bytes()).chars().count() < 300);
    }

    #[test]
    fn a_text_with_nul_is_refused_with_its_field() {
        assert_eq!(message(br#"{"name":"a\u0000b"}"#), format!("name:{NUL_REASON}"));
        assert!(parse::<Outer>(br#"{"name":"a\\u0000b"}"#).is_ok());
    }
}
