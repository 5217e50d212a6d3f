// Runs one check in a browser of its own: run.js CHECK PAGES BROWSER. What is wrong is thrown.
//
// A check is a function of { open, pages, fail }. `open` gives a page that is watched: whatever
// it says on its console, and whatever it asks for beside its own file, is wrong.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [check, pages, executablePath] = process.argv.slice(2);
const quiet = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const wrong = [];
const profile = mkdtempSync(join(tmpdir(), 'browser-'));
const contexts = [];

const url = (name) => pathToFileURL(join(pages, `${name}.html`)).href;

async function open(name, options = {}) {
  const context = await chromium.launchPersistentContext(join(profile, `${contexts.length}`), {
    executablePath, headless: true, args: quiet, viewport: { width: 1280, height: 900 }, colorScheme: 'light',
    ...options,
  });
  contexts.push(context);
  const page = context.pages()[0] ?? (await context.newPage());
  const own = url(name);
  context.on('request', (request) => {
    const asked = request.url();
    if (asked.split('#')[0] !== own && asked !== 'data:,') wrong.push(`${name}: asked for ${asked}`);
  });
  page.on('console', (message) => wrong.push(`${name}: console: ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`${name}: ${error}`));
  page.on('dialog', (dialog) => {
    wrong.push(`${name}: dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  page.setDefaultTimeout(20_000);
  await page.goto(own);
  return page;
}

try {
  const { default: body } = await import(pathToFileURL(check).href);
  await body({ open, pages, url, fail: (what) => wrong.push(what) });
} catch (error) {
  wrong.push(error.stack);
} finally {
  await Promise.allSettled(contexts.map((context) => context.close()));
  rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
