//! Takes over what vanished or stuck consumers hold, and removes vanished ones from the group.

use std::collections::HashSet;
use std::sync::Arc;

use redis::{Pipeline, Script, Value};

use super::{Intake, Shared};
use crate::entry::{EntryId, from_claim, id_of, number_of};
use crate::error::QueueError;
use crate::name::GROUP;

/// Most entries taken over by one call.
const BATCH: usize = 64;
/// Ids per page when this consumer looks through its own entries.
const PAGE: usize = 512;

/// Looks for abandoned entries at once and then at every interval, until dropped.
pub(super) async fn run(intake: Intake) {
    let scripts = Scripts {
        claim: Script::new(include_str!("../lua/claim.lua")),
        forget: Script::new(include_str!("../lua/forget.lua")),
    };
    let interval = intake.shared.options.claim_interval;
    loop {
        if let Err(error) = round(&intake, &scripts).await {
            tracing::debug!(%error, "cannot look for abandoned entries");
        }
        tokio::time::sleep(interval).await;
    }
}

struct Scripts {
    claim: Script,
    forget: Script,
}

/// A member of the group as Redis lists it.
struct Member {
    name: String,
    pending: u64,
}

async fn round(intake: &Intake, scripts: &Scripts) -> Result<(), QueueError> {
    let shared = &intake.shared;
    let stuck_ms = shared.options.visibility_timeout.as_millis() as u64;
    let members = members(shared).await?;
    let alive = alive(shared, &members).await?;
    for (member, alive) in members.iter().zip(alive) {
        let vanished = !alive && member.name != shared.name;
        if vanished {
            if member.pending > 0 {
                take(intake, scripts, &member.name, 0).await?;
            }
            forget(shared, &scripts.forget, &member.name).await?;
        } else if member.pending > 0 && has_idle(shared, &member.name, stuck_ms).await? {
            take(intake, scripts, &member.name, stuck_ms.max(1)).await?;
        }
    }
    Ok(())
}

async fn members(shared: &Shared) -> Result<Vec<Member>, QueueError> {
    let mut command = redis::cmd("XINFO");
    command.arg("CONSUMERS").arg(&shared.keys.stream).arg(GROUP);
    match shared.redis.query(&command).await {
        Ok(Value::Array(rows)) => Ok(rows.into_iter().filter_map(member).collect()),
        Ok(_) => Err(QueueError::unexpected("XINFO CONSUMERS")),
        // The reader creates stream and group.
        Err(error) if error.is_missing_group() => Ok(Vec::new()),
        Err(QueueError::Rejected { code, .. }) if &*code == "ERR" => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn member(row: Value) -> Option<Member> {
    let mut name = None;
    let mut pending = None;
    for (field, value) in row.into_map_iter().ok()? {
        let Value::BulkString(field) = field else { continue };
        match (field.as_slice(), value) {
            (b"name", Value::BulkString(text)) => name = String::from_utf8(text).ok(),
            (b"pending", value) => pending = number_of(&value),
            _ => {}
        }
    }
    Some(Member {
        name: name?,
        pending: pending?,
    })
}

/// Whether each of `members` has a heartbeat.
async fn alive(shared: &Shared, members: &[Member]) -> Result<Vec<bool>, QueueError> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let mut commands = Pipeline::with_capacity(members.len());
    for member in members {
        commands.cmd("EXISTS").arg(shared.keys.alive(&member.name));
    }
    let answers = shared.redis.pipeline(&commands).await?;
    // An unclear answer counts as alive: taking from the living doubles work.
    Ok(answers
        .iter()
        .map(|answer| number_of::<u64>(answer) != Some(0))
        .collect())
}

async fn has_idle(shared: &Shared, owner: &str, idle_ms: u64) -> Result<bool, QueueError> {
    let mut command = redis::cmd("XPENDING");
    command
        .arg(&shared.keys.stream)
        .arg(GROUP)
        .arg("IDLE")
        .arg(idle_ms)
        .arg("-")
        .arg("+")
        .arg(1)
        .arg(owner);
    match shared.redis.query::<Value>(&command).await? {
        Value::Array(found) => Ok(!found.is_empty()),
        _ => Ok(false),
    }
}

/// Takes all entries of `owner` that are idle for `idle_ms`; 0 means that the owner has vanished.
async fn take(intake: &Intake, scripts: &Scripts, owner: &str, idle_ms: u64) -> Result<(), QueueError> {
    let shared = &intake.shared;
    loop {
        // Places are given in order of asking, so a long backlog does not keep orphans waiting.
        let places = shared.take_places(BATCH).await;
        let mut call = scripts.claim.key(&shared.keys.stream);
        call.key(shared.keys.alive(owner))
            .arg(GROUP)
            .arg(&shared.name)
            .arg(owner)
            .arg(idle_ms)
            .arg(places);
        let answer = match shared.redis.invoke::<Value>(&call).await {
            Ok(answer) => answer,
            Err(error) => {
                shared.free_places(places);
                return Err(error);
            }
        };
        let entries = from_claim(answer);
        let taken = entries.len();
        intake.accept(entries, places);
        if taken > 0 {
            tracing::info!(owner, taken, "took over entries");
        }
        if taken < places {
            return Ok(());
        }
    }
}

async fn forget(shared: &Shared, script: &Script, name: &str) -> Result<(), QueueError> {
    let mut call = script.key(&shared.keys.stream);
    call.key(shared.keys.alive(name)).arg(GROUP).arg(name);
    shared.redis.invoke(&call).await
}

/// Removes this consumer's heartbeat, so that the others claim what it leaves at once, and its
/// membership when it leaves nothing.
pub(super) async fn leave(shared: &Shared) -> Result<(), QueueError> {
    shared
        .redis
        .query::<()>(redis::cmd("DEL").arg(&shared.alive_key))
        .await?;
    let script = Script::new(include_str!("../lua/forget.lua"));
    match forget(shared, &script, &shared.name).await {
        Err(error) if error.is_missing_group() => Ok(()),
        outcome => outcome,
    }
}

/// Fetches entries that Redis counts as given to this consumer, but that never arrived.
///
/// Only for the reader, between two reads: during one, arriving entries would look lost.
pub(super) async fn take_lost(intake: &Intake) -> Result<(), QueueError> {
    let shared = &intake.shared;
    let mut start = String::from("-");
    loop {
        let mut command = redis::cmd("XPENDING");
        command
            .arg(&shared.keys.stream)
            .arg(GROUP)
            .arg(&start)
            .arg("+")
            .arg(PAGE)
            .arg(&shared.name);
        let Value::Array(rows) = shared.redis.query(&command).await? else {
            return Err(QueueError::unexpected("XPENDING"));
        };
        let pending: Vec<EntryId> = rows.iter().filter_map(pending_id).collect();
        let Some(last) = pending.last() else { return Ok(()) };
        start = format!("({last}");
        let lost = absent(shared, &pending);
        for ids in lost.chunks(BATCH) {
            fetch(intake, ids).await?;
        }
        if pending.len() < PAGE {
            return Ok(());
        }
    }
}

fn pending_id(row: &Value) -> Option<EntryId> {
    match row {
        Value::Array(parts) => id_of(parts.first()?),
        _ => None,
    }
}

fn absent(shared: &Arc<Shared>, ids: &[EntryId]) -> Vec<EntryId> {
    let in_flight = shared.in_flight();
    ids.iter()
        .filter(|id| !in_flight.contains_key(id))
        .copied()
        .collect()
}

/// Claims `ids` for this consumer once more, to get their fields.
async fn fetch(intake: &Intake, ids: &[EntryId]) -> Result<(), QueueError> {
    let shared = &intake.shared;
    let mut wanted: HashSet<EntryId> = ids.iter().copied().collect();
    while !wanted.is_empty() {
        let places = shared.take_places(wanted.len()).await;
        let batch: Vec<EntryId> = wanted.iter().take(places).copied().collect();
        let mut command = redis::cmd("XCLAIM");
        command
            .arg(&shared.keys.stream)
            .arg(GROUP)
            .arg(&shared.name)
            .arg(0);
        for id in &batch {
            wanted.remove(id);
            command.arg(id.to_string());
        }
        match shared.redis.query(&command).await {
            Ok(answer) => {
                let entries = crate::entry::from_entries(answer, 2);
                tracing::info!(found = entries.len(), "fetched entries that had not arrived");
                intake.accept(entries, places);
            }
            Err(error) => {
                shared.free_places(places);
                return Err(error);
            }
        }
    }
    Ok(())
}
