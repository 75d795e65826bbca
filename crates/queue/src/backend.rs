//! The queue as apalis sees it: a [`Backend`] that gives out entries, and the layer that settles them.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::error::{AbortError, BoxDynError, RetryAfterError};
use apalis_core::task::Task;
use apalis_core::task::task_id::RandomId;
use apalis_core::worker::context::WorkerContext;
use futures::FutureExt;
use futures::future::CatchUnwind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use crate::codec::Payload;
use crate::consumer::{Outcomes, Ticket, Verdict};
use crate::entry::{Entry, RawEntry};
use crate::error::{Failure, Fate};

/// Gives entries of one [`Consumer`](crate::Consumer) to an apalis worker.
///
/// Its own layer lies around all layers of the worker: what the outermost one answers decides.
/// `Ok` acknowledges; [`Failure`], [`RetryAfterError`] and [`AbortError`] say what they mean; any
/// other error and a panic mean that the entry is tried again later.
#[must_use = "a backend does nothing outside of a worker"]
pub struct StreamBackend<T> {
    batches: mpsc::UnboundedReceiver<Vec<RawEntry>>,
    current: std::vec::IntoIter<RawEntry>,
    outcomes: Outcomes,
    stop: CancellationToken,
    payload: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for StreamBackend<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamBackend").finish_non_exhaustive()
    }
}

impl<T: Payload> StreamBackend<T> {
    pub(crate) fn new(
        batches: mpsc::UnboundedReceiver<Vec<RawEntry>>,
        outcomes: Outcomes,
        stop: CancellationToken,
    ) -> Self {
        Self {
            batches,
            current: Vec::new().into_iter(),
            outcomes,
            stop,
            payload: PhantomData,
        }
    }

    /// The next readable entry of the current batch; unreadable ones are buried.
    fn next_of_batch(&mut self) -> Option<Entry<T>> {
        for raw in self.current.by_ref() {
            let ticket = Ticket::from(&raw);
            let decoded = match raw.payload {
                Some(bytes) => T::decode(bytes).map_err(|error| error.to_string()),
                None => Err("the entry has no payload".to_owned()),
            };
            match decoded {
                Ok(payload) => {
                    let Ticket {
                        id,
                        attempts,
                        deliveries,
                    } = ticket;
                    return Some(Entry {
                        id,
                        payload,
                        attempts,
                        deliveries,
                    });
                }
                Err(reason) => {
                    let _ = self.outcomes.send((ticket, Verdict::Bury { reason }));
                }
            }
        }
        None
    }
}

impl<T: Payload> Backend for StreamBackend<T> {
    type Task = Task<Entry<T>>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        loop {
            // What is not yet given out at shutdown is left for other consumers. Readers drop their
            // end of the channel when they stop, which wakes this task.
            if self.stop.is_cancelled() {
                return Poll::Ready(None);
            }
            if let Some(entry) = self.next_of_batch() {
                return Poll::Ready(Some(Ok(Task::new(entry))));
            }
            match ready!(self.batches.poll_recv(context)) {
                Some(batch) => self.current = batch.into_iter(),
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_close(&mut self, _: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        // A worker whose backend is exhausted still waits to be stopped.
        if !worker.is_stopped()
            && let Err(error) = worker.stop()
        {
            tracing::debug!(%error, "the worker was not running");
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Payload> BackendConfig for StreamBackend<T> {
    type Args = Entry<T>;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = SettleLayer;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        SettleLayer {
            outcomes: self.outcomes.clone(),
        }
    }
}

/// Tells the acker what became of every entry.
#[derive(Debug, Clone)]
pub struct SettleLayer {
    outcomes: Outcomes,
}

impl<S> Layer<S> for SettleLayer {
    type Service = SettleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SettleService {
            inner,
            outcomes: self.outcomes.clone(),
        }
    }
}

/// See [`SettleLayer`].
#[derive(Debug, Clone)]
pub struct SettleService<S> {
    inner: S,
    outcomes: Outcomes,
}

impl<S, T> Service<Task<Entry<T>>> for SettleService<S>
where
    S: Service<Task<Entry<T>>>,
    S::Error: Into<BoxDynError>,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = SettleFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Entry<T>>) -> Self::Future {
        let Entry {
            id,
            attempts,
            deliveries,
            ..
        } = task.args;
        SettleFuture {
            handling: AssertUnwindSafe(self.inner.call(task)).catch_unwind(),
            ticket: Ticket {
                id,
                attempts,
                deliveries,
            },
            outcomes: self.outcomes.clone(),
        }
    }
}

pin_project_lite::pin_project! {
    /// See [`SettleLayer`]. Dropped before its end it settles nothing: the entry stays pending.
    #[derive(Debug)]
    pub struct SettleFuture<F> {
        #[pin]
        handling: CatchUnwind<AssertUnwindSafe<F>>,
        ticket: Ticket,
        outcomes: Outcomes,
    }
}

impl<F, R, E> Future for SettleFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxDynError>,
{
    type Output = Result<R, BoxDynError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = match ready!(this.handling.poll(context)) {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(panic) => {
                Err(Failure::retry(format!("the handler panicked: {}", panic_text(&*panic))).into())
            }
        };
        let mut ticket = *this.ticket;
        let verdict = match &outcome {
            Ok(_) => Verdict::Done,
            Err(error) => verdict_on(error),
        };
        if let Verdict::Bury { .. } = verdict {
            ticket.attempts += 1;
        }
        // Fails only when the consumer is gone; then the entry stays pending for others.
        let _ = this.outcomes.send((ticket, verdict));
        Poll::Ready(outcome)
    }
}

fn verdict_on(error: &BoxDynError) -> Verdict {
    let reason = error.to_string();
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return match failure.fate {
            Fate::Retry => Verdict::Retry { after: None, reason },
            Fate::RetryAfter(delay) => Verdict::Retry {
                after: Some(delay),
                reason,
            },
            Fate::Bury => Verdict::Bury { reason },
        };
    }
    if error.is::<AbortError>() {
        return Verdict::Bury { reason };
    }
    let after = error
        .downcast_ref::<RetryAfterError>()
        .map(RetryAfterError::get_duration);
    Verdict::Retry { after, reason }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
