// Pictures of each page for a person to look at: pictures.js PAGES BROWSER.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [pages, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
for (const file of readdirSync(pages).filter((name) => name.endsWith('.html') && !name.startsWith('large'))) {
  for (const [name, colorScheme, width] of [['light', 'light', 1280], ['dark', 'dark', 1280], ['phone', 'light', 360]]) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    await page.goto(pathToFileURL(join(pages, file)).href);
    await page.screenshot({ path: join(pages, file.replace('.html', `-${name}.png`)), fullPage: true });
    await page.close();
  }
}
await browser.close();
