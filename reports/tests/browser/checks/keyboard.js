// The key Tab comes to everything that acts, in the order of the page, and one sees where it is.

export default async ({ open, fail }) => {
  const page = await open('export');
  const wanted = await page.evaluate(() => {
    const acts = 'a[href], button, summary, input, [tabindex="0"]';
    const all = [...document.querySelectorAll(acts)].filter((it) => it.checkVisibility());
    all.forEach((it, i) => { it.dataset.at = i; });
    // Of radio buttons the one that is chosen is come to; arrows lead on.
    return all.filter((it) => !(it.type === 'radio' && !it.checked)).map((it) => Number(it.dataset.at));
  });
  const come = [];
  for (let i = 0; i <= wanted.length; i += 1) {
    await page.keyboard.press('Tab');
    const here = await page.evaluate(() => {
      const it = document.activeElement;
      if (it === document.body || it.dataset.at === undefined) return null;
      const style = getComputedStyle(it);
      const box = it.getBoundingClientRect();
      const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 1 && box.height > 1;
      return { at: Number(it.dataset.at), seen, what: it.outerHTML.slice(0, 80) };
    });
    if (!here) break;
    if (!here.seen) fail(`focus is not seen: ${here.what}`);
    come.push(here.at);
  }
  if (String(come) !== String(wanted)) fail(`Tab comes to ${come}, not to ${wanted}`);

  const again = await open('export');
  await again.keyboard.press('Tab');
  await again.keyboard.press('Enter');
  const there = await again.evaluate(() => document.activeElement.id);
  if (there !== 'findings') fail(`the first link leads to ${there}`);
};
