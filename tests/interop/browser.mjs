// Drives lib-jitsi-meet in headless Chromium over JSON lines: commands on standard input, answers and events on standard
// output. One browser, any number of pages, each a participant.
//
//   {"id":1,"page":"a","cmd":"join","url":"ws://…/xmpp-websocket","domain":"meet.localhost","room":"r1","name":"Ada","p2p":true}
//   -> {"id":1,"ok":true,"result":{"endpoint":"0a1b2c3d","ms":412}}   or   {"id":1,"ok":false,"error":"…"}
//   -> {"event":"participant_joined","page":"a","t":1234,"endpoint":"…","name":"…"}
//
// `page` defaults to "a"; a page is made at its first command. The commands are the methods of `Participant` in
// page/page.js: join, send, mute, add, remove, rename, subject, muteParticipant, kick, participants,
// state, stats, remote, leave; and here
// eval {"js":"…"} and close (ends a page without leaving the room, as a crashed tab does). End of input ends all, each
// page leaving its room. The first line out is {"event":"ready"}. For a look inside: JMEET_BROWSER_LOG=1 shows the page's
// console on standard error, JMEET_BROWSER_FRAMES=1 the frames of its WebSocket, in the format of the captures.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const cache = process.env.JMEET_TEST_CACHE ?? path.join(here, '..', '.cache');
const { chromium } = createRequire(path.join(cache, 'npm', 'package.json'))('playwright-core');
const library = path.join(cache, 'lib-jitsi-meet', 'package', 'dist', 'umd', 'lib-jitsi-meet.min.js');
const files = {
  '/': ['text/html', path.join(here, 'page', 'index.html')],
  '/page.js': ['text/javascript', path.join(here, 'page', 'page.js')],
  '/lib-jitsi-meet.min.js': ['text/javascript', library],
};
const METHODS = ['join', 'send', 'mute', 'add', 'remove', 'rename', 'subject', 'muteParticipant', 'kick',
  'participants', 'state', 'stats', 'remote', 'leave'];
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns', '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

const start = performance.now();
const emit = line => process.stdout.write(`${JSON.stringify(line)}\n`);
const event = (name, page, fields) => emit({ event: name, page, t: Math.round(performance.now() - start), ...fields });

const server = http.createServer((request, response) => {
  const file = files[new URL(request.url, 'http://localhost').pathname];
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': file[0] });
  fs.createReadStream(file[1]).pipe(response);
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}/`;

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'jmeet-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.JMEET_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  ignoreHTTPSErrors: true,
  args: FLAGS,
});

const pages = new Map();
async function open(name) {
  const page = await browser.newPage();
  page.on('console', m => {
    if (m.type() === 'error') {
      event('console_error', name, { text: m.text() });
    }
    if (process.env.JMEET_BROWSER_LOG) {
      process.stderr.write(`[${name}] ${m.text()}\n`);
    }
  });
  page.on('pageerror', e => event('page_error', name, { text: String(e) }));
  if (process.env.JMEET_BROWSER_FRAMES) {
    page.on('websocket', socket => {
      const show = arrow => ({ payload }) => process.stderr.write(`${name}${arrow} ${payload}\n`);
      socket.on('framesent', show('>'));
      socket.on('framereceived', show('<'));
    });
  }
  await page.exposeFunction('report', (what, fields) => event(what, name, fields));
  await page.goto(origin);
  return page;
}

async function run({ page: name = 'a', cmd, id, ...options }) {
  if (!pages.has(name)) {
    pages.set(name, open(name));
  }
  const page = await pages.get(name);
  if (cmd === 'eval') {
    return page.evaluate(options.js);
  }
  if (cmd === 'close') {
    pages.delete(name);
    return page.close();
  }
  if (!METHODS.includes(cmd)) {
    throw new Error(`unknown command ${cmd}`);
  }
  return page.evaluate(([method, o]) => window.participant[method](o), [cmd, options]);
}

let ending;
const end = () => (ending ??= (async () => {
  const leaving = [...pages.values()].map(async p => (await p).evaluate(() => window.participant.leave()));
  const bound = new Promise(resolve => setTimeout(resolve, 5000));
  await Promise.race([Promise.allSettled(leaving), bound]);
  await browser.close().catch(() => {});
  fs.rmSync(profile, { recursive: true, force: true });
  process.exit(0);
})());
process.on('SIGTERM', end);
process.on('SIGINT', end);

emit({ event: 'ready' });
for await (const line of readline.createInterface({ input: process.stdin })) {
  let command;
  try {
    command = JSON.parse(line);
  } catch {
    emit({ ok: false, error: 'not JSON' });
    continue;
  }
  // Not awaited: commands of different pages overlap, and `join` waits for its room.
  run(command).then(
    result => emit({ id: command.id, ok: true, result: result ?? null }),
    error => emit({ id: command.id, ok: false, error: String(error.message ?? error) }),
  );
}
await end();
