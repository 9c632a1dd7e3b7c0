// Usage: node echo.mjs WORK_DIRECTORY SERVER [ARGUMENT...]
// The page of the echo server: once as the command says, once with `--deflate`. Every check has a page of its own.
import assert from "node:assert/strict";

import { PATIENCE, run, startServer } from "./harness.mjs";

const [work, ...command] = process.argv.slice(2);

let server;
let origin;
let said; // the server's lines after the first
let deflate; // whether it accepts compression, which Chromium always offers

/** Keeps the sockets of a page and what they received, for comparisons inside the page. */
function recordSockets() {
  window.sockets = [];
  window.received = [];
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      window.sockets.push(this);
      this.addEventListener("message", ({ data }) => window.received.push(data));
    }
  };
}

/* What a person does with the page */

const entries = (page, kind) => page.locator(`#log li[data-kind="${kind}"]`);

/** Waits until the log has `count` entries of a kind, and returns the last one as text and data. */
async function logged(page, kind, count) {
  await page.waitForFunction(
    ([kind, count]) => document.querySelectorAll(`#log li[data-kind="${kind}"]`).length >= count,
    [kind, count],
  );
  const all = entries(page, kind);
  assert.equal(await all.count(), count, `${kind} entries`);
  return all.last().evaluate((entry) => ({
    ...entry.dataset,
    about: entry.querySelector(".about").textContent,
    body: entry.querySelector(".body")?.textContent ?? "",
  }));
}

/** Waits for something that the server prints. */
async function eventually(condition, what) {
  for (const deadline = Date.now() + PATIENCE; !condition(); ) {
    assert(Date.now() < deadline, `${what} is missing`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

const state = (page, name) =>
  page.waitForFunction((name) => document.getElementById("state").textContent === name, name);

const text = (page, id) => page.locator(`#${id}`).textContent();

/** Connects, and waits for the greeting that this server sends first. */
async function connect(page, { path = "/", protocol = "" } = {}) {
  await page.fill("#url", origin.replace("http", "ws").replace(/\/$/, path));
  await page.fill("#protocol", protocol);
  await page.click("#connect");
  await logged(page, "open", 1);
  const agreed = await page.evaluate(() => window.sockets.at(-1).extensions);
  assert.match(agreed, deflate ? /^permessage-deflate\b/ : /^$/);
  assert.equal(await text(page, "extensions"), agreed || "none");
  return logged(page, "message", 1);
}

/** Sends a text and returns the log entry of its echo. */
async function echo(page, message) {
  const before = await entries(page, "message").count();
  await page.fill("#text", message);
  await page.click("#send");
  const entry = await logged(page, "message", before + 1);
  assert.equal(await page.evaluate(() => window.received.at(-1)), message);
  return entry;
}

/** The bits that the drawing shows for each field, and the names it writes beside them. */
function drawing(page) {
  return page.evaluate(() => {
    const bits = {};
    for (const cell of document.querySelectorAll("#frame .cell[data-field]")) {
      const shown = Array.from(cell.querySelectorAll(".bit"), (bit) => bit.textContent).join("");
      bits[cell.dataset.field] = (bits[cell.dataset.field] ?? "") + shown;
    }
    return { bits, text: document.getElementById("frame").innerText };
  });
}

const bitsOf = (number, width) => BigInt(number).toString(2).padStart(width, "0");
const bitsOfBytes = (bytes) => Array.from(bytes, (byte) => bitsOf(byte, 8)).join("");
const bothWays = { fin: "1", rsv1: "0", rsv2: "0", rsv3: "0" };

/** Elements that reach past the right edge, other than inside something that scrolls by itself. */
function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const wide = [];
    if (document.documentElement.scrollWidth > width) wide.push(`page: ${document.documentElement.scrollWidth} > ${width}`);
    for (const element of document.querySelectorAll("body *")) {
      const { left, right } = element.getBoundingClientRect();
      const name = `${element.tagName} #${element.id} .${element.className}`;
      if (right > width + 0.5 || left < -1.5) wide.push(`${name}: ${left} to ${right}`);
      const hides = !["INPUT", "TEXTAREA"].includes(element.tagName) && element.clientWidth > 0;
      if (hides && element.scrollWidth > element.clientWidth + 1) wide.push(`${name}: ${element.scrollWidth} in ${element.clientWidth}`);
    }
    return wide;
  });
}

/* The checks */

async function checks(check) {
  await check("the page is one file and asks for nothing else", async (page) => {
    assert.deepEqual(page.requested.filter((url) => !url.startsWith("data:")), [origin]);
    assert.equal(await page.inputValue("#url"), origin.replace("http", "ws"));
    assert.equal(await text(page, "state"), "none");
    assert.equal(await text(page, "buffered"), "0");
  });

  await check("every control has a label", async (page) => {
    const nameless = await page.evaluate(() => Array.from(document.querySelectorAll("input, textarea, button"))
      .filter((control) => !(control.labels.length || control.textContent.trim()))
      .map((control) => control.outerHTML));
    assert.deepEqual(nameless, []);
    assert.equal(await page.getAttribute("#log", "role"), "log");
    assert.equal(await page.getAttribute("#log", "aria-live"), "polite");
  });

  await check("connects with a subprotocol and receives the greeting", async (page) => {
    const greeting = await connect(page, { protocol: "other, echo" });
    await state(page, "OPEN");
    assert.equal(await text(page, "agreed"), "echo");
    assert.equal(await page.evaluate(() => window.sockets[0].protocol), "echo");
    assert.equal(greeting.type, "text");
    assert.notEqual(greeting.body, "");
    assert.equal(greeting.body, await page.evaluate(() => window.received[0]));
  });

  await check("connects without a subprotocol", async (page) => {
    await connect(page);
    assert.equal(await text(page, "agreed"), "none");
    assert.equal(await page.evaluate(() => window.sockets[0].protocol), "");
  });

  for (const [name, message] of [
    ["ASCII", "Hello, echo!"],
    ["Chinese", "你好，世界。千里之行，始于足下。"],
    ["emoji", "👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈"],
    ["two lines and markup", "<b>not bold</b>\n&amp; \"quoted\""],
    ["an empty text", ""],
  ]) {
    await check(`echoes ${name}`, async (page) => {
      await connect(page, { protocol: "echo" });
      const entry = await echo(page, message);
      assert.equal(entry.type, "text");
      assert.equal(entry.body, message);
      assert(entry.about.includes(`${Buffer.byteLength(message)} bytes`), entry.about);
    });
  }

  await check("echoes a long text and abbreviates it in the log", async (page) => {
    await connect(page);
    const message = "0123456789".repeat(10_000);
    const entry = await echo(page, message);
    assert(entry.body.length < 1000 && message.startsWith(entry.body.replace(/ …$/, "")), entry.body);
    assert(entry.about.includes("100,000 bytes"), entry.about);
  });

  await check(deflate ? "sends and receives compressed" : "sends and receives uncompressed", async (page) => {
    await connect(page);
    const before = said.length;
    for (let i = 0; i < 5; i++) await echo(page, "compressible, ".repeat(100 + i));
    assert.equal(await page.locator("#frame-deflate").isVisible(), deflate);
    await page.click("#disconnect");
    await logged(page, "close", 1);
    // What the page sent was logged before it was echoed, so all of it was printed before the Close.
    await eventually(() => said.slice(before).some((line) => /closed 1000\b/.test(line)), "the end in the server's log");
    const log = said.slice(before);
    assert.equal(log.filter((line) => line.trim() === "compressed").length, deflate ? 5 : 0);
    assert.equal(log.filter((line) => line.includes("RSV 100  opcode 0x1")).length, deflate ? 5 : 0);
    assert.equal(log.filter((line) => line.includes("compressible, ")).length, deflate ? 0 : 5);
  });

  await check("works from the keyboard alone", async (page) => {
    await page.focus("#url");
    await page.keyboard.press("Enter");
    await logged(page, "message", 1);
    await page.focus("#text");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    assert.equal((await logged(page, "message", 2)).body, "one\ntwo");
    await page.focus("#reason");
    await page.keyboard.press("Enter");
    assert.equal((await logged(page, "close", 1)).code, "1000");
  });

  await check("echoes a binary file of 1 MiB byte for byte", async (page) => {
    await connect(page, { protocol: "echo" });
    const buffer = Buffer.alloc(1 << 20);
    for (let i = 0, x = 1; i < buffer.length; i++) buffer[i] = (x = Math.imul(x, 1664525) + 1013904223) >>> 24;
    await page.setInputFiles("#file", { name: "random.bin", mimeType: "application/octet-stream", buffer });
    assert.equal(await text(page, "file-size"), "1 MiB (1,048,576 bytes)");
    await page.click("#send-file");
    const entry = await logged(page, "message", 2);
    assert.equal(entry.type, "binary");
    assert(entry.about.includes("1 MiB (1,048,576 bytes)"), entry.about);
    assert(entry.body.startsWith(buffer.subarray(0, 4).toString("hex").replace(/..\B/g, "$& ")), entry.body);
    const same = await page.evaluate(async () => {
      const sent = new Uint8Array(await document.getElementById("file").files[0].arrayBuffer());
      const back = new Uint8Array(window.received.at(-1));
      return sent.length === back.length && sent.every((byte, i) => byte === back[i]);
    });
    assert(same, "the echo differs from the file");
    await page.waitForFunction(() => document.getElementById("buffered").textContent === "0");
    const { bits } = await drawing(page);
    const { payload, ...header } = bits;
    assert.deepEqual(header, {
      ...bothWays, opcode: "0010", mask: "0", length: "1111111", "extended-length": bitsOf(1 << 20, 64),
    });
    assert.equal(payload, bitsOfBytes(buffer).slice(0, payload.length));
  });

  await check("closes with a code and a reason", async (page) => {
    await connect(page, { protocol: "echo" });
    await page.fill("#code", "3001");
    await page.fill("#reason", "done");
    await page.click("#disconnect");
    const { code, reason, wasClean, about } = await logged(page, "close", 1);
    assert.deepEqual({ code, wasClean }, { code: "3001", wasClean: "true" });
    // A peer answers with the same code; whether it repeats the reason is its own choice.
    assert(["", "done"].includes(reason), reason);
    assert.match(about, /3001.*wasClean true/);
    const { bits } = await drawing(page);
    assert.equal(bits.opcode, "1000");
    assert.equal(bits.status, bitsOf(3001, 16));
    await state(page, "CLOSED");
  });

  await check("closes without a code", async (page) => {
    await connect(page);
    await page.fill("#code", "");
    await page.click("#disconnect");
    const { code, reason, wasClean } = await logged(page, "close", 1);
    assert.deepEqual({ code, reason, wasClean }, { code: "1005", reason: "", wasClean: "true" });
    assert.equal((await drawing(page)).bits.length, "0000000");
  });

  await check("sees the server close with a code and a reason", async (page) => {
    await connect(page, { path: "/close/4001/bye" });
    const { code, reason, wasClean, about, body } = await logged(page, "close", 1);
    assert.deepEqual({ code, reason, wasClean }, { code: "4001", reason: "bye", wasClean: "true" });
    assert.match(about, /4001.*wasClean true/);
    assert.equal(body, "bye");
    assert.deepEqual((await drawing(page)).bits, {
      ...bothWays, opcode: "1000", mask: "0", length: bitsOf(5, 7), status: bitsOf(4001, 16), payload: bitsOfBytes(Buffer.from("bye")),
    });
    await state(page, "CLOSED");
  });

  await check("sees a refused connection as error and close", async (page) => {
    const complaint = page.waitForEvent("console", { predicate: (message) => /403/.test(message.text()) });
    complaint.catch(() => {}); // awaited below, unless something else fails first
    await page.click('[data-path="/refuse"]');
    await page.click("#connect");
    const { code, reason, wasClean } = await logged(page, "close", 1);
    assert.deepEqual({ code, reason, wasClean }, { code: "1006", reason: "", wasClean: "false" });
    await logged(page, "error", 1);
    assert.equal(await entries(page, "open").count(), 0);
    assert.equal(await page.locator("#frame .cell").count(), 0, "no Close frame arrived, so none is drawn");
    await complaint;
    await state(page, "CLOSED");
  }, { complaint: /^WebSocket connection to '.*\/refuse' failed: .*403/ });

  await check("connects again after a close", async (page) => {
    await connect(page);
    await page.click("#disconnect");
    await logged(page, "close", 1);
    await page.click("#connect");
    await logged(page, "open", 2);
    await logged(page, "message", 2);
    await echo(page, "again");
  });

  await check("draws the bits of a received frame", async (page) => {
    await connect(page);
    for (const [message, length, extended] of [
      ["Hello", 5],
      ["x".repeat(125), 125],
      ["x".repeat(126), 126, bitsOf(126, 16)],
      ["x".repeat(65_535), 126, bitsOf(65_535, 16)],
      ["x".repeat(65_536), 127, bitsOf(65_536, 64)],
    ]) {
      await echo(page, message);
      const { payload, ...header } = (await drawing(page)).bits;
      assert.deepEqual(header, {
        ...bothWays, opcode: "0001", mask: "0", length: bitsOf(length, 7), ...(extended && { "extended-length": extended }),
      });
      assert.equal(payload, bitsOfBytes(Buffer.from(message)).slice(0, payload.length));
    }
    await echo(page, "é");
    const { bits, text: shown } = await drawing(page);
    assert.equal(bits.payload, "1100001110101001");
    assert.match(shown, /c3\s*é/);
    assert.match(shown, /^Received: text frame, 2 bytes of header and 2 bytes of payload\.$/m);
  });

  await check("draws the bits of a sent frame, masked with an unknown key", async (page) => {
    await connect(page);
    await echo(page, "Hello");
    await entries(page, "send").last().getByRole("button").click();
    const { bits, text: shown } = await drawing(page);
    assert.deepEqual(bits, {
      ...bothWays, opcode: "0001", mask: "1", length: bitsOf(5, 7), key: "?".repeat(32), payload: "?".repeat(40),
    });
    assert.match(shown, /^Sent: text frame, 6 bytes of header and 5 bytes of payload\.$/m);
    assert.match(shown, /48\s*H/);
  });

  await check("folds the drawing to 16 bits on a narrow screen", async (page) => {
    await connect(page);
    await echo(page, "Hello");
    const wide = await drawing(page);
    assert.equal(await page.locator("#frame .ruler").count(), 32);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.waitForFunction(() => document.querySelectorAll("#frame .ruler").length === 16);
    assert.deepEqual((await drawing(page)).bits, wide.bits);
  });

  await check("shows bad input as errors", async (page) => {
    let errors = 0;
    const complain = async (pattern) => assert.match((await logged(page, "error", ++errors)).about, pattern);
    const url = await page.inputValue("#url");
    for (const bad of ["ws://", "ws://[1]/", "ftp://localhost/", `${url}#fragment`]) {
      await page.fill("#url", bad);
      await page.click("#connect");
      await complain(/^SyntaxError: /);
    }
    await page.fill("#url", url);
    for (const bad of ["two words", "echo, echo", "echo,,other"]) {
      await page.fill("#protocol", bad);
      await page.click("#connect");
      await complain(/^SyntaxError: /);
    }
    assert.equal(await text(page, "state"), "none");
    await page.fill("#protocol", "");
    await page.click("#connect");
    await logged(page, "message", 1);
    for (const [code, reason, pattern] of [
      ["1001", "", /^InvalidAccessError: /],
      ["5000", "", /^InvalidAccessError: /],
      ["99999", "", /^InvalidAccessError: /],
      ["abc", "", /^TypeError: /],
      ["3000.5", "", /^TypeError: /],
      ["", "a reason alone", /^TypeError: /],
      ["3001", "字".repeat(42), /^SyntaxError: /],
    ]) {
      await page.fill("#code", code);
      await page.fill("#reason", reason);
      await page.click("#disconnect");
      await complain(pattern);
      assert.equal(await text(page, "state"), "OPEN");
    }
    await page.click("#send-file");
    await complain(/file/);
    await page.fill("#code", "3001");
    await page.fill("#reason", "字".repeat(41));
    await page.click("#disconnect");
    await logged(page, "close", 1);
  });

  await check("says so when there is no connection to use", async (page) => {
    await page.focus("#text");
    await page.keyboard.press("Enter");
    await logged(page, "error", 1);
    await page.focus("#code");
    await page.keyboard.press("Enter");
    await logged(page, "error", 2);
    assert.equal(await page.getAttribute("#send", "aria-disabled"), "true");
    assert.equal(await page.getAttribute("#disconnect", "aria-disabled"), "true");
    await connect(page);
    assert.equal(await page.getAttribute("#send", "aria-disabled"), "false");
    assert.equal(await page.getAttribute("#connect", "aria-disabled"), "true");
    await page.focus("#url");
    await page.keyboard.press("Enter");
    await logged(page, "error", 3);
  });

  await check("keeps the newest entry in view, and clears the log", async (page) => {
    await connect(page);
    for (let i = 0; i < 10; i++) await echo(page, `message ${i}`);
    assert(await page.locator("#log li").last().evaluate((entry) => {
      const view = document.getElementById("log").getBoundingClientRect();
      const { top, bottom } = entry.getBoundingClientRect();
      return top >= view.top && bottom <= view.bottom + 1;
    }), "the last entry is out of view");
    await page.click("#clear");
    assert.equal(await page.locator("#log li").count(), 0);
    await echo(page, "after clearing");
  });

  // The layout is the same with and without compression.
  for (const colorScheme of deflate ? [] : ["light", "dark"]) {
    for (const [name, width, height] of [["small phone", 320, 568], ["phone", 390, 844], ["tablet", 820, 1180], ["desktop", 1280, 800]]) {
      await check(`fits a ${name} of ${width} pixels, ${colorScheme}`, async (page) => {
        assert.deepEqual(await overflow(page), []);
        await connect(page, { protocol: "echo" });
        await echo(page, "x".repeat(300));
        await echo(page, "字".repeat(30_000));
        assert.deepEqual(await overflow(page), []);
        await entries(page, "send").last().getByRole("button").click();
        assert.deepEqual(await overflow(page), []);
        await page.fill("#code", "1001");
        await page.click("#disconnect");
        await logged(page, "error", 1);
        await page.fill("#code", "4999");
        await page.fill("#reason", "r".repeat(123));
        await page.click("#disconnect");
        await logged(page, "close", 1);
        assert.deepEqual(await overflow(page), []);
        const channels = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
        const bright = channels.slice(0, 3).every((channel) => channel > 127);
        assert.equal(bright, colorScheme === "light", `background ${channels}`);
      }, { colorScheme, viewport: { width, height } });
    }
  }

  await check("the server is still running", async () => {
    server.assertRunning();
  });
}

await run(work, async (checkPages) => {
  const check = (title, body, options) => checkPages(
    deflate ? `--deflate: ${title}` : title,
    async (open) => body(await open(origin, (page) => page.addInitScript(recordSockets))),
    options,
  );
  for (deflate of [false, true]) {
    server = await startServer(deflate ? [...command, "--deflate"] : command);
    ({ origin, said } = server);
    await checks(check);
    server.stop();
  }
});
