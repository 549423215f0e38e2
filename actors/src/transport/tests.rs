use std::future::poll_fn;
use std::net::TcpListener;

use broker::session::Outbox;
use bytes::Bytes;
use tokio::net::TcpStream;

use super::channel::Channel;
use super::wire::SLICES;
use super::{Socket, WRITES_MAX};

/// A turn has a bound; what it leaves over must not wait for the next message to the same client.
#[test]
fn what_one_turn_does_not_write_is_written_in_the_next() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let stream = TcpStream::connect(listener.local_addr().expect("its address")).await;
        let socket = Socket::new(
            1,
            Channel::Tcp(stream.expect("a connection")),
            crate::recorder::Tape::default(),
        );
        poll_fn(|cx| socket.channel.borrow().poll_write_ready(cx))
            .await
            .expect("ready");

        let mut out = Outbox::default();
        let pieces = SLICES * WRITES_MAX + 1;
        (0..pieces).for_each(|_| out.share(Bytes::from_static(b"x")));

        assert_eq!(socket.write(&mut out, |_, _| {}).expect("written"), pieces - 1);
        poll_fn(|cx| socket.poll_unblocked(cx)).await;
        assert_eq!(socket.write(&mut out, |_, _| {}).expect("written"), 1);
        assert!(out.is_empty());
    });
}
