//! The start and the panic handler of a program without std, with the C library.
//!
//! A program has exactly one panic handler, and std has its own. So if anything in the program used std, the compiler
//! would refuse it (`duplicate lang item`).

use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};
use core::panic::PanicInfo;

// Usually std links the C library. Its start files call `main`, and compiled code needs its functions memcpy, memmove,
// memset, memcmp and bcmp.
#[link(name = "c")]
unsafe extern "C" {
    safe fn _exit(status: c_int) -> !;
    fn write(descriptor: c_int, bytes: *const c_void, length: usize) -> isize;
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    crate::check();
    0
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // If this fails too, the exit status is enough.
    let _ = writeln!(StandardError, "{info}");
    _exit(1)
}

struct StandardError;

impl Write for StandardError {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: `text` is valid for reads of its length.
        let written = unsafe { write(2, text.as_ptr().cast(), text.len()) };
        if usize::try_from(written) == Ok(text.len()) {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
