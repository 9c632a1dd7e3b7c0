//! What std does elsewhere: where the program begins, its heap, and what a panic does.
//!
//! The panic handler is half of the proof that there is no std: there can be one only, and std has its own, so the
//! compiler refuses the program as soon as anything in it uses std. Of the C library there are only the start files, which
//! call `main`, what compiled code expects to move and compare memory, `signal` and `_exit`.

#![expect(
    unsafe_code,
    reason = "no compiler can know how a system starts a program and where there is memory"
)]

use core::fmt::{self, Arguments, Write};

use rustix::fd::BorrowedFd;
use rustix::io::{Errno, write};

/// Writes to standard output.
pub(crate) fn print(text: Arguments<'_>) {
    _ = Stream(1).write_fmt(text);
}

/// Writes to standard error.
pub(crate) fn print_error(text: Arguments<'_>) {
    _ = Stream(2).write_fmt(text);
}

/// Standard output or standard error. It needs no memory, since a panic may be for want of that.
struct Stream(i32);

impl Write for Stream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: they are open from the beginning, and nobody closes them.
        let file = unsafe { BorrowedFd::borrow_raw(self.0) };
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            match write(file, bytes) {
                Ok(n) if n > 0 => bytes = bytes.get(n..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // Whoever does not listen any more is no reason to stop.
                _ => break,
            }
        }
        Ok(())
    }
}

#[cfg(panic = "abort")]
mod freestanding {
    use core::ffi::{CStr, c_char, c_int};
    use core::panic::PanicInfo;

    use rustix::fd::{AsRawFd as _, IntoRawFd as _};
    use rustix::fs::{Mode, OFlags, open};
    use spinning_top::RawSpinlock;
    use talc::TalcLock;
    use talc::source::Claim;

    use crate::limits::HEAP;

    /// All memory there is. It takes none of the machine's until it is used.
    static mut MEMORY: [u8; HEAP] = [0; HEAP];

    #[global_allocator]
    static ALLOCATOR: TalcLock<RawSpinlock, Claim> =
        // SAFETY: nothing else uses `MEMORY`.
        TalcLock::new(unsafe { Claim::array(&raw mut MEMORY) });

    #[link(name = "c")]
    unsafe extern "C" {
        safe fn _exit(status: c_int) -> !;
        fn signal(signal: c_int, handler: usize) -> usize;
    }

    /// The signal for a write to a pipe that nobody reads, and the handler that ignores it: Linux's numbers.
    const SIGPIPE: c_int = 13;
    const SIG_IGN: usize = 1;

    /// Does what std does before `main`: nobody has to read what this program prints.
    fn prepare() {
        // SAFETY: to ignore a signal runs no code in its place, and no other thread is there yet.
        unsafe { signal(SIGPIPE, SIG_IGN) };
        // If standard output or standard error is closed, a transport would get its number, and what is printed.
        loop {
            match open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
                // It stays open.
                Ok(file) if file.as_raw_fd() <= 2 => _ = file.into_raw_fd(),
                Ok(_) => return,
                Err(error) => {
                    super::print_error(format_args!(
                        "freestanding: cannot open /dev/null: {error}\n"
                    ));
                    _exit(2)
                }
            }
        }
    }

    // The alloc crate that comes with the compiler for Linux is made for programs that unwind, and asks for these. Nothing
    // unwinds here, so nothing calls them. On a target without an operating system nothing asks for them either.

    // SAFETY: only std has another one, and is not here.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}

    // SAFETY: only libraries that unwind have another one, and are not here.
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        _exit(1)
    }

    // SAFETY: there is no other `main`, and this is how the start files of the C library call it.
    #[unsafe(no_mangle)]
    extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
        prepare();
        let count = usize::try_from(count).unwrap_or_default();
        // The first is the name of the program.
        let arguments = (1..count).map(|i| {
            // SAFETY: there are `count` of them.
            let argument = unsafe { *arguments.add(i) };
            // SAFETY: each is a string that stays where it is.
            let argument: &'static CStr = unsafe { CStr::from_ptr(argument) };
            // What is no text is no address either.
            argument.to_str().unwrap_or("?")
        });
        crate::run(arguments).into()
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        super::print_error(format_args!("freestanding: {info}\n"));
        _exit(1)
    }
}
