//! A client of PostgreSQL that stays connected, one statement after the other.

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What the client prints behind the answer of a statement.
const END: &str = "--end--";

/// The client. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Session {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Session {
    /// Starts `client`, which reads SQL from its standard input.
    pub(crate) fn start(mut client: Command) -> anyhow::Result<Self> {
        let mut child = client.spawn().context("psql is not installed")?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("psql has no input or no output");
        };
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// Runs a statement, which ends with a semicolon; rows as lines.
    pub(crate) async fn run(&mut self, sql: &str) -> anyhow::Result<Vec<String>> {
        self.input
            .write_all(format!("{sql}\n\\echo {END}\n").as_bytes())
            .await?;
        let mut rows = Vec::new();
        while let Some(line) = self.output.next_line().await? {
            if line == END {
                return Ok(rows);
            }
            rows.push(line);
        }
        // It ends at the first error.
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut said).await?;
        }
        bail!("PostgreSQL: {}", said.trim());
    }
}
