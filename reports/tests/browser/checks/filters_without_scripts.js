// Filters and the switch of the strip are style alone.

export default async ({ open, fail }) => {
  const page = await open('several', { javaScriptEnabled: false });
  const shown = async (selector) => {
    const all = await page.locator(selector).all();
    const visible = await Promise.all(all.map((it) => it.isVisible()));
    return visible.filter(Boolean).length;
  };
  for (const [box, what] of [
    ['#show-error', '.f-error'], ['#show-warn', '.f-warn'], ['#show-note', '.f-note'], ['#show-again', '.f-again'],
    ['#show-accepted', '.f-accepted'], ['#show-run-findings', '.r-findings'], ['#show-run-clean', '.r-clean'],
    ['#show-run-inconclusive', '.r-inconclusive'],
  ]) {
    const before = await shown('.finding, .run');
    const own = await shown(what);
    if (own === 0) fail(`${what}: none is there at first`);
    await page.locator(box).uncheck();
    if ((await shown(what)) !== 0) fail(`${what}: shown although ${box} is off`);
    if ((await shown('.finding, .run')) !== before - own) fail(`${box} hides more than ${what}`);
    await page.locator(box).check();
    if ((await shown('.finding, .run')) !== before) fail(`${box} does not bring back ${what}`);
  }
  const strips = async () => [await shown('.by-time'), await shown('.in-order')];
  await page.locator('.run.r-findings > summary').click();
  if (String(await strips()) !== '1,0') fail(`by time at first: ${await strips()}`);
  await page.locator('#axis-order').check();
  if (String(await strips()) !== '0,1') fail(`then in order: ${await strips()}`);
};
