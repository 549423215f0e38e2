//! A broker that loses, repeats or refuses must not get away with it: the generator against forwarders with one flaw.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the forwarder does with the copies of one message; the number counts all messages from 1.
type Copies = fn(u64) -> usize;

/// Forwards every PUBLISH to the one subscriber, as often as `copies` says, and greets with `greeting`.
fn forwarder(greeting: u8, copies: Copies) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let subscriber = Arc::new(Mutex::new(None));
    thread::spawn(move || {
        for client in listener.incoming() {
            let subscriber = Arc::clone(&subscriber);
            thread::spawn(move || serve(client.unwrap(), greeting, copies, &subscriber));
        }
    });
    port
}

/// Every packet of this test is shorter than 128 bytes, so the remaining length is one byte.
fn serve(mut client: TcpStream, greeting: u8, copies: Copies, subscriber: &Mutex<Option<TcpStream>>) {
    let mut published = 0;
    let mut head = [0; 2];
    while client.read_exact(&mut head).is_ok() {
        let mut body = vec![0; usize::from(head[1])];
        client.read_exact(&mut body).unwrap();
        match head[0] >> 4 {
            1 => client.write_all(&[0x20, 2, 0, greeting]).unwrap(),
            8 => {
                *subscriber.lock().unwrap() = Some(client.try_clone().unwrap());
                client.write_all(&[0x90, 3, 0, 1, 0]).unwrap();
            }
            3 => {
                published += 1;
                let packet = [head.as_slice(), &body].concat().repeat(copies(published));
                subscriber.lock().unwrap().as_mut().unwrap().write_all(&packet).unwrap();
            }
            _ => return,
        }
    }
}

fn load(port: u16) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strowger-load"))
        .args([
            "--port",
            &port.to_string(),
            "--seconds",
            "0.2",
            "--warm-up",
            "0",
            "p2p",
            "--pairs",
            "1",
        ])
        .args(["--window", "8"])
        .output()
        .unwrap()
}

fn line(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_faithful_forwarder_gives_a_whole_run() {
    let output = load(forwarder(0, |_| 1));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(line(&output).starts_with("whole: scenario=p2p lost=0 "), "{output:?}");
}

#[test]
fn one_lost_message_is_said_first_and_fails_the_run() {
    let output = load(forwarder(0, |number| usize::from(number != 10)));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        line(&output).starts_with("FAULTY RUN: scenario=p2p lost=1 "),
        "{output:?}"
    );
    assert!(line(&output).contains(" gaps=1 "), "{output:?}");
}

#[test]
fn one_repeated_message_fails_the_run() {
    let output = load(forwarder(0, |number| if number == 10 { 2 } else { 1 }));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        line(&output).contains(" lost=0 ") && line(&output).contains(" repeated=1 "),
        "{output:?}"
    );
}

#[test]
fn a_refused_connection_is_no_figure() {
    let output = load(forwarder(5, |_| 1));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("refused the CONNECT of connection ") && said.contains(" with code 0x05"),
        "{said}"
    );
}

#[test]
fn nobody_listening_is_no_figure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = load(free);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("cannot connect to 127.0.0.1:")
    );
}
