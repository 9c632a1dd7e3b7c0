//! What to do where the system gives no ring.

use std::io;

/// One line: what the system says, and what would help.
pub(crate) fn explain(error: &io::Error) -> String {
    let help = match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has none: use Linux 5.19 or newer, outside of sandboxes",
        Some(libc::EPERM | libc::EACCES) => {
            "it is forbidden: set the sysctl kernel.io_uring_disabled to 0, \
             and let the container's seccomp profile allow io_uring_setup"
        }
        Some(libc::ENOMEM) => {
            "there is too little memory: raise the limit for locked memory (ulimit -l)"
        }
        Some(libc::EINVAL) => "this kernel is too old: use Linux 5.19 or newer",
        Some(libc::EMFILE | libc::ENFILE) => {
            "there are too many open files: raise that limit (ulimit -n)"
        }
        _ => "this system does not allow it",
    };
    format!("no io_uring: {error}: {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_error_and_what_to_do_in_one_line() {
        for (error, help) in [
            (libc::ENOSYS, "Linux 5.19"),
            (libc::EPERM, "kernel.io_uring_disabled"),
            (libc::EINVAL, "too old"),
            (libc::ENOMEM, "ulimit -l"),
            (libc::EMFILE, "ulimit -n"),
            (libc::EIO, "not allow"),
        ] {
            let line = explain(&io::Error::from_raw_os_error(error));
            assert!(line.contains(&format!("(os error {error})")), "{line}");
            assert!(line.contains(help) && !line.contains('\n'), "{line}");
        }
    }
}
