//! What std does in other programs: the start of the program, its heap, and its panic handler.
//!
//! A program has exactly one panic handler, and std has its own. So this one proves that the program does not use std:
//! the compiler refuses a second handler. From the C library the program uses only the start files, which call `main`,
//! the functions that move and compare memory, `signal` and `_exit`.

#![expect(
    unsafe_code,
    reason = "the compiler does not know how a system starts a program and where its memory is"
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

/// Standard output or standard error. It allocates nothing, because a lack of memory may cause the panic.
struct Stream(i32);

impl Write for Stream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: `prepare` has opened both, and nothing closes them.
        let file = unsafe { BorrowedFd::borrow_raw(self.0) };
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            match write(file, bytes) {
                Ok(n) if n > 0 => bytes = bytes.get(n..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // The program continues when nobody reads its output.
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

    /// The memory of the heap. Linux provides a page when the program first uses it.
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

    /// The signal for a write to a pipe that nobody reads, and the handler that ignores it. The numbers are Linux's.
    const SIGPIPE: c_int = 13;
    const SIG_IGN: usize = 1;

    /// Does what std does before `main`. After that the program can print even if nobody reads its output.
    fn prepare() {
        // SAFETY: ignoring a signal runs no code, and the program has only this thread.
        unsafe { signal(SIGPIPE, SIG_IGN) };
        // If standard output or standard error were closed, a transport would get its number, and the text printed to
        // it.
        loop {
            match open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
                // This descriptor stays open.
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

    // The alloc crate for Linux is built for programs that unwind, so the linker needs these two functions. This
    // program does not unwind and never calls them. A target without an operating system does not need them.

    // SAFETY: only std has another one, and std is not linked.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}

    // SAFETY: only libraries that unwind have another one, and none is linked.
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        _exit(1)
    }

    // SAFETY: no other `main` is linked, and the start files of the C library call it with these arguments.
    #[unsafe(no_mangle)]
    extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
        prepare();
        let count = usize::try_from(count).unwrap_or_default();
        // The first argument is the name of the program.
        let arguments = (1..count).map(|i| {
            // SAFETY: `arguments` has `count` elements.
            let argument = unsafe { *arguments.add(i) };
            // SAFETY: each argument is a C string that lives as long as the program.
            let argument: &'static CStr = unsafe { CStr::from_ptr(argument) };
            // An argument that is not UTF-8 is not an address either.
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
