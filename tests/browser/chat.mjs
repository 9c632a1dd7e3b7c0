// Usage: node chat.mjs WORK_DIRECTORY SERVER [ARGUMENT...]
// The chat in several windows, and beside them clients that are no browsers: one that never reads.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";

import { PATIENCE, run, startServer } from "./harness.mjs";

const [work, ...command] = process.argv.slice(2);

let server;

/* What a person does with the page */

async function enter(open, name, room, origin = server.origin) {
  const page = await open(origin);
  await page.fill("#name", name);
  await page.fill("#room", room);
  await page.click("#enter button");
  return page;
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.click("#say button");
}

/** Waits for a line, and for nothing else that has the same text. */
const line = (page, text) =>
  page.waitForFunction(
    (text) => [...document.querySelectorAll("#log li")].filter((line) => line.textContent === text).length === 1,
    text,
    { timeout: PATIENCE },
  );

const log = (page) => page.locator("#log li").allTextContents();
const members = (page, text) =>
  page.waitForFunction((text) => document.getElementById("members").textContent === text, text);

/* A client without a browser */

/** Enters a room over a plain transport; `received` is told of every text. */
async function enterPlain(name, room, received) {
  const { hostname, port, host, origin } = new URL(server.origin);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {}); // the server may end it, and others say whether it should
  socket.write(
    `GET /chat HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  let unread = Buffer.alloc(0);
  let opened = false;
  socket.on("data", (data) => {
    unread = Buffer.concat([unread, data]);
    if (!opened) {
      const end = unread.indexOf("\r\n\r\n");
      if (end < 0) return;
      assert(unread.toString("latin1").startsWith("HTTP/1.1 101 "));
      unread = unread.subarray(end + 4);
      opened = true;
    }
    for (;;) {
      if (unread.length < 2) return;
      const long = unread[1] === 126;
      if (long && unread.length < 4) return;
      const start = long ? 4 : 2;
      const end = start + (long ? unread.readUInt16BE(2) : unread[1]);
      if (unread.length < end) return;
      if (unread[0] === 0x81) received(JSON.parse(unread.toString("utf8", start, end)));
      unread = unread.subarray(end);
    }
  });
  const client = {
    socket,
    send(wish) {
      const payload = Buffer.from(JSON.stringify(wish));
      const key = randomBytes(4);
      const header = payload.length < 126
        ? [0x81, 0x80 | payload.length]
        : [0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff];
      socket.write(Buffer.concat([Buffer.from(header), key, payload.map((byte, i) => byte ^ key[i % 4])]));
    },
  };
  client.send({ type: "join", room, name });
  return client;
}

/** A way to the server that can be cut off on the page's side, so that the server does not know. */
async function startDetour() {
  const { hostname, port } = new URL(server.origin);
  const ways = [];
  const detour = createServer((near) => {
    const far = connect(Number(port), hostname);
    const way = { near, far, heard: "" };
    ways.push(way);
    near.on("data", (data) => far.write(data)).on("error", () => {});
    far.on("data", (data) => {
      way.heard += data.toString("latin1");
      if (!near.destroyed) near.write(data);
    });
    far.on("error", () => {}).on("close", () => near.destroy());
    near.on("end", () => far.end());
  });
  await new Promise((done) => detour.listen(0, hostname, done));
  return {
    origin: `http://${hostname}:${detour.address().port}/`,
    ways,
    stop() {
      detour.close();
      for (const { near, far } of ways) for (const socket of [near, far]) socket.destroy();
    },
  };
}

/** Until something that no event tells is so. */
async function until(condition) {
  const end = Date.now() + PATIENCE;
  while (!condition()) {
    assert(Date.now() < end, `never: ${condition}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/* The checks, each in rooms of its own: the server may not know yet that the pages of the one before are gone. */

async function checks(check) {
  await check("two windows talk to each other", async (open) => {
    const ann = await enter(open, "Ann", "tea1");
    await line(ann, "You are in tea1.");
    const bob = await enter(open, "Bob", "tea1");
    await line(bob, "You are in tea1.");
    await line(ann, "Bob has come.");
    await members(ann, "Here: Ann, Bob");
    await members(bob, "Here: Ann, Bob");
    await say(ann, "Hello, Bob!");
    await line(bob, "Ann: Hello, Bob!");
    await say(bob, "你好，Ann 👋🏽");
    for (const page of [ann, bob]) await line(page, "Bob: 你好，Ann 👋🏽");
    assert.deepEqual(await log(ann), [
      "You are in tea1.", "Bob has come.", "Ann: Hello, Bob!", "Bob: 你好，Ann 👋🏽",
    ]);
  });

  await check("another room hears nothing of it", async (open) => {
    const ann = await enter(open, "Ann", "tea2");
    const eve = await enter(open, "Ann", "coffee2");
    await line(eve, "You are in coffee2.");
    const bob = await enter(open, "Bob", "tea2");
    await line(bob, "You are in tea2.");
    await say(bob, "for tea only");
    await line(ann, "Bob: for tea only");
    await say(eve, "for coffee only");
    await line(eve, "Ann: for coffee only");
    assert.deepEqual(await log(eve), ["You are in coffee2.", "Ann: for coffee only"]);
    assert(!(await log(ann)).includes("Ann: for coffee only"));
  });

  await check("who leaves is announced", async (open) => {
    const ann = await enter(open, "Ann", "tea3");
    await line(ann, "You are in tea3.");
    const bob = await enter(open, "Bob", "tea3");
    await line(ann, "Bob has come.");
    await bob.close();
    await line(ann, "Bob has left.");
    await members(ann, "Here: Ann");
    // And the name is free again.
    const other = await enter(open, "Bob", "tea3");
    await line(other, "You are in tea3.");
  });

  await check("a name that is taken is refused", async (open) => {
    const ann = await enter(open, "Ann", "tea4");
    await line(ann, "You are in tea4.");
    const other = await enter(open, "Ann", "tea4");
    await other.waitForFunction(() => document.getElementById("status").textContent.includes("has that name"));
    assert.deepEqual(await log(other), []);
    await other.fill("#name", "Anna");
    await other.click("#enter button");
    await line(other, "You are in tea4.");
    await line(ann, "Anna has come.");
  });

  await check("markup is shown as it is", async (open) => {
    const text = "<img src=x onerror=alert(1)><b>bold</b> &amp; \"quoted\"";
    const ann = await enter(open, "<i>Ann</i>", "tea5");
    await line(ann, "You are in tea5.");
    const bob = await enter(open, "Bob", "tea5");
    await line(bob, "You are in tea5.");
    await say(ann, text);
    await line(bob, `<i>Ann</i>: ${text}`);
    assert.equal(await bob.locator("#log img, #log i").count(), 0);
  });

  await check("a reader that is too slow is dropped, and nobody waits for it", async (open) => {
    const ann = await enter(open, "Ann", "flood");
    await line(ann, "You are in flood.");
    const slow = await enterPlain("Slow", "flood", () => {});
    await line(ann, "Slow has come.");
    slow.socket.pause();

    // Somebody says so much that no buffer on the way to a client that reads nothing holds it.
    let heard = 0;
    let left = false;
    let wake = () => {};
    const loud = await enterPlain("Loud", "flood", (notice) => {
      if (notice.type === "said" && notice.name === "Loud") heard += 1;
      if (notice.type === "left" && notice.name === "Slow") left = true;
      wake();
    });
    const text = "x".repeat(2000);
    let sent = 0;
    for (; !left && sent < 50_000; ) {
      for (let i = 0; i < 50; i++, sent++) loud.send({ type: "say", text });
      // Who says more than it hears would be too slow itself.
      while (heard < sent) await new Promise((done) => { wake = done; });
    }
    // Its Close, unread like all else, is waited for until a deadline: the flood may be over long before.
    await until(() => left);
    assert.equal(heard, sent);
    await members(ann, "Here: Ann, Loud");
    await say(ann, "still here");
    await line(ann, "Ann: still here");
    loud.socket.destroy();
    await line(ann, "Loud has left.");
    slow.socket.destroy();
  });

  await check("enters once, however often that is asked for", async (open) => {
    const ann = await open(server.origin);
    await ann.fill("#name", "Ann");
    await ann.fill("#room", "tea8");
    await ann.evaluate(() => {
      const button = document.querySelector("#enter button");
      for (let i = 0; i < 3; i++) button.click();
    });
    await line(ann, "You are in tea8.");
    await say(ann, "here");
    await line(ann, "Ann: here");
    assert.equal(await ann.locator("#status").textContent(), "");
  });

  await check("comes back though the server still has the old connection", async (open) => {
    const detour = await startDetour();
    try {
      const ann = await enter(open, "Ann", "tea9", detour.origin);
      await line(ann, "You are in tea9.");
      const old = detour.ways.find((way) => way.heard.includes('"type":"welcome"'));
      old.near.destroy();
      await until(() => detour.ways.some((way) => way.heard.includes("has that name")));
      old.far.destroy();
      await ann.waitForFunction(() =>
        [...document.querySelectorAll("#log li")].filter((line) => line.textContent === "You are in tea9.").length === 2);
      await say(ann, "back");
      await line(ann, "Ann: back");
    } finally {
      detour.stop();
    }
  });

  await check("comes back when the server does", async (open) => {
    const ann = await enter(open, "Ann", "tea7");
    await line(ann, "You are in tea7.");
    const { port, hostname } = new URL(server.origin);
    server.stop();
    await ann.waitForFunction(() => document.getElementById("status").textContent.startsWith("No connection"));
    const before = command.slice(0, -1);
    server = await startServer([...before, `${hostname}:${port}`]);
    await ann.waitForFunction(() =>
      [...document.querySelectorAll("#log li")].filter((line) => line.textContent === "You are in tea7.").length === 2);
    await say(ann, "back");
    await line(ann, "Ann: back");
  }, { complaint: /^WebSocket connection to '.*\/chat' failed/ });

  await check("the server is still running", async () => server.assertRunning());
}

await run(work, async (check) => {
  server = await startServer(command);
  await checks(check);
  server.stop();
});
