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
    /// How much all requests of a group may weigh; one that is heavier has a group to itself.
    pub(crate) weight: Weight,
    /// How long an open group waits for more. Zero takes what is there.
    pub(crate) linger: Duration,
}

/// What a request adds to its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Rows.
    pub(crate) rows: usize,
    /// Bytes of their contents.
    pub(crate) bytes: usize,
}

impl Weight {
    /// Of groups that are bound by their size alone.
    pub(crate) const UNBOUND: Self = Self {
        rows: usize::MAX,
        bytes: usize::MAX,
    };

    fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn fits(self, most: Self) -> bool {
        self.rows <= most.rows && self.bytes <= most.bytes
    }
}

/// Has a weight.
pub(crate) trait Weighed {
    /// What it adds to its group. Nothing, where the size alone counts.
    fn weight(&self) -> Weight {
        Weight::default()
    }
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

impl<Q: Weighed + Send + 'static, A: Send + 'static> Grouped<Q, A> {
    /// Starts a worker that does groups one after the other with `work`, which answers in the order
    /// of the requests.
    pub(crate) fn start<F, W>(options: GroupOptions, mut work: F) -> Self
    where
        F: FnMut(Vec<Q>) -> W + Send + 'static,
        W: Future<Output = Vec<A>> + Send,
    {
        let (sender, receiver) = mpsc::channel::<(Q, oneshot::Sender<A>)>(options.size * 4);
        tokio::spawn(async move {
            let mut coming = Coming {
                receiver,
                left_over: None,
                options,
            };
            while let Some(group) = coming.group().await {
                let (requests, answers): (Vec<Q>, Vec<_>) = group.into_iter().unzip();
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

/// Requests on their way into groups.
struct Coming<Q, A> {
    receiver: mpsc::Receiver<(Q, oneshot::Sender<A>)>,
    /// Was too heavy for the group before, and begins the next one.
    left_over: Option<(Q, oneshot::Sender<A>)>,
    options: GroupOptions,
}

impl<Q: Weighed, A> Coming<Q, A> {
    /// The next group: closed when it is full, or has lingered. `None` when nothing will come.
    async fn group(&mut self) -> Option<Vec<(Q, oneshot::Sender<A>)>> {
        let first = match self.left_over.take() {
            Some(left) => left,
            None => self.receiver.recv().await?,
        };
        let mut weight = first.0.weight();
        let mut group = Vec::with_capacity(self.options.size.min(self.receiver.len() + 1));
        group.push(first);
        let closes = tokio::time::sleep(self.options.linger);
        tokio::pin!(closes);
        while group.len() < self.options.size {
            let next = match self.receiver.try_recv() {
                Ok(next) => next,
                Err(_) if self.options.linger.is_zero() => break,
                Err(_) => tokio::select! {
                    biased;
                    next = self.receiver.recv() => match next {
                        Some(next) => next,
                        None => break,
                    },
                    () = &mut closes => break,
                },
            };
            let heavier = weight.plus(next.0.weight());
            if !heavier.fits(self.options.weight) {
                self.left_over = Some(next);
                break;
            }
            weight = heavier;
            group.push(next);
        }
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for u32 {
        fn weight(&self) -> Weight {
            Weight {
                rows: 1,
                bytes: *self as usize,
            }
        }
    }

    /// Answers each request with the whole group that it was in.
    fn telling_groups(weight: Weight) -> Grouped<u32, Vec<u32>> {
        let options = GroupOptions {
            size: 8,
            weight,
            linger: Duration::from_millis(20),
        };
        Grouped::start(options, |numbers: Vec<u32>| async move {
            numbers.iter().map(|_| numbers.clone()).collect()
        })
    }

    #[tokio::test]
    async fn a_group_closes_before_it_is_too_heavy() {
        let grouped = telling_groups(Weight { rows: 100, bytes: 10 });
        let asked = [4, 5, 3, 30, 1, 9].map(|n| grouped.request(n));
        let groups: Vec<_> = futures::future::join_all(asked)
            .await
            .into_iter()
            .map(|group| group.expect("answered"))
            .collect();
        let expected: [&[u32]; 6] = [&[4, 5], &[4, 5], &[3], &[30], &[1, 9], &[1, 9]];
        assert_eq!(groups, expected);
    }

    #[tokio::test]
    async fn a_group_closes_when_it_has_its_rows() {
        let grouped = telling_groups(Weight {
            rows: 2,
            bytes: usize::MAX,
        });
        let asked = [1, 2, 3].map(|n| grouped.request(n));
        let groups: Vec<_> = futures::future::join_all(asked)
            .await
            .into_iter()
            .map(|group| group.expect("answered"))
            .collect();
        let expected: [&[u32]; 3] = [&[1, 2], &[1, 2], &[3]];
        assert_eq!(groups, expected);
    }

    #[tokio::test]
    async fn requests_made_together_share_groups_and_get_their_own_answers() {
        let options = GroupOptions {
            size: 8,
            weight: Weight::UNBOUND,
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
