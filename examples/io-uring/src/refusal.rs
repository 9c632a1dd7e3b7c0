//! Advice if the system refuses a ring.

use std::io;

/// One line with the system's error and advice.
pub(crate) fn explain(error: &io::Error) -> String {
    let help = match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            "this kernel does not have it: use Linux 5.19 or newer, outside of sandboxes"
        }
        Some(libc::EPERM | libc::EACCES) => {
            "it is forbidden: set the sysctl kernel.io_uring_disabled to 0, \
             and let the container's seccomp profile allow io_uring_setup"
        }
        Some(libc::ENOMEM) => "the limit for locked memory is too low: raise it (ulimit -l)",
        Some(libc::EINVAL) => "this kernel is too old: use Linux 5.19 or newer",
        Some(libc::EMFILE | libc::ENFILE) => {
            "the limit for open files is too low: raise it (ulimit -n)"
        }
        _ => "this system does not allow it",
    };
    format!("no io_uring: {error}: {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_one_line_with_the_error() {
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
