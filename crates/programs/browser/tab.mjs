// One page of one browser: what a person does in it, and what it shows.

import { readFileSync } from 'node:fs';
import { Traffic } from './traffic.mjs';

/** How much of a page's text an error carries. */
const DUMP_CHARACTERS = 1500;

export class Tab {
  static async create(context, { dialogs, axePath }) {
    const tab = new Tab();
    Object.assign(tab, { context, dialogs, axePath, problems: [], failedPages: new Set() });
    tab.page = await context.newPage();
    tab.session = await context.newCDPSession(tab.page);
    tab.traffic = await Traffic.watch(tab.session);
    tab.listen();
    return tab;
  }

  /** Notes what no page of ours may do. */
  listen() {
    const { page, problems } = this;
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const { url } = message.location();
      // Chromium complains of every page that is not 2xx; whether that is right is for the one who went there.
      if (message.text().startsWith('Failed to load resource') && this.failedPages.has(url)) return;
      problems.push(`console: ${message.text()} (${url})`);
    });
    page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
    page.on('popup', (popup) => problems.push(`window: ${popup.url()}`));
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      const isOwn = ['127.0.0.1', 'localhost'].includes(hostname) || ['data:', 'blob:', 'about:'].includes(protocol);
      if (!isOwn) problems.push(`request: ${request.url()}`);
    });
    page.on('response', (response) => {
      const request = response.request();
      if (!request.isNavigationRequest() || request.frame() !== page.mainFrame()) return;
      this.status = response.status();
      if (this.status >= 400) this.failedPages.add(response.url());
    });
    page.on('dialog', async (dialog) => {
      if (this.dialogs === 'accept') return dialog.accept();
      problems.push(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
  }

  async perform({ op, ...request }) {
    const value = await this[`do_${op}`](request);
    const problems = this.problems.splice(0);
    return { value: value ?? null, problems };
  }

  // --- Going somewhere -------------------------------------------------------------------------------

  async do_goto({ url, timeout }) {
    await this.page.goto(url, { timeout });
    return this.arrived(timeout);
  }

  async do_reload({ timeout }) {
    await this.page.reload({ timeout });
    return this.arrived(timeout);
  }

  async do_back({ timeout }) {
    await this.page.goBack({ timeout });
    return this.arrived(timeout);
  }

  async do_settled({ timeout }) {
    await this.page.waitForLoadState('load', { timeout });
    return this.arrived(timeout);
  }

  async arrived(timeout) {
    await this.traffic.settled(timeout);
    return { ...(await this.here()), ...this.traffic.sum() };
  }

  async do_address({ contains, timeout }) {
    await this.page.waitForURL((url) => url.href.includes(contains), { timeout });
    return this.here();
  }

  async do_here() {
    return this.here();
  }

  async do_traffic() {
    return this.traffic.sum();
  }

  async here() {
    return { url: this.page.url(), title: await this.page.title(), status: this.status ?? 0 };
  }

  // --- What a person does ----------------------------------------------------------------------------

  async do_click({ find, timeout }) {
    await this.locate(find).click({ timeout });
  }

  async do_tap({ find, timeout }) {
    await this.locate(find).tap({ timeout });
  }

  async do_hover({ find, timeout }) {
    await this.locate(find).hover({ timeout });
  }

  /** Drags one thing onto another with the mouse. Both have to be in sight: nothing is scrolled on the way. */
  async do_drag({ find, to, timeout }) {
    const { mouse } = this.page;
    const target = this.locate(to);
    await target.scrollIntoViewIfNeeded({ timeout });
    await this.locate(find).hover({ timeout });
    await mouse.down();
    const box = await target.boundingBox();
    await mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 20 });
    await mouse.up();
  }

  async do_fill({ find, text, timeout }) {
    await this.locate(find).fill(text, { timeout });
  }

  async do_choose({ find, option, timeout }) {
    await this.locate(find).selectOption({ label: option }, { timeout });
  }

  async do_press({ keys }) {
    await this.page.keyboard.press(keys);
  }

  async do_type({ text }) {
    await this.page.keyboard.type(text);
  }

  // --- What is there ---------------------------------------------------------------------------------

  async do_wait({ find, state, timeout }) {
    await this.locate(find).first().waitFor({ state, timeout });
  }

  async do_count({ find }) {
    return this.locate(find).count();
  }

  async do_texts({ find }) {
    return this.locate(find).allInnerTexts();
  }

  async do_value({ find, timeout }) {
    return this.locate(find).inputValue({ timeout });
  }

  async do_attribute({ find, name, timeout }) {
    return this.locate(find).getAttribute(name, { timeout });
  }

  async do_text() {
    return this.page.locator('body').innerText();
  }

  async do_source() {
    return this.page.content();
  }

  async do_aria({ timeout }) {
    return this.page.locator('body').ariaSnapshot({ timeout });
  }

  /** What has the focus, as assistive technology is told it; `null`: nothing but the page itself. */
  async do_focused() {
    const { result } = await this.session.send('Runtime.evaluate', { expression: 'document.activeElement' });
    if (!result.objectId) return null;
    const { nodes } = await this.session.send('Accessibility.getPartialAXTree', {
      objectId: result.objectId,
      fetchRelatives: false,
    });
    const seen = await this.page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      // A part of it is enough: nobody scrolls a long field that is in sight already.
      const between = (from, to, end) => (Math.max(from, 0) + Math.min(to, end)) / 2;
      const middle = document.elementFromPoint(
        between(box.left, box.right, innerWidth),
        between(box.top, box.bottom, innerHeight),
      );
      return {
        tag: element.localName,
        position: [...document.querySelectorAll('*')].indexOf(element),
        is_marked: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none',
        is_visible: box.width > 0 && box.height > 0 && !!middle && (element.contains(middle) || middle.contains(element)),
      };
    });
    if (seen.tag === 'body') return null;
    return { ...seen, role: nodes[0]?.role?.value ?? '', name: nodes[0]?.name?.value ?? '' };
  }

  /** How wide the page is and what sticks out of it; a page that has to be pushed sideways is broken. */
  async do_layout() {
    return this.page.evaluate(() => {
      const { scrollWidth, clientWidth, scrollHeight } = document.documentElement;
      const wide = [...document.body.querySelectorAll('*')]
        .filter((element) => element.getBoundingClientRect().right > clientWidth + 1)
        .map((element) => `${element.localName}.${element.className}`);
      return { scroll_width: scrollWidth, width: clientWidth, height: scrollHeight, wide: wide.slice(0, 10) };
    });
  }

  async do_axe() {
    // As the debugger, not as a script of the page: the page's policy admits none but its own.
    await this.page.evaluate(readFileSync(this.axePath, 'utf8'));
    const found = await this.page.evaluate(() =>
      // `target-size` is the one rule of WCAG 2.2 AA that axe leaves off by itself.
      window.axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }),
    );
    return {
      passed: found.passes.length,
      violations: found.violations.map(({ id, impact, help, nodes }) => ({
        rule: id,
        impact: impact ?? 'minor',
        help,
        places: nodes.slice(0, 5).map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
      })),
    };
  }

  async do_shot({ path, full, height_max }) {
    const { width, height } = this.page.viewportSize();
    const whole = await this.page.evaluate(() => document.documentElement.scrollHeight);
    const clip = full ? { x: 0, y: 0, width, height: Math.max(height, Math.min(whole, height_max)) } : undefined;
    await this.page.screenshot({ path, clip, fullPage: full, animations: 'disabled', caret: 'hide' });
  }

  // --- What others did -------------------------------------------------------------------------------

  /** From here on notes when `text` is first on the page; `arrival` tells. */
  async do_watch({ text }) {
    await this.page.evaluate((wanted) => {
      const look = () => {
        if (!window.tidegateArrival && document.body?.textContent.includes(wanted)) window.tidegateArrival = Date.now();
      };
      window.tidegateArrival = 0;
      window.tidegateObserver?.disconnect();
      window.tidegateObserver = new MutationObserver(look);
      window.tidegateObserver.observe(document, { subtree: true, childList: true, characterData: true });
      look();
    }, text);
  }

  async arrival(timeout) {
    const handle = await this.page.waitForFunction(() => window.tidegateArrival, null, { timeout, polling: 50 });
    return handle.jsonValue();
  }

  // --- Around it -------------------------------------------------------------------------------------

  async do_cookies() {
    return this.context.cookies();
  }

  async do_give_cookie({ url, name, value }) {
    await this.context.addCookies([{ url, name, value }]);
  }

  async do_close() {
    await this.page.close();
    if (this.context.pages().length === 0) await this.context.close();
  }

  /** What the page calls something: `{role, name}`, `{label}`, `{text}` or `{css}`, in `inside`, the `nth` of many. */
  locate({ inside, role, name, exact, label, text, css, nth }) {
    const root = inside ? this.locate(inside) : this.page;
    let found;
    if (role) found = root.getByRole(role, { name: name ?? undefined, exact });
    else if (label) found = root.getByLabel(label, { exact });
    else if (text) found = root.getByText(text, { exact });
    else found = root.locator(css);
    return nth === undefined ? found : found.nth(nth);
  }

  /** Where an error happened: address, title, and the beginning of what the page says. */
  async where() {
    try {
      const { url, title, status } = await this.here();
      const text = await this.page.locator('body').innerText({ timeout: 1000 });
      return { url, title, status, text: text.slice(0, DUMP_CHARACTERS), problems: this.problems };
    } catch {
      return { url: this.page.url(), title: '', status: this.status ?? 0, text: '', problems: this.problems };
    }
  }
}
