// What the Node suites share: checks, the programs under test, and ws connections to them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { inspect, isDeepStrictEqual } from 'node:util';

const { WebSocket, WebSocketServer } = createRequire(`${process.env.CLIENTS_NODE}/`)('ws');

export const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url)));

// No check waits for time to pass. A check that is not through by then has failed.
const BOUND_MS = 60_000;

// Checks

const cleanups = [];

async function cleanUp(from) {
  for (const cleanup of cleanups.splice(from).reverse()) await cleanup();
}

async function bounded(promise) {
  let timer;
  const bound = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still waiting after ${BOUND_MS} ms`)), BOUND_MS);
  });
  try {
    return await Promise.race([promise, bound]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `body(check)` and ends the process; `check(title, body)` runs one check and prints its line. */
export async function suite(name, body) {
  let failed = false;
  const fail = (title, error) => {
    failed = true;
    console.log(`not ok ${name}: ${title}\n${(error.stack ?? String(error)).replace(/^/gm, '    ')}`);
  };
  const check = async (title, body) => {
    const start = cleanups.length;
    try {
      await bounded(body());
      console.log(`ok ${name}: ${title}`);
    } catch (error) {
      fail(title, error);
    }
    await cleanUp(start);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => cleanUp(0).then(() => process.exit(1)));
  try {
    await body(check);
  } catch (error) {
    fail('the suite runs to its end', error);
  }
  await cleanUp(0);
  process.exit(failed ? 1 : 0);
}

/** Like `assert.deepEqual`, with an error message that stays short when the values are long. */
export function assertSame(actual, expected) {
  const brief = (value) => inspect(value, { maxStringLength: 80, maxArrayLength: 20 });
  assert.ok(isDeepStrictEqual(actual, expected), `${brief(actual)} instead of ${brief(expected)}`);
}

/** Things that happened and have not been asked for yet. */
class Queue {
  #items = [];
  #waiting = [];
  #ended = false;

  push(item) {
    if (this.#waiting.length > 0) this.#waiting.shift()(item);
    else this.#items.push(item);
  }

  end() {
    this.#ended = true;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  /** The next item; undefined when there will be none. */
  async next() {
    if (this.#items.length > 0) return this.#items.shift();
    if (this.#ended) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

// The programs under test

/** A running program; stopped when the check that started it is over. */
class Program {
  #child;
  #lines = new Queue();
  errors = [];

  constructor(path, args) {
    this.#child = spawn(path, args);
    this.#child.stdin.on('error', () => {}); // The program may be gone already.
    createInterface({ input: this.#child.stdout })
      .on('line', (line) => this.#lines.push(line))
      .on('close', () => this.#lines.end());
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.errors.push(line));
    this.exit = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message)); // It could not be started.
      this.#child.on('close', (status, signal) => resolve(status ?? signal));
    });
    cleanups.push(() => {
      this.#child.kill('SIGKILL');
      return this.exit;
    });
  }

  write(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  endInput() {
    this.#child.stdin.end();
  }

  /** The next line of standard output. */
  async line() {
    const line = await this.#lines.next();
    if (line === undefined) throw await this.#ended('while it should have printed a line');
    return line;
  }

  /** The lines not asked for yet, once the program has ended with this exit status. */
  async ends(status) {
    const lines = [];
    for (let line; (line = await this.#lines.next()) !== undefined; ) lines.push(line);
    if ((await this.exit) !== status) throw await this.#ended(`instead of ${status} after ${JSON.stringify(lines)}`);
    return lines;
  }

  /** Fails as soon as the program ends before the promise is settled. */
  async outlives(promise) {
    const early = this.exit.then(async () => {
      throw await this.#ended('too early');
    });
    return Promise.race([promise, early]);
  }

  async #ended(circumstance) {
    return new Error(`the program ended with ${await this.exit} ${circumstance}; ${this.errors.join('\n')}`);
  }
}

/** Our echo server on a free port: its address without the scheme. */
export async function startServer(...flags) {
  const server = new Program(process.env.ECHO_SERVER, [...flags, '127.0.0.1:0']);
  const line = await bounded(server.line());
  const [, address] = /^listening on http:\/\/(127\.0\.0\.1:\d+)\/$/.exec(line) ?? assert.fail(`first line: ${line}`);
  return address;
}

export function startClient(...args) {
  return new Program(process.env.CLIENT, args);
}

// Connections

/** A connection of ws, on either side, with its events kept until a check asks for them. */
class Connection {
  #messages = new Queue();
  #pongs = new Queue();
  #closed;

  constructor(ws) {
    this.ws = ws;
    ws.on('error', () => {}); // What went wrong is told by `closed`, or by `connect`.
    ws.on('message', (data, isBinary) => this.#messages.push(isBinary ? data : data.toString()));
    ws.on('pong', (data) => this.#pongs.push(data.toString()));
    this.#closed = new Promise((resolve) => {
      ws.addEventListener('close', ({ code, reason, wasClean }) => {
        this.#messages.end();
        this.#pongs.end();
        resolve({ code, reason, clean: wasClean });
      });
    });
    cleanups.push(() => ws.terminate());
  }

  /** The next message: a string for text, a Buffer for binary. */
  message() {
    return this.#next(this.#messages);
  }

  pong() {
    return this.#next(this.#pongs);
  }

  /** What the library reports at the end, which must be the next thing to come. */
  async closed() {
    const message = await this.#messages.next();
    if (message !== undefined) assert.fail(`a message instead of the end: ${inspect(message)}`);
    return this.#closed;
  }

  /** Sends a message in fragments. */
  sendFragments(fragments, { binary }) {
    fragments.forEach((fragment, i) => this.ws.send(fragment, { binary, fin: i === fragments.length - 1 }));
  }

  /** Sends bytes (in hex) past the library. */
  sendRaw(hex) {
    this.socket.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  }

  async #next(queue) {
    const item = await queue.next();
    if (item === undefined) assert.fail(`the connection ended: ${JSON.stringify(await this.#closed)}`);
    return item;
  }
}

/** Connects ws, with its default offer of permessage-deflate, to our server. */
export async function connect(url, protocols = [], options = {}) {
  let offer;
  let response;
  const ws = new WebSocket(url, protocols, {
    closeTimeout: BOUND_MS,
    finishRequest(request) {
      offer = request.getHeader('Sec-WebSocket-Extensions');
      request.end();
    },
    ...options,
  });
  ws.once('upgrade', (head) => (response = head));
  const connection = new Connection(ws);
  await once(ws, 'open');
  connection.socket = response.socket;
  assert.match(offer, /permessage-deflate/);
  assertCompression(ws, response.headers);
  return connection;
}

/** The status and the headers with which our server refuses ws. */
export async function refusal(url, options = {}) {
  const ws = new WebSocket(url, options);
  ws.on('error', () => {});
  cleanups.push(() => ws.terminate());
  const [, { statusCode, headers }] = await once(ws, 'unexpected-response');
  return { status: statusCode, headers };
}

/** A server of ws, willing to compress, on a free port; `connections` queues what was accepted. */
export async function serve(options = {}) {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: true,
    closeTimeout: BOUND_MS,
    ...options,
  });
  cleanups.push(() => server.close());
  const connections = new Queue();
  server.on('connection', (ws, request) => {
    const connection = new Connection(ws);
    connection.socket = request.socket;
    connection.request = request;
    connections.push(connection);
  });
  await once(server, 'listening');
  return { server, connections, url: `ws://127.0.0.1:${server.address().port}/` };
}

/** A server of ws and our client (started with `args`), connected and past its `open` line. */
export async function pair(args = [], options = {}) {
  const { connections, url } = await serve(options);
  const client = startClient(...args, url);
  const connection = await client.outlives(connections.next());
  assertCompression(connection.ws, connection.request.headers);
  return { connection, client };
}

// sockless speaks no permessage-deflate: as a server it declines it, as a client it does not offer it.
function assertCompression(ws, ourHeaders) {
  assert.equal(ws.extensions, '');
  assert.equal(ourHeaders['sec-websocket-extensions'], undefined);
}
