// On a phone the page is as wide as the screen; only strips and tables scroll, each in its box.

export default async ({ open, fail }) => {
  for (const name of ['export', 'several', 'empty', 'hostile']) {
    const page = await open(name, { viewport: { width: 320, height: 640 } });
    for (const folded of [true, false]) {
      if (!folded) await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > 320) {
        const who = await page.evaluate(() => [...document.querySelectorAll('body *')]
          .filter((it) => it.checkVisibility() && it.getBoundingClientRect().right > 320 && !it.closest('.scroll, .names'))
          .map((it) => it.outerHTML.slice(0, 90)).slice(0, 5));
        fail(`${name}: ${wide} wide: ${who.join(' | ')}`);
      }
    }
  }
};
