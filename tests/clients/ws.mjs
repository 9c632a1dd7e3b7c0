// Node's ws as a peer that Python directs.
// Usage: node ws.mjs FOLDER     FOLDER has node_modules/ws.
// Each line of input is [id, command, ...arguments]. Each line of output is [id, event, ...details]. The id names a
// connection. Both are JSON. Binary data is {"base64": "..."}.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { WebSocket, WebSocketServer } = createRequire(`${process.argv[2]}/`)('ws');

const peers = new Map();

const pack = (data) => ({ base64: data.toString('base64') });
const unpack = (_, value) => (value?.base64 === undefined ? value : Buffer.from(value.base64, 'base64'));
const tell = (id, event, ...details) => console.log(JSON.stringify([id, event, ...details]));

function follow(id, ws) {
  ws.on('error', ({ message }) => tell(id, 'error', message));
  ws.on('message', (data, isBinary) => tell(id, 'message', isBinary ? pack(data) : data.toString()));
  ws.on('pong', (data) => tell(id, 'pong', data.toString()));
  ws.addEventListener('close', ({ code, reason, wasClean }) => tell(id, 'closed', code, reason, wasClean));
}

function open(id, ws, socket, request, response) {
  peers.set(id, { ws, socket });
  // Before the listener of ws: the bytes of a message must be told before the message.
  socket.prependListener('data', (data) => tell(id, 'bytes', pack(data)));
  tell(id, 'open', ws.protocol, ws.extensions, request, response);
}

const commands = {
  connect(id, url, subprotocols, options) {
    let request;
    const finishRequest = (sent) => {
      request = sent.getHeaders();
      sent.end();
    };
    const ws = new WebSocket(url, subprotocols, { ...options, finishRequest });
    peers.set(id, { ws });
    follow(id, ws);
    ws.once('upgrade', ({ socket, headers }) => ws.once('open', () => open(id, ws, socket, request, headers)));
    ws.once('unexpected-response', (_, { statusCode }) => tell(id, 'refused', statusCode));
  },

  serve(id, { subprotocol, headers, refuse, greeting, ...options }) {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      handleProtocols: () => subprotocol ?? false,
      verifyClient: (_, answer) => answer(!refuse, refuse, undefined, headers),
      ...options,
    });
    peers.set(id, { server });
    server.on('listening', () => tell(id, 'listening', server.address().port));
    server.on('headers', (lines, request) => {
      for (const [name, value] of Object.entries(headers)) {
        const others = lines.filter((line) => !line.startsWith(`${name}: `));
        lines.splice(0, lines.length, ...others, `${name}: ${value}`);
      }
      request.response = Object.fromEntries(lines.slice(1).map((line) => line.split(': ')));
    });
    server.on('connection', (ws, request) => {
      follow(id, ws);
      open(id, ws, request.socket, request.headers, request.response);
      if (greeting) ws.send(greeting);
    });
  },

  write: (id, data) => peers.get(id).socket.write(data),
  end: (id) => peers.get(id).socket.end(),

  release(id) {
    peers.get(id)?.ws?.terminate();
    peers.get(id)?.server?.close();
    peers.delete(id);
  },
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [id, command, ...details] = JSON.parse(line, unpack);
    if (command in commands) commands[command](id, ...details);
    else peers.get(id).ws[command](...details);
  })
  .on('close', () => process.exit());
