// A page of many trials has few elements, so that there is little to lay out.

export default async ({ open, fail }) => {
  const page = await open('large');
  const count = await page.evaluate(() => document.querySelectorAll('*').length);
  if (count > 40_000) fail(`${count} elements`);
  if (!(await page.locator('text=more are in the JSON report').first().count())) fail('it does not say what it lacks');
};
