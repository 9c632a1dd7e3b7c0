//! Programs that run during a test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A program that ends with its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Starts a server. Returns its URL, which it prints.
pub(crate) fn start(command: &mut Command) -> (Running, String) {
    let mut server = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let stdout = BufReader::new(server.0.stdout.take().unwrap());
    let mut lines = stdout.lines().map_while(Result::ok);
    let url = lines.find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
    (server, url.unwrap())
}
