"""Starts the programs under test, waits until a server listens, and ends them by their process ids."""

import queue
import re
import subprocess
import threading

# Seconds. No check waits for time to pass: this only bounds a failure.
BOUND = 60


class Program:
    """A running program. The end of the `with` block kills it."""

    def __init__(self, *command):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")
        # The lines of standard error. They are complete after `ends`.
        self.errors = []
        self.stopped = False
        self._lines = queue.Queue()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self._lines.put(line.removesuffix("\n"))
        self._lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.removesuffix("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self._join()

    def _join(self):
        status = self.process.wait(BOUND)
        for reader in self._readers:
            reader.join(BOUND)
        return status

    def write(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def line(self):
        """Returns the next line of standard output."""
        line = self._lines.get(timeout=BOUND)
        assert line is not None, f"the program ended with {self._join()}: {self.errors}"
        return line

    def url(self):
        """Returns the URL of a server. Its first line must be `listening on URL`."""
        line = self.line()
        match = re.fullmatch(r"listening on (https?://\S+/)", line)
        assert match, f"the first line is not 'listening on URL': {line}"
        return match[1]

    def rest(self):
        """Returns the lines that have come and that nobody has read yet."""
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def ends(self, status):
        """Waits for the end with this exit status. Returns the lines that nobody has read yet."""
        ended = self._join()
        lines = self.rest()[:-1]
        assert ended == status, f"ended with {ended} instead of {status}: {lines}, {self.errors}"
        return lines

    def stop(self):
        """Sends SIGTERM, and waits for the end."""
        self.stopped = True
        self.process.terminate()
        self._join()
