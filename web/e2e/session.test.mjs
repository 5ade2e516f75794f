import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { key, launch, open, withPage } from './helpers.mjs'

describe('signing in and out', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('a wrong key is refused with a sentence', async () => {
    await withPage(browser, { signedIn: false }, async (page) => {
      await open(page)
      await page.getByLabel('API key', { exact: true }).fill('not-a-key')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('alert').getByText('This key is not valid.').waitFor()
    })
  })

  test('a key is kept for the tab only, unless it is to be remembered', async () => {
    await withPage(browser, { signedIn: false }, async (page, context) => {
      await open(page)
      await page.getByLabel('API key', { exact: true }).fill(`  ${key} `)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
      assert.equal(await page.evaluate(() => localStorage.getItem('strata.key')), null)
      const other = await context.newPage()
      await open(other)
      await other.getByRole('checkbox', { name: 'Remember on this device' }).check()
      await other.getByLabel('API key', { exact: true }).fill(key)
      await other.getByRole('button', { name: 'Sign in' }).click()
      await other.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
      const third = await context.newPage()
      await open(third, 'budgets')
      await third.getByRole('heading', { name: 'Budgets', level: 1 }).waitFor()
    })
  })

  test('signing out forgets the key', async () => {
    await withPage(browser, { signedIn: false }, async (page) => {
      await open(page)
      await page.getByLabel('API key', { exact: true }).fill(key)
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: /^Settings/ }).click()
      await page.getByRole('menuitem', { name: 'Sign out' }).click()
      await page.getByLabel('API key', { exact: true }).waitFor()
      assert.equal(await page.evaluate(() => sessionStorage.getItem('strata.key')), null)
    })
  })

  test('a key that stops being valid leads back here', async () => {
    await withPage(browser, {}, async (page) => {
      await page.route('**/api/v1/budgets*', (route) =>
        route.fulfill({ status: 401, json: { success: false, error: { code: 'UNAUTHORIZED', message: 'revoked' } } }),
      )
      await open(page, 'budgets')
      await page.getByText('This key is no longer valid').waitFor()
    })
  })
})

describe('the frame', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('a chosen theme is applied, kept, and set before the first paint', async () => {
    await withPage(browser, { theme: 'light' }, async (page) => {
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme)
      await open(page)
      await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
      assert.equal(await theme(), 'light')
      await page.getByRole('button', { name: /^Settings/ }).click()
      await page.getByRole('menuitemradio', { name: 'Dark' }).click()
      assert.equal(await theme(), 'dark')
      await page.reload({ waitUntil: 'commit' })
      await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark')
    })
  })

  test('everything is reached with the keyboard', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page)
      await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
      await page.keyboard.press('Tab')
      await page.getByRole('link', { name: 'Skip to content' }).and(page.locator(':focus')).waitFor()
      await page.keyboard.press('Enter')
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'main')
      await page.getByRole('link', { name: 'Budgets' }).first().focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Budgets', level: 1 }).waitFor()
      await page.goBack()
      await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
    })
  })

  test('it says so while analytics are not ready, and while the server is away', async () => {
    await withPage(browser, {}, async (page) => {
      let answer = (route) => route.fulfill({ json: { status: 'ready', components: { clickhouse: { state: 'restarting', message: 'Attempt 2.' } } } })
      await page.route('**/readyz', (route) => answer(route))
      await open(page, 'quickstart')
      await page.getByText('Analytics are restarting').waitFor()
      answer = (route) => route.abort()
      await page.getByText('The server cannot be reached').waitFor()
      answer = (route) => route.fulfill({ json: { status: 'ready', components: { clickhouse: { state: 'ready' } } } })
      await page.getByText('The server cannot be reached').waitFor({ state: 'detached', timeout: 20_000 })
    })
  })

  test('the quickstart names this server', async () => {
    await withPage(browser, { signedIn: false }, async (page) => {
      await open(page, 'quickstart')
      const { origin, pathname } = new URL(page.url())
      await page.getByText(`${origin}${pathname.replace('/console/quickstart', '')}/openai/v1/chat/completions`).waitFor()
      await page.getByText('Python', { exact: true }).click()
      await page.getByText('from openai import OpenAI').waitFor()
    })
  })
})
