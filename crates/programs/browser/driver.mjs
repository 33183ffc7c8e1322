// Drives Chromium for tests of whole programs: reads one request a line, `{"op", …}`, and answers each with one line,
// `{"value"}` or `{"error"}`. `harness/browser` in Rust is the other end and says what the requests are for.
//
// It decides nothing: what is worth a complaint is noted in `Tab.problems` and judged by the one who asked.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { Tab } from './tab.mjs';

const require = createRequire(`${process.env.TIDEGATE_BROWSER}/`);
const { chromium } = require('playwright-core');
const axePath = require.resolve('axe-core/axe.min.js');

const browser = await chromium.launch({
  executablePath: process.env.TIDEGATE_CHROMIUM || '/usr/bin/chromium',
  // Chromium refuses to sandbox itself as root. The pages are our own and nothing beyond loopback resolves.
  chromiumSandbox: process.getuid() !== 0,
  args: [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ],
});
const tabs = new Map();

async function open({ width, height, touch, scheme, script, motion, zone, dialogs }) {
  const context = await browser.newContext({
    viewport: { width, height },
    hasTouch: touch,
    isMobile: touch,
    colorScheme: scheme,
    javaScriptEnabled: script,
    reducedMotion: motion,
    timezoneId: zone,
    locale: 'en-GB',
  });
  return added(context, dialogs);
}

async function added(context, dialogs) {
  const tab = await Tab.create(context, { dialogs, axePath });
  const id = tabs.size + 1;
  tabs.set(id, tab);
  return { tab: id };
}

async function perform(request) {
  if (request.op === 'open') return open(request);
  if (request.op === 'arrivals') return arrivals(request);
  const tab = tabs.get(request.tab);
  if (!tab) throw new Error(`there is no tab ${request.tab}`);
  if (request.op === 'another') return added(tab.context, tab.dialogs);
  try {
    return await tab.perform(request);
  } catch (error) {
    error.where = await tab.where();
    throw error;
  }
}

/** When each of the tabs that watch for a text first showed it, in milliseconds since 1970. */
async function arrivals({ tabs: ids, timeout }) {
  return Promise.all(ids.map((id) => tabs.get(id).arrival(timeout)));
}

function answer(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

answer({ value: { version: browser.version() } });
for await (const line of createInterface({ input: process.stdin })) {
  let request;
  try {
    request = JSON.parse(line);
    answer({ value: (await perform(request)) ?? null });
  } catch (error) {
    // Playwright colours what it says, for terminals.
    answer({ error: error.message.replaceAll(/\x1b\[\d+m/g, ''), where: error.where ?? null });
  }
}
// The one who asked is gone, or has enough.
await browser.close();
