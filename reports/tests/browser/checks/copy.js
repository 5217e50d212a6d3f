// The button puts the command on the clipboard, letter for letter; without a clipboard it
// selects it. Without scripts there is no button.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const openAll = (page) => page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));

export default async ({ open, pages, fail }) => {
  const commands = JSON.parse(readFileSync(join(pages, 'commands.json'), 'utf8'));
  const page = await open('export', { permissions: ['clipboard-read', 'clipboard-write'] });
  await openAll(page);
  const copied = [];
  for (const button of await page.locator('button.copy').all()) {
    await button.click();
    await page.waitForFunction(() => document.getElementById('said').textContent !== '');
    if ((await button.textContent()) !== 'Copied') fail('the button does not say that it copied');
    copied.push(await page.evaluate(() => navigator.clipboard.readText()));
    await page.evaluate(() => { document.getElementById('said').textContent = ''; });
  }
  if (JSON.stringify(copied.sort()) !== JSON.stringify(commands.sort())) fail(`copied: ${JSON.stringify(copied)}`);

  const without = await open('export');
  await without.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  const button = without.locator('button.copy').first();
  await button.click();
  await without.waitForFunction(() => document.getElementById('said').textContent !== '');
  const selected = await without.evaluate(() => getSelection().toString());
  const shown = await without.locator('.command code').first().textContent();
  if (selected !== shown || (await button.textContent()) !== 'Selected') fail(`selected: ${selected}`);

  const still = await open('export', { javaScriptEnabled: false });
  if (await still.locator('button.copy').first().isVisible()) fail('there is a button that does nothing');
};
