//! The few words of Redis's protocol that the bench needs to look at a server from outside.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use url::Url;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// A text of either kind.
    Text(String),
    /// A list.
    List(Vec<Reply>),
    /// A refusal.
    Error(String),
}

impl Reply {
    /// The number it holds; 0 for anything else.
    pub(crate) fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Text(text) => text.parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// The text it holds; empty for anything else.
    pub(crate) fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// The list it holds; empty for anything else.
    pub(crate) fn list(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects, signs in and chooses the database of `url`.
    pub(crate) async fn open(url: &Url) -> anyhow::Result<Self> {
        let (host, port) = (url.host_str().context("no host")?, url.port().unwrap_or(6379));
        let stream = TcpStream::connect((host, port))
            .await
            .context("Redis takes no connection")?;
        let mut connection = Self {
            stream: BufReader::new(stream),
        };
        if let Some(password) = url.password() {
            connection.call(&["AUTH", password]).await?;
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() {
            connection.call(&["SELECT", database]).await?;
        }
        Ok(connection)
    }

    /// Runs one command; a refusal is an error.
    pub(crate) async fn call(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        match self.try_call(words).await? {
            Reply::Error(error) => bail!("Redis refuses {}: {error}", words.first().unwrap_or(&"")),
            reply => Ok(reply),
        }
    }

    /// Runs one command; a refusal is an answer.
    pub(crate) async fn try_call(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        self.read().await
    }

    async fn read(&mut self) -> anyhow::Result<Reply> {
        // Lists that are begun and still lack so many items.
        let mut open: Vec<(usize, Vec<Reply>)> = Vec::new();
        loop {
            let mut reply = match self.read_one().await? {
                Begun::List(count) if count > 0 => {
                    open.push((count, Vec::with_capacity(count)));
                    continue;
                }
                Begun::List(_) => Reply::List(Vec::new()),
                Begun::Whole(reply) => reply,
            };
            loop {
                let Some((count, mut items)) = open.pop() else {
                    return Ok(reply);
                };
                items.push(reply);
                if items.len() < count {
                    open.push((count, items));
                    break;
                }
                reply = Reply::List(items);
            }
        }
    }

    async fn read_one(&mut self) -> anyhow::Result<Begun> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("Redis closed the connection");
        }
        let (kind, rest) = line
            .trim_end()
            .split_at_checked(1)
            .context("Redis sent an empty line")?;
        Ok(match kind {
            "+" => Begun::Whole(Reply::Text(rest.to_owned())),
            "-" => Begun::Whole(Reply::Error(rest.to_owned())),
            ":" => Begun::Whole(Reply::Int(rest.parse()?)),
            "$" | "*" if rest == "-1" => Begun::Whole(Reply::Nil),
            "$" => {
                let mut text = vec![0; rest.parse::<usize>()? + 2];
                self.stream.read_exact(&mut text).await?;
                text.truncate(text.len() - 2);
                Begun::Whole(Reply::Text(String::from_utf8_lossy(&text).into_owned()))
            }
            "*" => Begun::List(rest.parse()?),
            _ => bail!("Redis sent {line:?}"),
        })
    }
}

enum Begun {
    Whole(Reply),
    List(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn nested_answers_are_read_whole_and_in_order() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let url =
            Url::parse(&format!("redis://{}", listener.local_addr().expect("is bound"))).expect("is a URL");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = [0; 64];
            let length = stream.read(&mut request).await.expect("reads");
            let answer = b"*3\r\n*2\r\n$4\r\na\r\nb\r\n:7\r\n$-1\r\n*0\r\n-ERR no\r\n";
            stream.write_all(answer).await.expect("writes");
            request[..length].to_vec()
        });
        let mut connection = Connection::open(&url).await.expect("opens");
        let inner = Reply::List(vec![Reply::Text("a\r\nb".to_owned()), Reply::Int(7)]);
        let whole = Reply::List(vec![inner, Reply::Nil, Reply::List(Vec::new())]);
        assert_eq!(connection.call(&["PING", "x"]).await.expect("answers"), whole);
        assert_eq!(server.await.expect("ends"), b"*2\r\n$4\r\nPING\r\n$1\r\nx\r\n");
        assert_eq!(
            connection.read().await.expect("answers"),
            Reply::Error("ERR no".to_owned())
        );
    }
}
