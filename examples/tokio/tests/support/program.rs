//! A server as a process. The tests of example-axum and example-rustls include this file, too.

use std::io::{BufRead as _, BufReader, Read as _, copy, sink};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A running server. Dropping it kills the process.
pub struct Program {
    child: Child,
    pub address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Program {
    /// Starts a server at a free port. `scheme` is the scheme in the first line of its output.
    pub fn start(path: &str, scheme: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .arg("127.0.0.1:0")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        // The server never has to wait for a reader of its other lines.
        thread::spawn(move || copy(&mut stdout, &mut sink()));
        let address = line.strip_prefix(&format!("listening on {scheme}://"));
        let address = address.and_then(|it| it.strip_suffix("/\n"));
        let address = address.expect("its address in the first line").to_owned();
        Self { child, address }
    }

    /// Sends a signal to the server, which must still run.
    pub fn signal(&mut self, name: &str) {
        assert_eq!(self.child.try_wait().unwrap(), None);
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-s", name, &id]).status();
        assert!(killed.unwrap().success());
    }

    /// Waits until the server ends, with status 0 and without a line on stderr.
    pub fn wait(mut self) {
        let status = self.child.wait().unwrap();
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        assert_eq!((status.code(), &*stderr), (Some(0), ""));
    }
}
