//! The usual way to work on a queue: consumer, apalis worker and shutdown in one future.

use std::sync::Arc;

use apalis::layers::WorkerBuilderExt;
use apalis::layers::limit::ConcurrencyLimitLayer;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use tokio_util::sync::CancellationToken;

use crate::codec::Payload;
use crate::consumer::{Consumer, WorkerOptions};
use crate::entry::Entry;
use crate::producer::Queue;

/// Handles entries of `queue` until `shutdown` is cancelled.
///
/// Then nothing new is begun, running handlers get `options.drain_limit` to end, acknowledgements are
/// sent, and what is left is handed back. Redis may come and go meanwhile. Dropping the future instead
/// is like a crash: others wait for the heartbeat to expire before they claim what was held.
///
/// All handlers of one call share one task, so they must not block; run several for more cores.
/// For other layers, use [`Consumer::start`] with a `WorkerBuilder` as this function does.
pub async fn run_worker<T, H, F, E>(
    queue: &Queue,
    options: WorkerOptions,
    handler: H,
    shutdown: CancellationToken,
) where
    T: Payload,
    H: Fn(Entry<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxDynError> + Send + 'static,
{
    let drain_limit = options.drain_limit;
    let concurrency = options
        .concurrency
        .map(|most| ConcurrencyLimitLayer::new(most.max(1)));
    let (consumer, backend) = Consumer::start::<T>(queue, options, &shutdown);
    let handler = Arc::new(handler);
    // Called inside of the future, so that a panic before the first await is caught like any other.
    let handle = move |entry: Entry<T>| {
        let handler = Arc::clone(&handler);
        async move { handler(entry).await }
    };
    let worker = WorkerBuilder::new(consumer.name().to_owned())
        .backend(backend)
        .option_layer(concurrency)
        .build(handle);
    let out_of_time = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain_limit).await;
    };
    tokio::select! {
        outcome = worker.run() => {
            if let Err(error) = outcome {
                tracing::error!(consumer = consumer.name(), %error, "the worker ended with an error");
            }
        }
        () = out_of_time => {
            tracing::warn!(consumer = consumer.name(), running = consumer.in_flight(), "handlers did not end in time");
        }
    }
    consumer.finish().await;
}
