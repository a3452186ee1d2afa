//! A connection whose small writes leave together.
//!
//! HTTP/2 sends headers, message and trailers as soon as it has them, each with a system call of its own; when the
//! answers of one transaction become ready at once, that costs more than making them. So before anything is sent,
//! whoever else is ready to run has a turn, and what they write goes along. With nobody else there it is sent at once:
//! nothing waits for a timer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf},
    net::TcpStream,
};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Bytes after which nothing waits for more.
const ENOUGH: usize = 16 * 1024;
/// Turns that others have at most before it is sent, also when each of them adds something.
const TURNS: u8 = 8;

/// A stream that gathers what is written to it.
#[derive(Debug)]
pub struct Gathered<S> {
    stream: BufWriter<S>,
    /// Turns that others have had since something was sent.
    turns: u8,
    /// Bytes that waited at the last of them.
    seen: usize,
}

impl<S: AsyncWrite> Gathered<S> {
    /// Gathers what is written to this stream.
    pub fn new(stream: S) -> Self {
        Self { stream: BufWriter::with_capacity(ENOUGH, stream), turns: 0, seen: 0 }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = self.stream.buffer().len();
        if waiting > self.seen && waiting < ENOUGH && self.turns < TURNS {
            self.seen = waiting;
            self.turns += 1;
            // Behind all that is ready.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        (self.turns, self.seen) = (0, 0);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sends what waits, too.
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl Connected for Gathered<TcpStream> {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.get_ref().connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrived, one entry for each write.
    #[derive(Debug, Default)]
    struct Wire(Vec<usize>);

    impl AsyncWrite for Wire {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Case(Gathered<Wire>);

    impl Case {
        fn new() -> Self {
            Self(Gathered::new(Wire::default()))
        }

        fn write(&mut self, bytes: usize) {
            let written =
                Pin::new(&mut self.0).poll_write(&mut Context::from_waker(std::task::Waker::noop()), &vec![0; bytes]);
            assert!(matches!(written, Poll::Ready(Ok(n)) if n == bytes), "{written:?}");
        }

        /// Whether it is through.
        fn flush(&mut self) -> bool {
            Pin::new(&mut self.0).poll_flush(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
        }

        fn arrived(&self) -> &[usize] {
            &self.0.stream.get_ref().0
        }
    }

    #[test]
    fn what_comes_in_the_turn_of_others_goes_along() {
        let mut case = Case::new();
        case.write(10);
        assert!(!case.flush());
        case.write(5);
        assert!(!case.flush());
        assert!(case.flush());
        assert_eq!(case.arrived(), [15]);
        // And all over again.
        case.write(1);
        assert!(!case.flush());
        assert!(case.flush());
        assert_eq!(case.arrived(), [15, 1]);
    }

    #[test]
    fn nothing_waits_for_ever_or_for_nothing() {
        let mut case = Case::new();
        assert!(case.flush(), "nothing to send");
        let mut turns = 0;
        while case.arrived().is_empty() {
            case.write(1);
            case.flush();
            turns += 1;
            assert!(turns <= usize::from(TURNS) + 1, "others always add something");
        }
        case.write(ENOUGH);
        assert!(case.flush(), "enough to send at once");
    }

    #[tokio::test]
    async fn the_last_words_are_sent() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Gathered::new(near);
        near.write_all(b"good").await.expect("writes");
        near.flush().await.expect("sends");
        near.write_all(b"bye").await.expect("writes");
        near.shutdown().await.expect("ends");
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.expect("reads");
        assert_eq!(heard, "goodbye");
    }
}
