// Usage: node http2.mjs WORK_DIRECTORY SERVER [ARGUMENT...]
// A WebSocket of Chromium in a stream of HTTP/2 (RFC 8441): the page comes over HTTP/2, and so does its WebSocket, which
// the server says. And beside it the client of the example, over the same.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { PATIENCE, run, startServer } from "./harness.mjs";

const [work, ...command] = process.argv.slice(2);
const certificate = join(resolve(work), "certificate.pem");
const client = join(dirname(command[0]), "client");

/** Waits for lines on the server's output, and takes them. */
async function said(server, count) {
  for (const deadline = Date.now() + PATIENCE; server.said.length < count; ) {
    assert(Date.now() < deadline, `the server said only ${JSON.stringify(server.said)}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  return server.said.splice(0);
}

const log = (page, text) =>
  page.waitForFunction(
    (text) => [...document.querySelectorAll("#log li")].filter((line) => line.textContent === text).length === 1,
    text,
  );

const isOpen = (page) => page.waitForFunction(() => document.getElementById("state").textContent === "open");

await run(work, async (check) => {
  const server = await startServer([...command, "--write-cert", certificate]);
  const { origin } = server;

  await check("a WebSocket over HTTP/2", async (open) => {
    const page = await open(origin);
    await isOpen(page);
    assert.equal(await page.textContent("#protocol"), "h2");
    assert.deepEqual(await said(server, 1), ["WebSocket over HTTP/2.0"], "an extended CONNECT");
    await page.fill("#text", "Hello over HTTP/2, 你好");
    await page.click("#send button");
    await log(page, "Hello over HTTP/2, 你好");
  });

  await check("large messages, both ways, more than the windows of flow control hold", async (open) => {
    const page = await open(origin);
    await isOpen(page);
    assert.deepEqual(await said(server, 1), ["WebSocket over HTTP/2.0"]);
    const same = await page.evaluate(async () => {
      const data = new Uint8Array(4 << 20).map((_, i) => (i * 31) ^ (i >> 8));
      const back = new Promise((done) => socket.addEventListener("message", (event) => done(event.data), { once: true }));
      socket.send(data);
      const echo = new Uint8Array(await back);
      return echo.length === data.length && echo.every((byte, i) => byte === data[i]);
    });
    assert(same, "the echo differs");
  });

  await check("many streams at once over one connection, each with its own messages", async (open) => {
    const page = await open(origin);
    await isOpen(page);
    const wrong = await page.evaluate(async () => {
      const talk = (name) => new Promise((done) => {
        const socket = new WebSocket(url);
        let heard = 0;
        socket.onopen = () => socket.send(`${name} 0`);
        socket.onmessage = ({ data }) => {
          if (data !== `${name} ${heard}`) return done(`${name}: ${data}`);
          heard += 1;
          if (heard === 20) socket.close(3001, "done");
          else socket.send(`${name} ${heard}`);
        };
        socket.onclose = ({ code, wasClean }) => done(code === 3001 && wasClean ? null : `${name}: ${code}`);
      });
      const all = await Promise.all(Array.from({ length: 50 }, (_, i) => talk(i)));
      return all.filter((result) => result !== null);
    });
    assert.deepEqual(wrong, []);
    const lines = await said(server, 51);
    assert.deepEqual(new Set(lines), new Set(["WebSocket over HTTP/2.0"]));
    assert.equal(lines.length, 51);
  });

  await check("the client of the example, over HTTP/2", async () => {
    const url = origin.replace("https", "wss") + "echo";
    const { stdout } = await promisify(execFile)(client, [url, "--ca", certificate, "one", "two"], { timeout: PATIENCE });
    assert.deepEqual(stdout.trim().split("\n"), ["one", "two", "closed with 1000 (normal closure), cleanly"]);
    assert.deepEqual(await said(server, 1), ["WebSocket over HTTP/2.0"]);
  });

  await check("the server ends, and tells the page with 1001", async (open) => {
    const page = await open(origin);
    await isOpen(page);
    server.stop();
    await log(page, "closed with 1001");
  });
}, ["--ignore-certificate-errors"]);
