//! The processes of this machine, as `/proc` lists them.
#![expect(unsafe_code, reason = "this folder is where it is kept")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Pid;

/// Calls `found` with the number of every process that `/proc` (open as `proc`) lists, in rising
/// order, without allocating, until it says no: new processes have higher numbers, so that a storm may
/// add to the end of the list for longer than there is time.
pub(in crate::process) fn list_processes(
    proc: BorrowedFd<'_>,
    mut found: impl FnMut(Pid) -> bool,
) -> io::Result<()> {
    let mut buffer = [0_u64; 4096];
    // SAFETY: the descriptor is open while borrowed; lseek touches no memory of ours.
    if unsafe { libc::lseek(proc.as_raw_fd(), 0, libc::SEEK_SET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    loop {
        // SAFETY: the kernel writes at most `size_of_val(&buffer)` bytes into `buffer`, which is
        // aligned for its records (8 bytes) and outlives the call.
        let got = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                proc.as_raw_fd(),
                buffer.as_mut_ptr(),
                size_of_val(&buffer),
            )
        };
        let Ok(got) = usize::try_from(got) else {
            return Err(io::Error::last_os_error());
        };
        if got == 0 {
            return Ok(());
        }
        // SAFETY: the kernel has just filled the first `got` bytes of `buffer`, and any bytes are
        // valid `u8`s.
        let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), got) };
        if !entries(bytes, &mut found) {
            return Ok(());
        }
    }
}

/// Walks `linux_dirent64` records: inode (8 bytes), offset (8), length (2), type (1), name. False when
/// `found` said no.
fn entries(bytes: &[u8], found: &mut impl FnMut(Pid) -> bool) -> bool {
    let mut rest = bytes;
    while let (Some(&[low, high]), Some(name)) = (rest.get(16..18), rest.get(19..)) {
        let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_number = digits > 0 && name.get(digits) == Some(&0);
        if let Some(pid) = is_number.then(|| number(&name[..digits])).flatten()
            && !found(pid)
        {
            return false;
        }
        match rest.get(usize::from(u16::from_ne_bytes([low, high])).max(1)..) {
            Some(next) => rest = next,
            None => return true,
        }
    }
    true
}

fn number(digits: &[u8]) -> Option<Pid> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn this_process_is_listed() {
        let proc = std::fs::File::open("/proc").unwrap();
        let mut all = Vec::new();
        list_processes(proc.as_fd(), |pid| {
            all.push(pid);
            true
        })
        .unwrap();
        assert!(all.contains(&Pid::try_from(std::process::id()).unwrap()));
        assert!(all.is_sorted(), "/proc lists processes in rising order");

        let mut asked = 0;
        list_processes(proc.as_fd(), |_| {
            asked += 1;
            false
        })
        .unwrap();
        assert_eq!(asked, 1);
    }
}
