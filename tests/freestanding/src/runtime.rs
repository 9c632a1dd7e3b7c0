//! How a program without std starts and fails: with the C library.
//!
//! The panic handler is half of the proof. There can be one only, and std has its own, so the compiler
//! refuses the program (`duplicate lang item`) as soon as anything in it uses std.

use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};
use core::panic::PanicInfo;

// std is what usually links the C library. Its start files call `main`, and compiled code expects
// memcpy, memmove, memset, memcmp and bcmp there.
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
    // Where even this fails, the exit status says enough.
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
