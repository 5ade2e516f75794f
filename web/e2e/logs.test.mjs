import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { chatModel, launch, makeCall, open, uniqueName, withPage } from './helpers.mjs'

describe('inference log', () => {
  let browser
  let model
  const user = uniqueName('user').replaceAll(' ', '-')
  before(async () => {
    browser = await launch()
    model = await chatModel()
    await makeCall({ model, user })
  })
  after(() => browser.close())

  const rows = (page) => page.getByRole('table', { name: 'Calls' }).getByRole('row').filter({ hasText: model })

  test('one user’s call is found, opened with its payloads, and closed with Escape', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, 'logs?range=15m')
      await page.getByLabel('User', { exact: true }).fill(user)
      await page.waitForURL(new RegExp(`user=${user}`))
      const row = rows(page).filter({ hasText: user })
      await row.first().waitFor()
      assert.equal(await row.count(), 1)
      await row.focus()
      await page.keyboard.press('Enter')
      const drawer = page.getByRole('dialog', { name: 'Call' })
      await drawer.getByRole('region', { name: 'request payload' }).getByText('When does the shop open?').waitFor()
      await drawer.getByRole('region', { name: 'response payload' }).getByText('"choices"').waitFor()
      const id = new URL(page.url()).searchParams.get('call')
      await drawer.getByRole('button', { name: 'Copy call id' }).click()
      await drawer.getByRole('button', { name: 'Copied' }).waitFor()
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), id)
      await page.keyboard.press('Escape')
      await drawer.waitFor({ state: 'detached' })
    })
  })

  test('the address alone brings the same view back', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, `logs?range=1h&user=${user}&status=success&model=${encodeURIComponent(model)}`)
      await rows(page).first().waitFor()
      assert.equal(await page.getByLabel('Status', { exact: true }).inputValue(), 'success')
      assert.equal(await page.getByLabel('Model', { exact: true }).inputValue(), model)
      assert.equal(await page.getByLabel('User', { exact: true }).inputValue(), user)
    })
  })

  test('filters that match nothing say so and can be cleared', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, 'logs?tag=no-such-tag')
      await page.getByText('No call matches').waitFor()
      await page.getByRole('button', { name: 'Clear filters' }).click()
      await page.waitForURL((url) => !url.searchParams.has('tag'))
      await rows(page).first().waitFor()
    })
  })

  test('a long log holds only the rows on screen, and loads more on the way down', async () => {
    await withPage(browser, {}, async (page) => {
      const now = Date.now()
      await page.route('**/v1/inference-logs?*', (route) => {
        const number = Number(new URL(route.request().url()).searchParams.get('page'))
        const data = Array.from({ length: 50 }, (_, i) => ({
          id: `inf_${number}_${i}`, timestamp: new Date(now - (number * 50 + i) * 1000).toISOString(), model, status: 'success', type: 'chat', latency_ms: 5, cost_usd: 0,
        }))
        return route.fulfill({ json: { count: 50, data, has_more: number < 8 } })
      })
      await open(page, 'logs?range=24h')
      await rows(page).first().waitFor()
      for (let i = 0; i < 40; i++) {
        await page.mouse.wheel(0, 1500)
        if (await page.getByText('400 calls, no more in this time').isVisible()) break
        await page.evaluate(() => new Promise(requestAnimationFrame))
      }
      await page.getByText('400 calls, no more in this time').waitFor()
      assert.ok((await rows(page).count()) < 80)
    })
  })
})
