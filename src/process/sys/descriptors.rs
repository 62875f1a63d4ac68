//! Descriptors: watching, writing, and sending one to another process.
#![expect(unsafe_code, reason = "this folder is where it is kept")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::check;

/// Tells the runtime to watch a descriptor for reading: a copy of its own, so that it stays open as
/// long as it is watched, whatever happens to the original. Call inside the runtime.
///
/// # Errors
/// The kernel's, when no descriptor can be had.
pub fn watch(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let copy = fd.try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` is open, names the same open file as long as it lives, and always answers
    // with the same number; the `AsyncFd` owns it, so it is deregistered before it is closed.
    Ok(unsafe { AsyncFd::register_with_interest(copy, Interest::READABLE) }?)
}

/// Renames `from` to `to`, both in `directory`, unless there is a `to` already (`RENAME_NOREPLACE`,
/// renameat2(2), which `nix` does not have everywhere).
///
/// # Errors
/// `EEXIST` when there is one, and the kernel's other reasons.
pub fn rename_if_absent(directory: BorrowedFd<'_>, from: &str, to: &str) -> Result<(), Errno> {
    const RENAME_NOREPLACE: libc::c_uint = 1;
    let text = |name: &str| CString::new(name).map_err(|_| Errno::EINVAL);
    let (from, to) = (text(from)?, text(to)?);
    let fd = directory.as_raw_fd();
    // SAFETY: the descriptor is open while borrowed; both texts end in a zero and outlive the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            fd,
            from.as_ptr(),
            fd,
            to.as_ptr(),
            RENAME_NOREPLACE,
        )
    };
    Errno::result(answer).map(drop)
}

/// Writes `bytes`, unless the descriptor is full or gone; the guardian never waits for a reader.
pub(in crate::process) fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> bool {
    // SAFETY: the pointer and length describe `bytes`, which outlives the call.
    let wrote = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(wrote) == Ok(bytes.len())
}

/// Takes a descriptor that this process was started with: a copy of ours, and closed in what is started
/// from now on. The standard ones stay where they are.
pub(in crate::process) fn take_descriptor(number: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: fcntl with these commands takes integers only and touches no memory of ours.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFL) })?;
    if flags & libc::O_ACCMODE == libc::O_RDONLY {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: as above.
    let copy = check(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })?;
    if number > libc::STDERR_FILENO {
        // SAFETY: as above.
        check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    // SAFETY: the kernel has just made this descriptor for us and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Sends bytes over a connected socket, as far as it takes them at once.
pub(in crate::process) fn send_bytes(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the pointer and length describe `bytes`, which outlives the call.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Room for one descriptor in a message's ancillary data, aligned as the kernel wants it.
#[repr(C, align(8))]
struct AncillaryRoom([u8; 64]);

/// The length of a control message that carries one descriptor.
const ONE_DESCRIPTOR: u32 = size_of::<libc::c_int>() as u32;

/// Sends one datagram, with a descriptor if there is one to send. Never waits.
pub(in crate::process) fn send_datagram(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut room = AncillaryRoom([0; 64]);
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: an all-zero msghdr is a valid value of that plain struct.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if let Some(descriptor) = descriptor {
        message.msg_control = room.0.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes with its argument.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(ONE_DESCRIPTOR) } as _;
        // SAFETY: `msg_control` points at 64 aligned bytes, more than CMSG_SPACE of one descriptor,
        // so the first header and its data lie inside them.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(ONE_DESCRIPTOR) as _;
            libc::CMSG_DATA(header)
                .cast::<libc::c_int>()
                .write_unaligned(descriptor.as_raw_fd());
        }
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `message` points at `part` and `room`, and `part` at `bytes`; the kernel only reads
    // them, and all outlive the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Receives one datagram into `bytes`, and the descriptor that came with it. Never waits; a length
/// of 0 is the end of the conversation. The length is the datagram's own, also where it did not fit.
pub(in crate::process) fn receive_datagram(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut room = AncillaryRoom([0; 64]);
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: an all-zero msghdr is a valid value of that plain struct.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = room.0.as_mut_ptr().cast();
    message.msg_controllen = room.0.len() as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC | libc::MSG_TRUNC;
    // SAFETY: `message` points at `part` (and so at `bytes`) and `room` with their true lengths; all
    // are writable and outlive the call.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has set `msg_controllen` to what it wrote into `room`, so CMSG_FIRSTHDR
    // yields null or a header inside it; a SCM_RIGHTS header carries at least one descriptor, which
    // the kernel has just made for us and nobody else owns.
    let descriptor = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let carries = !header.is_null()
            && (*header).cmsg_level == libc::SOL_SOCKET
            && (*header).cmsg_type == libc::SCM_RIGHTS;
        carries.then(|| {
            OwnedFd::from_raw_fd(
                libc::CMSG_DATA(header)
                    .cast::<libc::c_int>()
                    .read_unaligned(),
            )
        })
    };
    Ok((got, descriptor))
}
