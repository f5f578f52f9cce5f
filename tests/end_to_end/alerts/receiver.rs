//! A receiver of webhooks that answers as a test wants it to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::PATIENCE;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// The connection is closed without an answer.
    Drop,
    /// There is never an answer.
    Hang,
}

/// What came in.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: String,
    time_s: String,
    signature: String,
    body: String,
    pub answer: Answer,
}

impl Delivery {
    /// Whether the signature is that of the secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base64");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.time_s, self.body);
        let tag = self.signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        tag.is_some_and(|tag| ring::hmac::verify(&key, signed.as_bytes(), &tag).is_ok())
    }

    /// Whether all of it came in.
    pub fn is_whole(&self) -> bool {
        !self.body.is_empty()
    }

    pub fn body(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// A receiver on a port of its own.
pub struct Receiver {
    pub address: SocketAddr,
    deliveries: mpsc::Receiver<Delivery>,
    plan: Arc<Mutex<Plan>>,
}

/// The next answers, and the one for all after them.
struct Plan {
    next: VecDeque<Answer>,
    then: Answer,
}

impl Receiver {
    pub fn start(next: &[Answer], then: Answer) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let plan = Arc::new(Mutex::new(Plan { next: next.iter().copied().collect(), then }));
        let (send, deliveries) = mpsc::channel();
        let answers = Arc::clone(&plan);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let mut plan = answers.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = plan.next.pop_front().unwrap_or(plan.then);
                drop(plan);
                let delivery = take(&stream, answer);
                if let Answer::Status(status) = answer {
                    let text = format!("HTTP/1.1 {status} Some\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    // A sender that was killed does not listen any more.
                    let _ = (&stream).write_all(text.as_bytes());
                }
                if answer == Answer::Hang {
                    held.push(stream);
                }
                // The test may be over.
                let _ = send.send(delivery);
            }
        });
        Receiver { address, deliveries, plan }
    }

    /// From now on everything is answered like this.
    pub fn answer(&self, then: Answer) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).then = then;
    }

    /// Waits for the next delivery.
    pub fn next(&self) -> Delivery {
        self.deliveries.recv_timeout(PATIENCE).expect("a delivery comes in")
    }
}

/// Reads one request. What is no HTTP gives a delivery without anything.
fn take(stream: &TcpStream, answer: Answer) -> Delivery {
    let mut reader = BufReader::new(stream);
    let mut delivery =
        Delivery { id: String::new(), time_s: String::new(), signature: String::new(), body: String::new(), answer };
    let mut length = 0;
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line).unwrap_or(0);
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if read == 0 || line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => delivery.id = value.to_owned(),
            "webhook-timestamp" => delivery.time_s = value.to_owned(),
            "webhook-signature" => delivery.signature = value.to_owned(),
            "content-length" => length = value.parse().expect("a length"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_ok() {
        delivery.body = String::from_utf8(body).expect("the body is text");
    }
    delivery
}
