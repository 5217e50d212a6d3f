// axe finds nothing to say, in light and in dark, wide and narrow, with everything open. And
// the contrast of all text is computed here as well, from what the browser made of the styles.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/// Text whose contrast is below that of WCAG AA.
const dull = () => {
  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(it).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  let looked = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest('title, desc, script, style')) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest('svg') ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    looked += 1;
    if (contrast < (large ? 3 : 4.5)) found.push(`${contrast.toFixed(2)}: ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  return { found, looked };
};

export default async ({ open, fail }) => {
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, width] of [['several', 1280], ['export', 320], ['empty', 1280]]) {
      const page = await open(name, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
      await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
      const { found, looked } = await page.evaluate(dull);
      if (looked < 15) fail(`${name}: only ${looked} texts were looked at`);
      for (const text of found) fail(`${name}, ${colorScheme}: ${text}`);
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }));
      if (passes.length < 10) fail(`${name}: axe looked at ${passes.length} rules only`);
      for (const { id, nodes } of violations) {
        fail(`${name}, ${colorScheme}, ${width}: ${id}: ${nodes.slice(0, 4).map((it) => `${it.html} ${it.failureSummary}`).join('\n')}`);
      }
    }
  }
};
