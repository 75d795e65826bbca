//! Requests that arrive together are done together.
//!
//! A [`Grouped`] collects requests for a short while, hands them to one function that does them in
//! one round trip, and gives each requester its own answer. This is what turns thousands of
//! writes a second into a few dozen commits.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// How groups are closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupOptions {
    /// Most requests of a group.
    pub(crate) size: usize,
    /// How long an open group waits for more. Zero takes what is there.
    pub(crate) linger: Duration,
}

/// The requesting end: cheap to clone. Its worker ends when every clone is gone.
#[derive(Debug)]
pub(crate) struct Grouped<Q, A> {
    sender: mpsc::Sender<(Q, oneshot::Sender<A>)>,
}

impl<Q, A> Clone for Grouped<Q, A> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Grouped<Q, A> {
    /// Starts a worker that does groups one after the other with `work`, which answers in the order
    /// of the requests.
    pub(crate) fn start<F, W>(options: GroupOptions, mut work: F) -> Self
    where
        F: FnMut(Vec<Q>) -> W + Send + 'static,
        W: Future<Output = Vec<A>> + Send,
    {
        let (sender, mut receiver) = mpsc::channel::<(Q, oneshot::Sender<A>)>(options.size * 4);
        tokio::spawn(async move {
            let mut open = Vec::with_capacity(options.size);
            while receiver.recv_many(&mut open, options.size).await > 0 {
                fill(&mut receiver, &mut open, options).await;
                let (requests, answers): (Vec<Q>, Vec<_>) = open.drain(..).unzip();
                // A panic costs its group, not everybody who comes later.
                let Ok(done) = AssertUnwindSafe(work(requests)).catch_unwind().await else {
                    continue;
                };
                for (answer, to) in done.into_iter().zip(answers) {
                    // A requester that stopped waiting does not need its answer.
                    let _ = to.send(answer);
                }
            }
        });
        Self { sender }
    }

    /// Puts a request into the open group and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the worker is gone, as during shutdown.
    pub(crate) async fn request(&self, request: Q) -> Result<A> {
        const GONE: Error = Error::Unavailable {
            what: "the gateway",
            retry_after: 1,
        };
        let (answer, answered) = oneshot::channel();
        self.sender.send((request, answer)).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)
    }
}

/// Waits for more requests until the group is full or has lingered.
async fn fill<T>(receiver: &mut mpsc::Receiver<T>, open: &mut Vec<T>, options: GroupOptions) {
    if options.linger.is_zero() {
        return;
    }
    let closes = tokio::time::sleep(options.linger);
    tokio::pin!(closes);
    while open.len() < options.size {
        let room = options.size - open.len();
        tokio::select! {
            biased;
            more = receiver.recv_many(open, room) => if more == 0 { return },
            () = &mut closes => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_made_together_share_groups_and_get_their_own_answers() {
        let options = GroupOptions {
            size: 8,
            linger: Duration::from_millis(20),
        };
        let grouped = Grouped::start(options, |numbers: Vec<u32>| async move {
            let size = numbers.len();
            numbers.into_iter().map(|n| (n * 2, size)).collect()
        });
        let asked = (0..16).map(|n| grouped.request(n));
        let answers = futures::future::join_all(asked).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let (doubled, size) = answer.expect("answered");
            assert_eq!(doubled as usize, n * 2);
            assert!(size > 1 && size <= 8, "group of {size}");
        }
    }
}
