import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { base, launch, shot, withPage } from './helpers.mjs'
import { startProxy } from './proxy.mjs'

describe('API reference', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  for (const theme of ['light', 'dark']) {
    test(`it is shown, from this server alone (${theme})`, async () => {
      await withPage(browser, { theme, signedIn: false }, async (page) => {
        await page.goto(`${base}/api/v1/docs`)
        await page.getByText(base, { exact: true }).first().waitFor()
        await page.getByRole('link', { name: 'Quickstart' }).waitFor()
        await page.getByRole('heading', { name: /Strata/ }).first().waitFor({ timeout: 30_000 })
        await shot(page, `docs-${theme}`)
      })
    })
  }

  test('a request can be tried, with the key of the console', async () => {
    await withPage(browser, {}, async (page) => {
      // The document is cut down to the one operation that is tried.
      await page.route('**/openapi.json', async (route) => {
        const document = await (await route.fetch()).json()
        const path = '/api/v1/auth/whoami'
        const tags = document.paths[path].get.tags
        await route.fulfill({ json: { ...document, tags: document.tags.filter((tag) => tags.includes(tag.name)), paths: { [path]: document.paths[path] } } })
      })
      await page.goto(`${base}/api/v1/docs`)
      await page.getByRole('button', { name: /Test Request/ }).first().click({ timeout: 30_000 })
      const [answer] = await Promise.all([
        page.waitForResponse((response) => response.url().startsWith(`${base}/api/v1/auth/whoami`)),
        page.getByRole('dialog').getByRole('button', { name: 'Send Request' }).click(),
      ])
      assert.equal(answer.status(), 200)
    })
  })

  test('it works under a sub-path behind a proxy', async () => {
    const proxy = await startProxy('/deep/strata')
    try {
      await withPage(browser, { signedIn: false, origin: proxy.base }, async (page) => {
        await page.goto(`${proxy.base}/api/v1/docs`)
        await page.getByText(proxy.base, { exact: true }).first().waitFor()
        await page.getByRole('heading', { name: /Strata/ }).first().waitFor({ timeout: 30_000 })
        await page.getByRole('link', { name: 'Quickstart' }).click()
        await page.getByRole('heading', { name: 'Quickstart' }).waitFor()
      })
    } finally {
      await proxy.stop()
    }
  })
})
