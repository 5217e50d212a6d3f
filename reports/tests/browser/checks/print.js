// On paper everything is open, and nothing is there that could only be clicked.

export default async ({ open, fail }) => {
  const page = await open('export');
  await page.emulateMedia({ media: 'print' });
  const shown = await page.evaluate(() => ({
    buttons: [...document.querySelectorAll('button, .filter, .skip')].filter((it) => it.checkVisibility()).length,
    folded: [...document.querySelectorAll('.finding .body dl')].filter((it) => it.getBoundingClientRect().height === 0).length,
  }));
  if (shown.buttons > 0) fail(`${shown.buttons} things to click`);
  if (shown.folded > 0) fail(`${shown.folded} findings are folded`);
};
