// What the checks in Chromium share: a server that is started and ended, a browser, and a count of what passed.
// Nothing waits for a time: timeouts only bound a failure.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

export const PATIENCE = 30_000; // ms for one condition
const WATCHDOG = 600_000; // ms for the whole run

const servers = new Set();
process.on("exit", () => servers.forEach((server) => server.kill()));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Starts a server, which prints `listening on http://HOST:PORT/` first; `said` gets its further lines. */
export async function startServer([command, ...args]) {
  const server = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  servers.add(server);
  const lines = createInterface(server.stdout);
  const first = await new Promise((done, fail) => {
    lines.once("line", done);
    server.once("error", fail);
    server.once("exit", (code) => fail(new Error(`the server ended with ${code} before it listened`)));
    setTimeout(() => fail(new Error("the server said nothing")), PATIENCE).unref();
  });
  const listening = /^listening on (https?:\/\/\S+\/)$/.exec(first);
  assert(listening, `unexpected first line: ${first}`);
  const said = [];
  lines.on("line", (line) => said.push(line));
  return {
    origin: listening[1],
    said,
    stop() {
      servers.delete(server);
      server.kill();
    },
    assertRunning() {
      assert.equal(server.exitCode, null);
      assert.equal(server.signalCode, null);
    },
  };
}

/** Checks in a browser of its own, each with pages of its own; ends the process with what came of them. */
export async function run(workDirectory, checks, launchOptions = []) {
  const work = resolve(workDirectory);
  const { chromium } = createRequire(join(work, "package.json"))("playwright-core");
  for (let i = 1; i < 100; i++) rmSync(join(work, i === 1 ? "failure.png" : `failure-${i}.png`), { force: true });
  let passed = 0;
  let failed = 0;
  setTimeout(() => {
    console.log(`FAIL the run took longer than ${WATCHDOG / 1000} s`);
    console.log(`${passed} passed, ${failed + 1} failed`);
    process.exit(1);
  }, WATCHDOG).unref();

  let browser;

  /** Runs one check with a function that opens pages. `complaint` is the only console error it may cause. */
  async function check(name, body, { complaint, ...options } = {}) {
    const contexts = [];
    const pages = [];
    async function open(url, prepare) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      contexts.push(context);
      const page = await context.newPage();
      pages.push(page);
      page.setDefaultTimeout(PATIENCE);
      page.complaints = [];
      page.requested = [];
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") page.complaints.push(message.text());
      });
      page.on("pageerror", (error) => page.complaints.push(String(error)));
      page.on("request", (request) => page.requested.push(request.url()));
      await prepare?.(page);
      await page.goto(url);
      return page;
    }
    try {
      await body(open);
      const unexpected = pages.flatMap((page) => page.complaints).filter((text) => !complaint?.test(text));
      assert.deepEqual(unexpected, [], "errors in the console");
      passed += 1;
      console.log(`ok   ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${String(error.stack ?? error).replace(/^/gm, "     ")}`);
      for (const page of pages) {
        const path = join(work, failed === 1 ? "failure.png" : `failure-${failed}.png`);
        try {
          await page.screenshot({ path, fullPage: true });
          console.log(`     screenshot: ${path}`);
        } catch (why) {
          console.log(`     no screenshot: ${why}`);
        }
      }
    } finally {
      for (const context of contexts) await context.close().catch(() => {});
    }
  }

  try {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", ...launchOptions,
      ],
    });
    await checks(check);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${error.stack ?? error}`);
  }
  await browser?.close().catch(() => {});
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
