//! From what was written to the one form of each kind.

use std::net::IpAddr;
use std::time::Duration;

use figment::value::Value;
use ipnet::IpNet;
use url::Url;

use super::key::{FEATURES, FOREIGN_FEATURES, Key, Kind};

/// `written` as the value of `key`; `Ok(None)` when it is empty and so counts as not set.
///
/// # Errors
/// What is wrong, without the value.
pub(super) fn read(key: &Key, written: &Value) -> Result<Option<Value>, String> {
    match key.kind {
        Kind::Networks => return list(written, network).map(Some),
        Kind::Texts => return list(written, |text| Ok(text.to_owned())).map(Some),
        _ => {}
    }
    let text = text_of(written).ok_or_else(|| format!("must be {}", expected(key.kind)))?;
    // A default or a file may say "" on purpose; for texts that is a value.
    if text.trim().is_empty() {
        return Ok(matches!(key.kind, Kind::Text).then(|| Value::from("")));
    }
    one(key.kind, text.trim(), &text).map(Some)
}

fn one(kind: Kind, trimmed: &str, whole: &str) -> Result<Value, String> {
    let wrong = || format!("must be {}", expected(kind));
    match kind {
        Kind::Secret => Ok(Value::from(whole)),
        Kind::Text | Kind::SecretUrl | Kind::Networks | Kind::Texts => Ok(Value::from(trimmed)),
        Kind::WebUrl => web_url(trimmed).ok_or_else(wrong),
        Kind::Address => trimmed
            .parse::<IpAddr>()
            .map(|ip| Value::from(ip.to_string()))
            .map_err(|_| wrong()),
        Kind::Number(low, high) => {
            let number = trimmed.parse::<u64>().ok().filter(|n| (low..=high).contains(n));
            number.map(Value::from).ok_or_else(wrong)
        }
        Kind::Flag => flag(trimmed).map(Value::from).map_err(str::to_owned),
        Kind::Length(low, high) => {
            let length = domain::duration::parse(trimmed).map_err(|error| error.to_string())?;
            let in_range = (u128::from(low)..=u128::from(high)).contains(&length.as_millis());
            in_range
                .then(|| Value::from(domain::duration::format(length)))
                .ok_or_else(wrong)
        }
        Kind::Choice(words) => words
            .iter()
            .find(|word| word.eq_ignore_ascii_case(trimmed))
            .map(|word| Value::from(*word))
            .ok_or_else(wrong),
        Kind::TimeOfDay => time_of_day(trimmed).map(Value::from).ok_or_else(wrong),
    }
}

/// Hours and minutes of a day, in the one form `02:15`.
fn time_of_day(text: &str) -> Option<String> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_plain = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        is_plain.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
}

/// True or false in the usual spellings.
pub(super) fn flag(text: &str) -> Result<bool, &'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false"),
    }
}

/// A scalar as text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, letter) => Some(letter.to_string()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => number
            .to_u128()
            .map(|n| n.to_string())
            .or_else(|| number.to_i128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string())),
        Value::Empty(..) => Some(String::new()),
        Value::Dict(..) | Value::Array(..) => None,
    }
}

/// A list, or a text whose parts are separated by commas.
fn list(written: &Value, read: impl Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    let texts: Vec<String> = match written {
        Value::Array(_, values) => values
            .iter()
            .map(|value| text_of(value).ok_or_else(|| "must be a list of texts".to_owned()))
            .collect::<Result<_, _>>()?,
        other => text_of(other)
            .ok_or_else(|| "must be a list".to_owned())?
            .split(',')
            .map(str::to_owned)
            .collect(),
    };
    let parts = texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    Ok(Value::from(parts.map(read).collect::<Result<Vec<_>, _>>()?))
}

fn network(text: &str) -> Result<String, String> {
    let net = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc().to_string())
        .map_err(|_| format!("`{text}` is not an address or a range such as 10.0.0.0/8"))
}

fn web_url(text: &str) -> Option<Value> {
    let url = Url::parse(text).ok()?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    usable.then(|| Value::from(text.trim_end_matches('/')))
}

/// What is wrong with the name of a feature, or what is odd about it.
pub(super) enum Feature {
    /// It can be turned on.
    Known,
    /// It exists in the replaced gateway and means nothing here.
    Foreign,
    /// Nobody knows it; perhaps this was meant.
    Unknown(Option<&'static str>),
}

/// What the feature `name` is.
pub(super) fn feature(name: &str) -> Feature {
    if FEATURES.contains(&name) {
        Feature::Known
    } else if FOREIGN_FEATURES.contains(&name) {
        Feature::Foreign
    } else {
        Feature::Unknown(super::key::nearest(name, FEATURES.into_iter()))
    }
}

fn expected(kind: Kind) -> String {
    let length = |millis| domain::duration::format(Duration::from_millis(millis));
    match kind {
        Kind::Text | Kind::Secret => "a text".to_owned(),
        Kind::SecretUrl => "an address".to_owned(),
        Kind::WebUrl => {
            "an http or https address without a query, such as https://hooks.example.com".to_owned()
        }
        Kind::Address => "an IP address such as 127.0.0.1".to_owned(),
        Kind::Number(low, high) => format!("a whole number from {low} to {high}"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Length(low, high) => format!("a length of time from {} to {}", length(low), length(high)),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Networks | Kind::Texts => "a list".to_owned(),
        Kind::TimeOfDay => "a time of the day in UTC, such as 02:15".to_owned(),
    }
}
