//! What a process is: the program it becomes, and the arguments it is seen by.
#![expect(unsafe_code, reason = "this folder is where it is kept")]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Replaces what `ps` shows as our arguments by `name`, in the memory that the kernel reads them
/// from, so that nobody who kills by command line takes front and guardian together.
pub(in crate::process) fn overwrite_arguments(name: &CStr) -> io::Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    // Fields 48 and 49 of proc(5) are arg_start and arg_end; `after` begins with field 3.
    let mut fields = after
        .split_ascii_whitespace()
        .skip(45)
        .map(str::parse::<usize>);
    let (Some(Ok(start)), Some(Ok(end))) = (fields.next(), fields.next()) else {
        return Err(io::Error::other("/proc/self/stat names no arguments"));
    };
    if start == 0 || end <= start {
        return Err(io::Error::other("/proc/self/stat names no arguments"));
    }
    let length = end - start;
    let wanted = name.to_bytes();
    let keep = wanted.len().min(length.saturating_sub(1));
    // SAFETY: the kernel put our arguments into [start, end) of this process's own stack at exec,
    // writable and never unmapped; this process has one thread, so nobody reads them meanwhile; std
    // keeps pointers into them, which stay valid: the bytes change, and end in zeros.
    unsafe {
        let memory = start as *mut u8;
        std::ptr::write_bytes(memory, 0, length);
        std::ptr::copy_nonoverlapping(wanted.as_ptr(), memory, keep);
    }
    Ok(())
}

/// A program ready to be executed: all memory is laid out beforehand, so that between fork and exec
/// nothing is allocated.
#[derive(Debug)]
pub(in crate::process) struct Image {
    /// Where the program may be, in the order of `PATH`.
    places: Vec<CString>,
    // Owns what the pointers of `argv` and `envp` point at.
    _arguments: Vec<CString>,
    _environment: Vec<CString>,
    // "LEASECTL_TOKEN=" and room for 20 digits and the closing zero.
    token: Box<[u8; 36]>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

const TOKEN_PREFIX: &[u8] = b"LEASECTL_TOKEN=";

impl Image {
    /// Lays out `arguments` (the program first) and `environment` (`KEY=value`), to which
    /// `LEASECTL_TOKEN` is added: its value is known only when the command is started.
    pub(in crate::process) fn new(arguments: Vec<CString>, environment: Vec<CString>) -> Self {
        let mut token = Box::new([0; 36]);
        token[..TOKEN_PREFIX.len()].copy_from_slice(TOKEN_PREFIX);
        let path = std::env::var_os("PATH");
        let program = arguments.first().map_or(c"", CString::as_c_str);
        let places = places(program, path.as_deref().map(OsStr::as_bytes));
        let argv = pointers(&arguments, None);
        let envp = pointers(&environment, Some(token.as_ptr().cast()));
        Self {
            places,
            _arguments: arguments,
            _environment: environment,
            token,
            argv,
            envp,
        }
    }

    /// Writes the token's digits into the environment.
    pub(in crate::process) fn set_token(&mut self, token: u64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut rest = token;
        loop {
            at -= 1;
            // A remainder of a division by ten fits a byte.
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = &digits[at..];
        let room = &mut self.token[TOKEN_PREFIX.len()..];
        room.fill(0);
        room[..digits.len()].copy_from_slice(digits);
    }

    /// Becomes the program, found through `PATH`. Returns only the errno of the failure.
    ///
    /// Not execvp(3): that gives what the kernel cannot execute to a shell, and a program of another
    /// machine is no script.
    pub(in crate::process) fn execute(&self) -> i32 {
        let mut errno = libc::ENOENT;
        for place in &self.places {
            // SAFETY: `place` is a zero-ended text, `argv` and `envp` are arrays of pointers to such,
            // closed by a null; `self` owns all of them and outlives the call.
            unsafe { libc::execve(place.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
            match io::Error::last_os_error().raw_os_error() {
                // A later directory may have one that we may execute.
                Some(libc::EACCES) => errno = libc::EACCES,
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                other => return other.unwrap_or(libc::EIO),
            }
        }
        errno
    }
}

/// The files that `program` may name: itself when it has a slash, else one in each directory of
/// `path`, where an empty one is the current directory.
fn places(program: &CStr, path: Option<&[u8]>) -> Vec<CString> {
    let program = program.to_bytes();
    if program.is_empty() {
        return Vec::new();
    }
    if program.contains(&b'/') {
        return CString::new(program).into_iter().collect();
    }
    let directories = path.unwrap_or(b"/bin:/usr/bin").split(|&byte| byte == b':');
    directories
        .filter_map(|directory| {
            let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            CString::new([directory, slash, program].concat()).ok()
        })
        .collect()
}

fn pointers(texts: &[CString], more: Option<*const libc::c_char>) -> Vec<*const libc::c_char> {
    let mut all: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    all.extend(more);
    all.push(std::ptr::null());
    all
}

/// A text without zero bytes, as the kernel wants it.
pub(in crate::process) fn c_text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_where_path_says() {
        let path = Some(b"/a::/b".as_slice());
        assert_eq!(
            places(c"job", path),
            [
                c"/a/job".to_owned(),
                c"job".to_owned(),
                c"/b/job".to_owned()
            ]
        );
        assert_eq!(places(c"./job", path), [c"./job".to_owned()]);
        assert_eq!(places(c"job", None).len(), 2);
        assert!(places(c"", path).is_empty());
    }

    #[test]
    fn a_token_is_written_into_the_environment() {
        let mut image = Image::new(vec![c"true".to_owned()], vec![c"A=b".to_owned()]);
        image.set_token(u64::MAX);
        image.set_token(1_795_224_758_205);
        let text = CStr::from_bytes_until_nul(image.token.as_slice()).unwrap();
        assert_eq!(text, c"LEASECTL_TOKEN=1795224758205");
        assert_eq!(image.envp.len(), 3);
    }
}
