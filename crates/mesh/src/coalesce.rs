//! A stream that coalesces small writes before flushing them.
//!
//! HTTP/2 flushes headers, message and trailers of a response separately, one system call each. When the responses of one
//! database transaction become ready at once, these calls cost more than the work itself: writes to sockets took 32 % of
//! the time of clients and service in the booking benchmark, 3.5 calls per booking. With this stream it is half a call per
//! booking, and system calls take 10 % (`docs/BENCHMARKS.md`).
//!
//! A flush therefore yields to the scheduler while the buffer grows: every other task that is ready to run on this worker
//! may add its bytes first. This is natural batching: send what is ready together, never wait for a timer. If no task adds
//! anything, the next poll flushes; an idle connection pays one extra poll and no delay.

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

/// Buffer size in bytes. A full buffer is flushed without yielding.
const BUFFER: usize = 16 * 1024;
/// Upper limit of yields before a flush, also if the buffer grows each time.
const MAX_YIELDS: u8 = 8;

/// A stream that buffers writes and yields before it flushes; see the [module](self).
#[derive(Debug)]
pub struct CoalescingStream<S> {
    stream: BufWriter<S>,
    /// Yields since the last flush.
    yields: u8,
    /// Buffered bytes at the last yield.
    seen: usize,
}

impl<S: AsyncWrite> CoalescingStream<S> {
    /// Coalesces what is written to this stream.
    pub fn new(stream: S) -> Self {
        Self { stream: BufWriter::with_capacity(BUFFER, stream), yields: 0, seen: 0 }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CoalescingStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let buffered = self.stream.buffer().len();
        if buffered > self.seen && buffered < BUFFER && self.yields < MAX_YIELDS {
            self.seen = buffered;
            self.yields += 1;
            // Puts this task at the end of the run queue, behind every task that is ready now.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        (self.yields, self.seen) = (0, 0);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Flushes the buffer first.
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for CoalescingStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl Connected for CoalescingStream<TcpStream> {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.get_ref().connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records the size of each write.
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

    struct Case(CoalescingStream<Wire>);

    impl Case {
        fn new() -> Self {
            Self(CoalescingStream::new(Wire::default()))
        }

        fn write(&mut self, bytes: usize) {
            let written =
                Pin::new(&mut self.0).poll_write(&mut Context::from_waker(std::task::Waker::noop()), &vec![0; bytes]);
            assert!(matches!(written, Poll::Ready(Ok(n)) if n == bytes), "{written:?}");
        }

        /// Whether the flush completed.
        fn flush(&mut self) -> bool {
            Pin::new(&mut self.0).poll_flush(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
        }

        fn arrived(&self) -> &[usize] {
            &self.0.stream.get_ref().0
        }
    }

    #[test]
    fn writes_during_a_yield_join_the_flush() {
        let mut case = Case::new();
        case.write(10);
        assert!(!case.flush());
        case.write(5);
        assert!(!case.flush());
        assert!(case.flush());
        assert_eq!(case.arrived(), [15]);
        // The counters start again after a flush.
        case.write(1);
        assert!(!case.flush());
        assert!(case.flush());
        assert_eq!(case.arrived(), [15, 1]);
    }

    #[test]
    fn flush_is_immediate_when_empty_or_full_and_bounded_otherwise() {
        let mut case = Case::new();
        assert!(case.flush(), "nothing to send");
        let mut flushes = 0;
        while case.arrived().is_empty() {
            case.write(1);
            case.flush();
            flushes += 1;
            assert!(flushes <= usize::from(MAX_YIELDS) + 1, "the buffer grows before every flush");
        }
        case.write(BUFFER);
        assert!(case.flush(), "a full buffer is sent at once");
    }

    #[tokio::test]
    async fn shutdown_flushes_the_buffer() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = CoalescingStream::new(near);
        near.write_all(b"good").await.expect("writes");
        near.flush().await.expect("sends");
        near.write_all(b"bye").await.expect("writes");
        near.shutdown().await.expect("ends");
        let mut received = String::new();
        far.read_to_string(&mut received).await.expect("reads");
        assert_eq!(received, "goodbye");
    }
}
