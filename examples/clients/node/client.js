// A client of the sample services, in @grpc/grpc-js, that keeps a service's contract.
//
// It calls at a fixed rate and prints one line of JSON for each call that has ended.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const APPS = fileURLToPath(new URL('../../apps', import.meta.url));
const TICK_SECONDS = 0.2;

// snippet: begin
/** A client of the service `Client` that keeps the contract, and connects at once. */
function connect(Client, contract, ca = null) {
  const milliseconds = (seconds) => seconds && Math.round(seconds * 1000);
  const options = {
    'grpc.service_config': contract.service_config,
    // Node has no TCP_USER_TIMEOUT: a silent Envoy is left when a ping is not answered, which is
    // after the sum of both times at the latest. Pings are sent with calls in flight only, and not
    // where calls have no deadline: grpc-js ends a call that is still in flight when it pings after
    // a GOAWAY (https://github.com/grpc/grpc-node/issues/3068).
    'grpc.keepalive_time_ms':
      contract.deadline_seconds === null ? null : milliseconds(contract.keepalive_time_seconds),
    'grpc.keepalive_timeout_ms': milliseconds(contract.keepalive_timeout_seconds),
    'grpc.dns_min_time_between_resolutions_ms': milliseconds(
      contract.min_resolution_interval_seconds,
    ),
    'grpc.max_receive_message_length': contract.max_message_bytes,
  };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value != null));
  const credentials = contract.tls
    ? grpc.credentials.createSsl(ca)
    : grpc.credentials.createInsecure();
  const client = new Client(contract.target_uri, credentials, given);
  client.getChannel().getConnectivityState(true);
  return client;
}
// snippet: end

/** Make one unary call; notes in its line who answered. */
function greet(client, name, line) {
  return new Promise((resolve, reject) => {
    client.greet({ name }, (error, reply) => {
      if (error) return reject(error);
      Object.assign(line, { pod: reply.pod, envoy: reply.caller });
      return resolve();
    });
  });
}

/** Read one stream to its end; notes in its line who answered, and the ticks. */
async function tick(client, seconds, line) {
  line.ticks = 0;
  const count = Math.max(1, Math.round(seconds / TICK_SECONDS));
  for await (const reply of client.tick({ count, intervalSeconds: TICK_SECONDS })) {
    Object.assign(line, { pod: reply.pod, envoy: reply.caller, ticks: line.ticks + 1 });
  }
}

/** Make a call and print its line when it has ended. */
async function report(call) {
  const line = { at: Date.now() / 1000, ms: 0, code: 'OK', pod: '', envoy: '', message: '' };
  const started = performance.now();
  try {
    await call(line);
  } catch (error) {
    const code = grpc.status[error.code];
    Object.assign(line, { code, pod: '', envoy: '', message: error.details });
  }
  line.ms = performance.now() - started;
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Make calls at a fixed rate until the end; resolves when the last one has ended. */
async function greetOn(client, name, rate, end) {
  const calls = new Set();
  for (let due = performance.now(); !end.aborted; ) {
    const call = report((line) => greet(client, name, line)).then(() => calls.delete(call));
    calls.add(call);
    due += 1000 / rate;
    await sleep(due - performance.now(), null, { signal: end }).catch(() => {});
  }
  await Promise.all(calls);
}

/** Read one stream after the other. The pause is for those that fail at once. */
async function tickOn(client, seconds, rate) {
  for (;;) {
    await report((line) => tick(client, seconds, line));
    await sleep(1000 / rate);
  }
}

/** What the command line says; throws an Error that tells what is wrong with it. */
function readArguments() {
  const text = { type: 'string' };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rate: { ...text, default: '10' },
      seconds: text,
      stream: text,
      'message-bytes': { ...text, default: '3' },
      ca: text,
    },
  });
  if (positionals.length !== 1) throw new Error('one CONTRACT.json is needed');
  const contract = JSON.parse(readFileSync(positionals[0]));
  if (!contract.target_uri) throw new Error(`${positionals[0]} has no target_uri`);
  const number = (name) => {
    if (values[name] === undefined || Number(values[name]) > 0) return Number(values[name]);
    throw new Error(`--${name} ${values[name]} is no positive number`);
  };
  return {
    contract,
    ca: values.ca === undefined ? null : readFileSync(values.ca),
    rate: number('rate'),
    seconds: number('seconds'),
    stream: number('stream'),
    name: 'x'.repeat(number('message-bytes')),
  };
}

let given;
try {
  given = readArguments();
} catch (error) {
  process.stderr.write(`client: ${error.message}\n`);
  process.exit(2);
}
const definition = protoLoader.loadSync(['greeter.proto', 'ticker.proto'], { includeDirs: [APPS] });
const { greeter, ticker } = grpc.loadPackageDefinition(definition).examples;
const end = new AbortController();
process.on('SIGTERM', () => end.abort());
if (given.seconds) setTimeout(() => end.abort(), given.seconds * 1000);
if (given.stream) {
  tickOn(connect(ticker.v1.Ticker, given.contract, given.ca), given.stream, given.rate);
  await new Promise((resolve) => end.signal.addEventListener('abort', resolve));
} else {
  const client = connect(greeter.v1.Greeter, given.contract, given.ca);
  await greetOn(client, given.name, given.rate, end.signal);
}
process.exit(0);
