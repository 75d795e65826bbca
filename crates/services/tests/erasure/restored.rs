//! A database that was restored to a moment before the erasure.

use domain::erasure::mark;
use services::erasure::{ErasureState, Wanted, replay_ledger};

use crate::world::World;

/// What a dump of these tables would keep.
const DUMP: &str = "CREATE SCHEMA dump; \
    CREATE TABLE dump.events AS SELECT * FROM events; \
    CREATE TABLE dump.attempts AS SELECT * FROM delivery_attempts; \
    CREATE TABLE dump.segments AS SELECT * FROM segments;";
const RESTORE: &str = "TRUNCATE erasures CASCADE; \
    UPDATE events e SET payload = d.payload, headers = d.headers, idempotency_key = d.idempotency_key \
      FROM dump.events d WHERE d.id = e.id; \
    UPDATE delivery_attempts a SET request_headers = d.request_headers, response_headers = d.response_headers \
      FROM dump.attempts d WHERE d.id = a.id; \
    UPDATE segments s SET generation = d.generation, etag = d.etag, version_id = d.version_id, size_bytes = d.size_bytes, \
      raw_bytes = d.raw_bytes, object_sha256 = d.object_sha256, content_sha256 = d.content_sha256, \
      block_index = d.block_index FROM dump.segments d WHERE d.id = s.id;";

#[tokio::test]
async fn what_was_erased_is_still_gone_after_the_database_was_restored() {
    let mut world = World::new().await;
    let old = world.about("zoltan").await;
    world.about("bob").await;
    world.archive().await;
    let new = world.about("zoltan").await;
    world.sql(DUMP);
    let erased = world.erase(Wanted::Subject("zoltan".to_owned())).await;
    assert_eq!(erased.receipt.events, 1, "{erased:?}");
    world.sql(RESTORE);
    assert_ne!(world.rows_with("zoltan"), "", "the dump brought it back");

    assert_eq!(replay_ledger(&world.gateway.services).await.expect("a ledger"), 1);
    assert_eq!(world.read(new).await.payload, mark(erased.id), "masked at once");
    world.run("erase").await;
    let again = world.erasure(erased.id).await;
    assert_eq!(again.state, ErasureState::Done, "{again:?}");
    assert_eq!(world.rows_with("zoltan"), "");
    assert_eq!(world.objects_with("zoltan"), Vec::<String>::new());
    for id in [old, new] {
        assert_eq!(world.read(id).await.payload, mark(erased.id));
    }
    world.assert_others_whole(&[old, new]).await;
    assert_eq!(replay_ledger(&world.gateway.services).await.expect("a ledger"), 0);
}
