// What the Node suites share: checks, the programs under test, and ws connections to them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { inspect, isDeepStrictEqual } from 'node:util';

const { WebSocket, WebSocketServer } = createRequire(`${process.env.CLIENTS_NODE}/`)('ws');

export const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url)));

/** Whether our side is built with compression and asked for it, or built without. */
export const deflate = process.env.DEFLATE === '1';
const EXTENSION = 'permessage-deflate';

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

// No deadline of ours passes before BOUND_MS, and no Ping of ours comes among what a check waits for.
const PATIENT = ['--timeout', '600'];

// The option of this run, unless a check has chosen another.
function withOption(args) {
  const chosen = args.some((arg) => arg.startsWith('--deflate'));
  return [...PATIENT, ...(deflate && !chosen ? ['--deflate'] : []), ...args];
}

/** Our echo server on a free port: its address without the scheme. */
export async function startServer(...flags) {
  return (await startLogging(...flags)).address;
}

/** The same, and the program, whose lines tell what it sees. */
export async function startLogging(...flags) {
  const server = new Program(process.env.ECHO_SERVER, [...withOption(flags), '127.0.0.1:0']);
  const line = await bounded(server.line());
  const [, address] = /^listening on http:\/\/(127\.0\.0\.1:\d+)\/$/.exec(line) ?? assert.fail(`first line: ${line}`);
  return { address, server };
}

export function startClient(...args) {
  return new Program(process.env.CLIENT, withOption(args));
}

/** What our client prints first. */
export function openLine(subprotocol) {
  return `open${subprotocol ? ` subprotocol=${subprotocol}` : ''}${deflate ? ` extensions=${EXTENSION}` : ''}`;
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
  connection.answer = response.headers['sec-websocket-extensions'];
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
  const answers = new Map();
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: true,
    closeTimeout: BOUND_MS,
    ...options,
  });
  cleanups.push(() => server.close());
  const connections = new Queue();
  server.on('headers', (headers, request) => {
    const line = headers.find((line) => line.startsWith('Sec-WebSocket-Extensions: '));
    answers.set(request, line?.slice(line.indexOf(' ') + 1));
  });
  server.on('connection', (ws, request) => {
    const connection = new Connection(ws);
    connection.answer = answers.get(request);
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

// Without the option our server declines compression and our client does not offer it; with it, it is agreed on.
function assertCompression(ws, ourHeaders) {
  const ours = ourHeaders['sec-websocket-extensions'];
  assert.equal(ws.extensions, deflate ? EXTENSION : '');
  if (deflate) assert.equal(ours?.split(';')[0], EXTENSION);
  else assert.equal(ours, undefined);
}

// Compression

/**
 * Ways to agree on compression. `ours` is our side's option, `theirs` the options of ws on its side; what the answer
 * of the server then has in it depends on which side that is.
 */
export const agreements = [
  { name: 'defaults', ours: '--deflate', theirs: {}, takeover: true, fromServer: [], fromClient: [] },
  {
    name: 'no context takeover either way', ours: '--deflate', takeover: false,
    theirs: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    fromServer: ['client_no_context_takeover', 'server_no_context_takeover'],
    fromClient: ['client_no_context_takeover', 'server_no_context_takeover'],
  },
  {
    name: 'no context takeover on our side', ours: '--deflate=no-context-takeover', theirs: {}, takeover: false,
    fromServer: ['server_no_context_takeover'], fromClient: ['client_no_context_takeover'],
  },
  {
    name: 'windows of 512 bytes', ours: '--deflate', takeover: true,
    theirs: { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    fromServer: ['client_max_window_bits=9', 'server_max_window_bits=9'],
    fromClient: ['client_max_window_bits=9', 'server_max_window_bits=9'],
  },
];

/** Sends messages to our side, which echoes them, and looks at how many bytes the echoes take. */
export async function converse(connection, { takeover, masked, answer }) {
  const [extension, ...parameters] = connection.answer.split(';').map((part) => part.trim());
  assert.equal(extension, EXTENSION);
  assert.deepEqual(parameters.sort(), answer);

  const echo = async (message) => {
    const before = connection.socket.bytesRead;
    connection.ws.send(message);
    assertSame(await connection.message(), message);
    return connection.socket.bytesRead - before - (masked ? 4 : 0);
  };

  // Too short to gain anything: as they are.
  for (const message of ['', Buffer.alloc(0), 'short']) assert.equal(await echo(message), 2 + message.length);

  // A repetition of noise is found in the message before, or not at all.
  const noise = randomBytes(200);
  assert.ok((await echo(noise)) > 200);
  const again = await echo(noise);
  assert.ok(takeover ? again < 50 : again > 200, `${again} bytes for 200 known ones`);

  const words = Array.from({ length: 1 << 15 }, () => ['some ', 'words, ', '你好 '][randomBytes(1)[0] % 3]).join('');
  const text = (words + words + words + words).slice(0, 1 << 20);
  const size = await echo(text);
  assert.ok(size < text.length / 2, `${size} bytes for text of ${text.length} characters`);
  const random = await echo(randomBytes(1 << 20));
  assert.ok(random > 1 << 20 && random < (1 << 20) * 1.01, `${random} bytes for 1 MiB that is random`);

  const row = Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? `${i}` : words.slice(0, 100 * i)));
  for (const message of row) connection.ws.send(message);
  for (const message of row) assertSame(await connection.message(), message);

  const bytes = Buffer.from(vectors.texts.emoji);
  connection.ws.send(bytes.subarray(0, 2), { binary: false, fin: false });
  connection.ws.ping('between');
  connection.sendFragments([bytes.subarray(2, 3), '', bytes.subarray(3)], { binary: false });
  assert.equal(await connection.pong(), 'between');
  assert.equal(await connection.message(), vectors.texts.emoji);
  connection.sendFragments(['', ''], { binary: false });
  assert.equal(await connection.message(), '');

  // Sent as it is between compressed ones.
  connection.ws.send(words.slice(0, 500), { compress: false });
  assertSame(await connection.message(), words.slice(0, 500));
  await echo(words.slice(0, 1000));
}
