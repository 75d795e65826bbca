//! The threads of one writer: some compress blocks side by side, one hashes the text in order.
//!
//! Hashing has a thread of its own, because it needs the blocks in order and would otherwise be
//! what bounds the speed. All threads end when the pool is dropped.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use libdeflater::{CompressionLvl, Compressor};
use sha2::{Digest, Sha256};

/// The level of `gzip -6`: smaller is hardly possible, faster is.
const LEVEL: i32 = 6;

/// A block on its way: the place where its gzip member arrives.
pub(super) struct Pending(Receiver<Vec<u8>>);

impl Pending {
    /// The member, once it is there.
    pub(super) fn wait(&self) -> io::Result<Vec<u8>> {
        self.0.recv().map_err(|_| vanished())
    }

    /// The member if it is there already.
    pub(super) fn poll(&self) -> Option<Vec<u8>> {
        self.0.try_recv().ok()
    }
}

struct Job {
    text: Arc<Vec<u8>>,
    answer: SyncSender<Vec<u8>>,
}

/// The threads; see the module.
pub(super) struct Pool {
    jobs: Sender<Job>,
    texts: SyncSender<Arc<Vec<u8>>>,
    hasher: JoinHandle<[u8; 32]>,
}

impl Pool {
    /// `threads` compressors, and a hasher that is at most `ahead` blocks behind.
    pub(super) fn new(threads: usize, ahead: usize) -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            Builder::new()
                .name("segment-gzip".to_owned())
                .spawn(move || compress_all(&queue))?;
        }
        let (texts, received) = sync_channel::<Arc<Vec<u8>>>(ahead);
        let hasher = Builder::new()
            .name("segment-hash".to_owned())
            .spawn(move || hash_all(&received))?;
        Ok(Self { jobs, texts, hasher })
    }

    /// Hands over the next block's text. Waits while the hasher is too far behind.
    pub(super) fn submit(&self, text: Vec<u8>) -> io::Result<Pending> {
        let text = Arc::new(text);
        let (answer, pending) = sync_channel(1);
        self.jobs
            .send(Job {
                text: Arc::clone(&text),
                answer,
            })
            .map_err(|_| vanished())?;
        self.texts.send(text).map_err(|_| vanished())?;
        Ok(Pending(pending))
    }

    /// The SHA-256 of all texts and `end`.
    pub(super) fn finish(self, end: &[u8]) -> io::Result<[u8; 32]> {
        self.texts.send(Arc::new(end.to_vec())).map_err(|_| vanished())?;
        drop(self.texts);
        self.hasher.join().map_err(|_| vanished())
    }
}

/// One gzip member of `text`.
pub(super) fn compress(compressor: &mut Compressor, scratch: &mut Vec<u8>, text: &[u8]) -> Vec<u8> {
    let bound = compressor.gzip_compress_bound(text.len());
    if scratch.len() < bound {
        scratch.resize(bound, 0);
    }
    let length = compressor
        .gzip_compress(text, scratch)
        .expect("the bound is an upper bound");
    scratch[..length].to_vec()
}

/// A compressor of the level that all blocks have.
pub(super) fn compressor() -> Compressor {
    Compressor::new(CompressionLvl::new(LEVEL).expect("6 is a level"))
}

fn compress_all(queue: &Mutex<Receiver<Job>>) {
    let (mut compressor, mut scratch) = (compressor(), Vec::new());
    loop {
        // The lock is held while waiting: another thread would only wait behind it.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { text, answer }) = job else { return };
        // Nobody may be waiting any more.
        let _ = answer.send(compress(&mut compressor, &mut scratch, &text));
    }
}

fn hash_all(texts: &Receiver<Arc<Vec<u8>>>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.as_slice());
    }
    hash.finalize().into()
}

fn vanished() -> io::Error {
    io::Error::other("a thread of the segment writer ended early")
}
