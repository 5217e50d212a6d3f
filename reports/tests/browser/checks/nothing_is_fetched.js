// Each page opens without a word on the console and without a request: `open` watches that.
// Links lead to places on the page and open what is folded there.

export default async ({ open, fail }) => {
  for (const name of ['export', 'several', 'empty', 'large']) {
    const page = await open(name);
    if ((await page.locator('h1').count()) !== 1) fail(`${name}: it has not one h1`);
    const away = await page.locator('a:not([href^="#"])').count();
    if (away > 0) fail(`${name}: ${away} links lead away`);
  }
  const page = await open('several');
  await page.locator('details.tables a').first().evaluate((link) => link.click());
  const target = page.locator(new URL(page.url()).hash);
  if (!(await target.isVisible())) fail('a link to a finding does not open it');
};
