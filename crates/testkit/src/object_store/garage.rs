//! A real S3 server: Garage, in a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use domain::storage::{S3Policy, Secret, StoragePolicy};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const REGION: &str = "garage";
const BUCKET: &str = "longhaul-test";

/// Garage on free ports with a data folder of its own; both are gone when it is dropped. Its access key
/// may create buckets, and there is none yet. It knows no conditional writes and no versions.
#[derive(Debug)]
pub struct Garage {
    /// Where it listens.
    pub address: SocketAddr,
    _process: Child,
    _folder: TempDir,
}

impl Garage {
    /// Starts one.
    ///
    /// # Panics
    /// When it is not installed, or does not answer within half a minute.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (address, rpc) = (free_address().await, free_address().await);
        let settings = folder.path().join("garage.toml");
        std::fs::write(&settings, written(folder.path(), address, rpc)).expect("a file");
        let process = Command::new("garage")
            .arg("--config")
            .arg(&settings)
            .args(["server", "--single-node", "--default-access-key"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("RUST_LOG", "garage=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("garage is installed by scripts/setup-tools.sh test and found through scripts/env.sh");
        let answers = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), answers)
            .await
            .expect("garage answers");
        Self {
            address,
            _process: process,
            _folder: folder,
        }
    }

    /// What a gateway writes to it with.
    pub fn policy(&self) -> StoragePolicy {
        StoragePolicy::S3(S3Policy {
            bucket: BUCKET.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: Secret::new(SECRET_KEY),
            region: REGION.to_owned(),
            endpoint: format!("http://{}", self.address),
            ..S3Policy::default()
        })
    }
}

/// A port that was free a moment ago.
async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    listener.local_addr().expect("an address")
}

fn written(folder: &Path, address: SocketAddr, rpc: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        r#"metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "lmdb"
replication_factor = 1
rpc_bind_addr = "{rpc}"
rpc_public_addr = "{rpc}"
rpc_secret = "{SECRET_KEY}"

[s3_api]
s3_region = "{REGION}"
api_bind_addr = "{address}"
"#
    )
}
