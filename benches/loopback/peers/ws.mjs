// An echo server on Node's ws, with the loop of its documentation. Its optional native part, bufferutil, is installed.
// Usage: node ws.mjs FOLDER     FOLDER has node_modules.

import { createRequire } from 'node:module';

const { WebSocketServer } = createRequire(`${process.argv[2]}/`)('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 4096 });
server.on('listening', () => console.log(`listening on http://127.0.0.1:${server.address().port}/`));
server.on('connection', (ws) => {
  // A client that resets its transport.
  ws.on('error', () => {});
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
