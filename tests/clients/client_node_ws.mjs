// Node's ws as a server of our client.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  agreements, assertSame, converse, deflate, openLine, pair, serve, startClient, suite, vectors,
} from './harness.mjs';

await suite('client node-ws', async (check) => {
  /** A pair whose client has said that it is open. */
  const open = async (args, options) => {
    const { connection, client } = await pair(args, options);
    assert.equal(await client.line(), openLine());
    return { connection, client };
  };

  const sends = async ({ connection, client }, text) => {
    client.write(text);
    assertSame(await connection.message(), text);
  };

  const shows = async ({ connection, client }, text) => {
    connection.ws.send(text);
    assertSame(await client.line(), `text: ${text}`);
  };

  // Messages

  for (const [name, text] of Object.entries(vectors.texts)) {
    await check(`sends and shows ${name} text`, async () => {
      const both = await open();
      await sends(both, text);
      await shows(both, text);
    });
  }

  await check('sends and shows text of 1 MiB', async () => {
    const both = await open();
    const text = 'x'.repeat(1 << 20);
    await sends(both, text);
    await shows(both, text);
  });

  await check('shows binary', async () => {
    const { connection, client } = await open();
    connection.ws.send(Buffer.alloc(70_000));
    assert.equal(await client.line(), 'binary: 70000 bytes');
  });

  await check('shows text that follows the 101 at once', async () => {
    const { server, connections, url } = await serve();
    server.on('connection', (ws) => ws.send('at once'));
    const client = startClient(url);
    await client.outlives(connections.next());
    assert.equal(await client.line(), openLine());
    assert.equal(await client.line(), 'text: at once');
  });

  await check('shows fragmented text, cut inside a character, with a ping in between', async () => {
    const { connection, client } = await open();
    const bytes = Buffer.from(vectors.texts.emoji);
    connection.ws.send(bytes.subarray(0, 2), { binary: false, fin: false });
    connection.ws.ping('between');
    connection.sendFragments([bytes.subarray(2, 3), bytes.subarray(3)], { binary: false });
    assert.equal(await client.line(), 'ping: between');
    assert.equal(await connection.pong(), 'between');
    assert.equal(await client.line(), `text: ${vectors.texts.emoji}`);
  });

  await check('echoes text, binary, fragments and 1 MiB, and ends with the connection', async () => {
    const { connection, client } = await pair(['--echo']);
    for (const message of [vectors.texts.Chinese, Buffer.from([0, 255]), '', Buffer.alloc(1 << 20, 'sockless')]) {
      connection.ws.send(message);
      assertSame(await connection.message(), message);
    }
    connection.sendFragments(['one, ', 'two, ', 'three'], { binary: false });
    assert.equal(await connection.message(), 'one, two, three');
    connection.ws.close(1000);
    assert.equal((await client.ends(0)).at(-1), 'closed 1000 "" clean');
  });

  await check('sends a ping and shows the pong', async () => {
    const { client } = await open();
    client.write('/ping payload');
    assert.equal(await client.line(), 'pong: payload');
  });

  await check('sends a pong', async () => {
    const { connection, client } = await open();
    client.write('/pong payload');
    assert.equal(await connection.pong(), 'payload');
  });

  await check('sends text that begins with a slash', async () => {
    const { connection, client } = await open();
    client.write('//close 1000');
    assert.equal(await connection.message(), '/close 1000');
  });

  await check('lists its commands', async () => {
    const { client } = await open();
    client.write('/help');
    for (const command of ['/ping', '/pong', '/close', '/help', '//']) {
      const line = await client.line();
      assert.ok(line.startsWith(command), line);
    }
  });

  await check('does not send a command that there is not', async () => {
    const both = await open();
    both.client.write('/nonsense text');
    // The next message is the first.
    await sends(both, 'text');
    both.client.endInput();
    await both.client.ends(0);
    assert.deepEqual(both.client.errors.map((line) => line.split(':')[0]), ['not sent']);
    assert.match(both.client.errors[0], /\/nonsense/);
  });

  await check('shows a ping and answers it', async () => {
    const { connection, client } = await open();
    connection.ws.ping('payload');
    assert.equal(await client.line(), 'ping: payload');
    assert.equal(await connection.pong(), 'payload');
  });

  // Close

  // The answer repeats the code, not the reason.
  for (const [code, reason] of [[1000, 'done'], [3001, '原因 reason']]) {
    await check(`answers Close ${code} "${reason}"`, async () => {
      const { connection, client } = await open();
      connection.ws.close(code, reason);
      assert.deepEqual(await connection.closed(), { code, reason: '', clean: true });
      assert.deepEqual(await client.ends(code === 1000 ? 0 : 1), [`closed ${code} "${reason}" clean`]);
    });
  }

  await check('answers an empty Close', async () => {
    const { connection, client } = await open();
    connection.ws.close();
    assert.deepEqual(await connection.closed(), { code: 1005, reason: '', clean: true });
    assert.deepEqual(await client.ends(1), ['closed 1005 "" clean']);
  });

  for (const code of [1000, 4001]) {
    await check(`closes with ${code} "bye"`, async () => {
      const { connection, client } = await open();
      client.write(`/close ${code} bye`);
      assert.deepEqual(await connection.closed(), { code, reason: 'bye', clean: true });
      assert.deepEqual(await client.ends(code === 1000 ? 0 : 1), [`closed ${code} "bye" clean`]);
    });
  }

  await check('closes with 1000 unless told otherwise', async () => {
    const { connection, client } = await open();
    client.write('/close');
    assert.deepEqual(await connection.closed(), { code: 1000, reason: '', clean: true });
    assert.deepEqual(await client.ends(0), ['closed 1000 "" clean']);
  });

  await check('goes on after a close code that must not be sent', async () => {
    const both = await open();
    const codes = ['abc', '0', '999', '1004', '1005', '1006', '1015', '2999', '5000', '65536', '-1'];
    for (const code of codes) both.client.write(`/close ${code} bye`);
    await sends(both, 'still here');
    both.client.endInput();
    assert.deepEqual(await both.client.ends(0), ['closed 1000 "" clean']);
    assert.equal(both.client.errors.length, codes.length, both.client.errors.join('\n'));
    for (const [i, code] of codes.entries()) {
      assert.ok(both.client.errors[i].startsWith('not sent: ') && both.client.errors[i].includes(code));
    }
  });

  await check('closes with 1000 at the end of its input', async () => {
    const both = await open();
    await sends(both, 'last words');
    both.client.endInput();
    const { code, reason, clean } = await both.connection.closed();
    assert.deepEqual({ code, clean }, { code: 1000, clean: true });
    assert.deepEqual(await both.client.ends(0), [`closed 1000 "${reason}" clean`]);
  });

  await check('tells a connection that was dropped', async () => {
    const { connection, client } = await open();
    connection.socket.end();
    assert.deepEqual(await client.ends(1), ['closed 1006 "" not clean']);
  });

  // Opening handshake

  await check('agrees on a subprotocol', async () => {
    const { connection, client } = await pair(['--protocol', 'unknown,chat'], { handleProtocols: () => 'chat' });
    assert.equal(await client.line(), openLine('chat'));
    assert.equal(connection.request.headers['sec-websocket-protocol'].replaceAll(' ', ''), 'unknown,chat');
  });

  await check('goes on when no subprotocol was agreed', async () => {
    await sends(await open(['--protocol', 'unknown,chat'], { handleProtocols: () => false }), 'hello');
  });

  await check('refuses a subprotocol that it did not offer', async () => {
    const { server, url } = await serve();
    server.on('headers', (headers) => headers.push('Sec-WebSocket-Protocol: chat'));
    const client = startClient(url);
    await client.outlives(once(server, 'headers'));
    assert.deepEqual(await client.ends(1), []);
  });

  await check('sends a header of the caller', async () => {
    const { connection } = await open(['--header', 'X-Custom: some value']);
    assert.equal(connection.request.headers['x-custom'], 'some value');
  });

  for (const [status, advice] of [
    [400, 'version'], [401, 'Authorization'], [404, 'this path'], [407, 'Proxy-Authorization'], [503, 'later'],
  ]) {
    await check(`tells that it was refused with ${status}`, async () => {
      const { url } = await serve({ verifyClient: (info, answer) => answer(false, status) });
      const client = startClient(url);
      assert.deepEqual(await client.ends(1), []);
      assert.equal(client.errors.length, 1, client.errors.join('\n'));
      assert.ok(client.errors[0].startsWith(`refused ${status}: `), client.errors[0]);
      assert.ok(client.errors[0].includes(advice), client.errors[0]);
    });
  }

  await check('tells where it was redirected to', async () => {
    const { url } = await serve({
      verifyClient: (info, answer) => answer(false, 302, 'Found', { Location: 'http://example.com/' }),
    });
    const client = startClient(url);
    assert.deepEqual(await client.ends(1), []);
    assert.match(client.errors[0], /^refused 302: .*"http:\/\/example\.com\/"$/);
  });

  for (const [what, answer, advice] of [
    ['a TLS alert', '\x15\x03\x03\x00\x02\x02F', 'the server speaks TLS'],
    ['the greeting of another protocol', 'SSH-2.0-nothing\r\n', 'another protocol'],
    ['nothing', '', 'another protocol'],
  ]) {
    await check(`tells that the server answers with ${what}`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(answer, 'latin1'));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = startClient(`ws://127.0.0.1:${server.address().port}/`);
      assert.deepEqual(await client.ends(1), []);
      server.close();
      assert.ok(client.errors[0].includes(advice), client.errors[0]);
    });
  }

  await check('exits with 2 when its arguments are bad', async () => {
    assert.deepEqual(await startClient('--no-such-option').ends(2), []);
  });

  // Compression. `pair` asserts for every connection whether it was agreed on.

  if (deflate) {
    for (const { name, ours, theirs, takeover, fromClient } of agreements) {
      await check(`echoes what is compressed: ${name}`, async () => {
        const { connection, client } = await pair([ours, '--echo'], { perMessageDeflate: theirs });
        assert.equal(await client.line(), openLine());
        await converse(connection, { takeover, masked: true, answer: fromClient });
        connection.ws.close(1000);
        assert.equal((await client.ends(0)).at(-1), 'closed 1000 "" clean');
      });
    }

    await check('goes on when the server declines compression', async () => {
      const { connections, url } = await serve({ perMessageDeflate: false });
      const client = startClient(url);
      const connection = await client.outlives(connections.next());
      assert.equal(await client.line(), 'open');
      await sends({ connection, client }, 'x'.repeat(1000));
    });

    await check('fails with 1007 on data that is not DEFLATE', async () => {
      const { connection, client } = await open();
      connection.sendRaw(vectors.corrupt.to_client);
      assert.equal((await connection.closed()).code, 1007);
      await client.ends(1);
    });
  } else {
    await check('offers no compression, and refuses a compressed message', async () => {
      const { connection, client } = await open();
      connection.sendRaw(vectors.compressed.to_client);
      assert.equal((await connection.closed()).code, 1002);
      await client.ends(1);
    });
  }

  // Violations

  for (const { name, code, to_client } of vectors.violations) {
    await check(`fails with ${code} on ${name}`, async () => {
      const both = await open();
      await shows(both, 'before');
      both.connection.sendRaw(to_client);
      assert.equal((await both.connection.closed()).code, code);
      const lines = await both.client.ends(1);
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0], /^closed \d+ ".*" not clean$/);
    });
  }
});
