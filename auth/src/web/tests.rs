//! A server that answers as badly as it is told to; and what the client makes of URLs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::{Server, Settings};

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// The same after a while.
    SendLater(Vec<u8>, Duration),
    /// One byte each 20 ms.
    Drip(Vec<u8>),
    /// Sends these bytes for as long as somebody reads.
    Pour(Vec<u8>),
    /// Never answers.
    Keep,
}

impl Act {
    pub(crate) fn status(status: u16, body: &str) -> Self {
        let len = body.len();
        Self::Send(format!("HTTP/1.1 {status} Some\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}").into())
    }
}

#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) url: String,
    act: Arc<Mutex<Act>>,
    requests: Arc<Mutex<Vec<String>>>,
    most_at_a_time: Arc<AtomicUsize>,
}

impl TestServer {
    pub(crate) async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}/auth", listener.local_addr().unwrap()),
            act: Arc::new(Mutex::new(act)),
            requests: Arc::default(),
            most_at_a_time: Arc::default(),
        };
        let (act, requests) = (Arc::clone(&server.act), Arc::clone(&server.requests));
        let (at_a_time, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&server.most_at_a_time));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (act, requests) = (Arc::clone(&act), Arc::clone(&requests));
                let (at_a_time, most) = (Arc::clone(&at_a_time), Arc::clone(&most));
                tokio::spawn(async move {
                    most.fetch_max(at_a_time.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    serve(stream, &act, &requests).await;
                    at_a_time.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    pub(crate) fn act(&self, act: Act) {
        *self.act.lock().unwrap() = act;
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn most_at_a_time(&self) -> usize {
        self.most_at_a_time.load(Ordering::SeqCst)
    }

    /// Settings for this server, with little patience.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            timeout: Duration::from_millis(400),
            ..Settings::new(&self.url)
        }
    }
}

/// A URL at which nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

async fn serve(mut stream: TcpStream, act: &Mutex<Act>, requests: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut buffer = [0; 4_096];
        let Ok(read @ 1..) = stream.read(&mut buffer).await else {
            return;
        };
        request.extend_from_slice(&buffer[..read]);
    }
    requests.lock().unwrap().push(String::from_utf8(request).unwrap());
    let act = act.lock().unwrap().clone();
    let _ = match act {
        Act::Send(bytes) => stream.write_all(&bytes).await,
        Act::SendLater(bytes, after) => {
            sleep(after).await;
            stream.write_all(&bytes).await
        }
        Act::Drip(bytes) => {
            for byte in bytes {
                let _ = stream.write_all(&[byte]).await;
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
        Act::Pour(bytes) => {
            while stream.write_all(&bytes).await.is_ok() {}
            Ok(())
        }
        Act::Keep => {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        }
    };
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let len = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    body.len() >= len.map_or(0, |len| len.parse().unwrap())
}

#[tokio::test]
async fn secrets_cross_no_network_in_plain_text() {
    for (url, is_fine) in [
        ("https://auth.example/", true),
        ("http://127.0.0.1:8080/", true),
        ("http://[::1]/", true),
        ("http://localhost/", true),
        ("http://auth.example/", false),
        ("http://127.0.0.1.example/", false),
        ("http://192.0.2.1/", false),
        ("ftp://127.0.0.1/", false),
        ("auth.example", false),
        ("", false),
    ] {
        let opened = Server::open("auth http", &Settings::new(url)).await;
        assert_eq!(opened.is_ok(), is_fine, "{url}: {opened:?}");
        if let Err(error) = opened {
            assert!(error.to_string().starts_with("auth http: its URL "), "{error}");
        }
    }
    let allowed = Settings {
        is_plain_allowed: true,
        ..Settings::new("http://auth.example/")
    };
    assert!(Server::open("auth http", &allowed).await.is_ok());
}

#[tokio::test]
async fn an_error_does_not_show_the_url() {
    let url = format!("{}?key=hunter2", nobody().await);
    let server = Server::open("auth http", &Settings::new(url)).await.unwrap();
    let silence = server.get().await.unwrap_err().to_string();
    assert!(silence.contains("refused") && !silence.contains("hunter2"), "{silence}");
}

#[tokio::test]
async fn a_file_of_cas_has_some() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let settings = Settings {
        ca_file: Some(file.clone()),
        ..Settings::new("https://auth.example/")
    };
    for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA")] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let error = Server::open("auth http", &settings).await.unwrap_err().to_string();
        assert!(error.contains("ca.pem"), "{error}");
    }
}
