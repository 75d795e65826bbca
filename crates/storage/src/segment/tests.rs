//! Tests of the format. Here: how segments for tests are made.

mod corruption;
mod filters;
mod foreign;
mod format;
mod rewriting;

use std::io::Write;
use std::process::{Command, Stdio};

use domain::segment::Kind;
use uuid::Uuid;

use super::*;

/// A moment in November 2026.
const AT: i64 = 1_795_000_000_000;

/// The `n`th id: UUIDv7, four per millisecond.
fn id(n: u64) -> Uuid {
    let millis = u128::from(AT as u64 + n / 4);
    Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | u128::from(n))
}

fn identity() -> Identity {
    Identity {
        archive_id: Uuid::from_u128(0x0193_4a5b_6c7d_7e8f_8a9b_0c1d_2e3f_4a5b),
        kind: Kind::Events,
        tenant: "0193aaaa-0000-7000-8000-000000000001".to_owned(),
        topic: "invoice.paid".to_owned(),
    }
}

/// The row `id` with a payload, as the archive writes it.
fn row(id: Uuid, payload: &str) -> String {
    format!(r#"{{"uid":"{id}","event_type":"invoice.paid","data":{payload}}}"#)
}

/// `count` rows with payloads that differ and do not compress to nothing.
fn rows(count: u64) -> Vec<(Uuid, String)> {
    let payload = |n: u64| {
        format!(
            r#"{{"n":{n},"text":"{:x}"}}"#,
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    };
    (0..count).map(|n| (id(n), row(id(n), &payload(n)))).collect()
}

/// What `rows` are as one JSON array.
fn array_of(rows: &[(Uuid, String)]) -> String {
    let texts: Vec<&str> = rows.iter().map(|(_, json)| json.as_str()).collect();
    format!("[{}]", texts.join(","))
}

/// Writes `rows` with `threads`; the object and what is known of it.
fn write_with(threads: usize, rows: &[(Uuid, String)]) -> (Vec<u8>, Summary) {
    let mut object = Vec::new();
    let options = WriterOptions {
        threads,
        max_rows: 1_000_000,
    };
    let mut writer = SegmentWriter::new(&mut object, identity(), options).expect("threads start");
    for (id, json) in rows {
        let at = (id.as_u128() >> 80) as i64;
        writer.push(*id, at, json.as_bytes()).expect("is taken");
    }
    let summary = writer.finish().expect("is written");
    (object, summary)
}

fn write(rows: &[(Uuid, String)]) -> (Vec<u8>, Summary) {
    write_with(2, rows)
}

/// Finds the footer as a reader does that knows nothing but the object.
fn footer_of(object: &[u8]) -> Result<Footer, SegmentError> {
    let place = read_pointer(
        &object[object.len().saturating_sub(POINTER_BYTES)..],
        object.len() as u64,
    )?;
    // The pointer fits the object's size, so the place is within it.
    read_footer(&object[place.start as usize..place.end as usize], place.start)
}

/// All rows of an object, checked in every way there is.
fn read(object: &[u8], footer: Footer) -> Result<Vec<(Uuid, String)>, SegmentError> {
    let mut rows = Vec::new();
    read_object(footer, object, |block| {
        rows.extend(block.rows().map(|row| (row.id, row.json.to_owned())));
        Ok(())
    })?;
    Ok(rows)
}

/// What a program makes of `bytes` on its standard input; `None` when it is not installed.
fn pipe(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().expect("was asked for");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().expect("ends");
    writer.join().expect("does not panic").expect("takes all input");
    assert!(output.status.success(), "{program}: {}", output.status);
    Some(output.stdout)
}
