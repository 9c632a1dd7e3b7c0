// Node's ws as a client of our echo server.

import assert from 'node:assert/strict';
import {
  agreements, assertSame, connect, converse, deflate, refusal, startLogging, startServer, suite, vectors,
} from './harness.mjs';

await suite('server node-ws', async (check) => {
  const server = await startServer('--quiet');
  const url = `ws://${server}/`;

  const echoes = async (connection, message) => {
    connection.ws.send(message);
    assertSame(await connection.message(), message);
  };

  // Messages

  for (const [name, text] of Object.entries(vectors.texts)) {
    await check(`echoes ${name} text`, async () => echoes(await connect(url), text));
  }

  await check('echoes binary', async () => {
    await echoes(await connect(url), Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  });

  await check('echoes empty messages', async () => {
    const connection = await connect(url);
    await echoes(connection, '');
    await echoes(connection, Buffer.alloc(0));
  });

  await check('echoes text of 1 MiB', async () => echoes(await connect(url), 'x'.repeat(1 << 20)));

  await check('echoes binary of 1 MiB', async () => echoes(await connect(url), Buffer.alloc(1 << 20, 'sockless')));

  await check('joins fragmented text, cut inside a character, with a ping in between', async () => {
    const connection = await connect(url);
    const bytes = Buffer.from(vectors.texts.Chinese);
    connection.ws.send(bytes.subarray(0, 4), { binary: false, fin: false });
    connection.ws.ping('between');
    connection.sendFragments([bytes.subarray(4, 5), bytes.subarray(5)], { binary: false });
    assert.equal(await connection.pong(), 'between');
    assert.equal(await connection.message(), vectors.texts.Chinese);
  });

  await check('joins fragmented binary', async () => {
    const connection = await connect(url);
    connection.sendFragments([Buffer.from([1, 2]), Buffer.alloc(0), Buffer.from([3])], { binary: true });
    assert.deepEqual(await connection.message(), Buffer.from([1, 2, 3]));
  });

  await check('answers a ping with its payload', async () => {
    const connection = await connect(url);
    for (const payload of ['payload', '', 'x'.repeat(125)]) {
      connection.ws.ping(payload);
      assert.equal(await connection.pong(), payload);
    }
  });

  await check('keeps 20 connections apart', async () => {
    const connections = await Promise.all(Array.from({ length: 20 }, () => connect(url)));
    connections.toReversed().forEach((connection, i) => connection.ws.send(`message ${19 - i}`));
    for (const [i, connection] of connections.entries()) assert.equal(await connection.message(), `message ${i}`);
  });

  // Close

  // The answer repeats the code, not the reason.
  for (const [code, reason] of [[1000, ''], [1000, 'done'], [3001, '原因 reason']]) {
    await check(`answers Close ${code} "${reason}"`, async () => {
      const connection = await connect(url);
      connection.ws.close(code, reason);
      assert.deepEqual(await connection.closed(), { code, reason: '', clean: true });
    });
  }

  await check('answers an empty Close', async () => {
    const connection = await connect(url);
    connection.ws.close();
    assert.deepEqual(await connection.closed(), { code: 1005, reason: '', clean: true });
  });

  for (const code of [1000, 4001]) {
    await check(`closes with ${code} "bye"`, async () => {
      const connection = await connect(`${url}close/${code}/bye`);
      assert.deepEqual(await connection.closed(), { code, reason: 'bye', clean: true });
    });
  }

  await check('goes on serving when a peer drops its connection', async () => {
    const dropped = await connect(url);
    dropped.ws.terminate();
    await dropped.closed();
    await echoes(await connect(url), 'still here');
  });

  // Opening handshake

  await check('greets unless it is told to be quiet', async () => {
    const connection = await connect(`ws://${await startServer()}/`);
    assert.equal(typeof (await connection.message()), 'string');
    await echoes(connection, 'after the greeting');
  });

  await check('serves its page, and 404 elsewhere', async () => {
    assert.equal((await fetch(`http://${server}/`)).status, 200);
    assert.equal((await fetch(`http://${server}/elsewhere`)).status, 404);
  });

  await check('agrees on a subprotocol that it knows', async () => {
    assert.equal((await connect(url, ['echo'])).ws.protocol, 'echo');
    assert.equal((await connect(url, ['unknown', 'chat'])).ws.protocol, 'chat');
    assert.equal((await connect(url)).ws.protocol, '');
  });

  // ws gives up a connection for which none of its subprotocols was agreed.
  await check('agrees on no subprotocol that it does not know', async () => {
    await assert.rejects(connect(url, ['unknown']), { message: 'Server sent no subprotocol' });
  });

  await check('takes a request with other headers', async () => {
    const headers = { Origin: 'http://example.com', Cookie: 'a=b; c=d', 'X-Long': 'x'.repeat(4000) };
    await echoes(await connect(`${url}any/path?and=query`, [], { headers }), 'hello');
  });

  await check('refuses with 403', async () => {
    assert.equal((await refusal(`${url}refuse`)).status, 403);
  });

  await check('refuses version 8 with 426 and names version 13', async () => {
    const { status, headers } = await refusal(url, { protocolVersion: 8 });
    assert.equal(status, 426);
    assert.equal(headers['sec-websocket-version'], '13');
  });

  // Compression. `connect` asserts for every connection whether it was agreed on.

  if (deflate) {
    for (const { name, ours, theirs, takeover, fromServer } of agreements) {
      await check(`echoes what is compressed: ${name}`, async () => {
        const { address, server } = await startLogging(ours);
        const connection = await connect(`ws://${address}/`, [], { perMessageDeflate: theirs });
        assert.equal(await server.line(), '[1] open / extensions=permessage-deflate');
        await connection.message(); // the greeting
        await converse(connection, { takeover, masked: false, answer: fromServer });
        connection.ws.close(1000);
        assert.deepEqual(await connection.closed(), { code: 1000, reason: '', clean: true });
        let compressed = false;
        for (let line; !(line = await server.line()).startsWith('[1] closed '); ) compressed ||= line.trim() === 'compressed';
        assert.ok(compressed, 'nothing arrived compressed');
      });
    }

    await check('fails with 1007 on data that is not DEFLATE', async () => {
      const connection = await connect(url);
      connection.sendRaw(vectors.corrupt.to_server);
      assert.equal((await connection.closed()).code, 1007);
    });
  } else {
    await check('declines compression, and refuses a compressed message', async () => {
      const connection = await connect(url);
      connection.sendRaw(vectors.compressed.to_server);
      assert.equal((await connection.closed()).code, 1002);
    });
  }

  // Violations. Whether ws could still answer our Close is a matter of timing.

  for (const { name, code, to_server } of vectors.violations) {
    await check(`fails with ${code} on ${name}`, async () => {
      const connection = await connect(url);
      await echoes(connection, 'before');
      connection.sendRaw(to_server);
      assert.equal((await connection.closed()).code, code);
    });
  }
});
