// Strings that would be scripts stay strings: nothing runs, nothing is asked for, nothing opens.
// And if one became markup, the policy would still let nothing run.

export default async ({ open, fail }) => {
  const page = await open('hostile');
  await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
  const { owned, elements, text } = await page.evaluate(() => ({
    owned: window.owned,
    elements: document.querySelectorAll('img, iframe, svg[onload], [onerror], [onclick], a[href^="javascript"]').length,
    text: document.body.innerText.split('alert(1)').length,
  }));
  if (owned !== undefined) fail('a script of the report has run');
  if (elements > 0) fail(`${elements} elements are of the report`);
  if (text < 20) fail('the strings are not on the page');

  const blocked = await page.context().newPage();
  await blocked.goto(page.url());
  const ran = await blocked.evaluate(async () => {
    window.stopped = [];
    document.addEventListener('securitypolicyviolation', (event) => window.stopped.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.owned = 1';
    document.body.append(script);
    document.body.insertAdjacentHTML('beforeend', '<p id="red" style="color: rgb(255, 0, 0)" onclick="window.owned = 1">x</p>');
    const style = document.createElement('style');
    style.textContent = '#red { background: rgb(255, 0, 0) }';
    document.body.append(style);
    const red = document.getElementById('red');
    red.click();
    const request = await fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'stopped');
    const look = getComputedStyle(red);
    return { owned: window.owned, color: look.color, ground: look.backgroundColor, request };
  });
  if (ran.owned !== undefined) fail('the policy lets scripts run');
  if (`${ran.color}${ran.ground}`.includes('255, 0, 0')) fail('the policy lets styles apply');
  if (ran.request !== 'stopped') fail('the policy lets requests out');
  for (const directive of ['script-src-elem', 'script-src-attr', 'style-src-elem', 'style-src-attr', 'connect-src']) {
    await blocked.waitForFunction((one) => window.stopped.includes(one), directive, { timeout: 10_000 })
      .catch(() => fail(`the policy did not stop ${directive}`));
  }
};
