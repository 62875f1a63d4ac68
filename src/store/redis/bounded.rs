//! A stream that takes in only so much between two requests: the reader behind it gathers a reply in memory
//! before it looks at it, and a hostile server would fill it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Many times what the largest honest answer has: 200 names of 512 bytes, or a record of each of them.
const LARGEST: usize = 8 * 1024 * 1024;

/// The stream inside, and how much of [`LARGEST`] is left.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    inner: S,
    left: usize,
}

impl<S> Bounded<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self {
            inner,
            left: LARGEST,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other("the answer is too long"))),
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.left = LARGEST;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_request_opens_the_way_for_so_much_and_no_more() {
        let mut stream = Bounded::new(tokio::io::join(tokio::io::repeat(b'+'), tokio::io::sink()));
        let mut answer = vec![0; LARGEST];
        stream.read_exact(&mut answer).await.unwrap();
        assert!(stream.read_u8().await.is_err());
        stream.write_all(b"PING\r\n").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'+');
    }
}
