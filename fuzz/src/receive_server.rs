//! A server that receives any bytes. See `receive.rs`.

use sockless::test_util::Role;

/// See the module.
pub fn run(data: &[u8]) {
    crate::receive::run(Role::Server, data);
}
