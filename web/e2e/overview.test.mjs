import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { chatModel, launch, makeCall, open, withPage } from './helpers.mjs'

describe('overview', () => {
  let browser
  let model
  before(async () => {
    browser = await launch()
    model = await chatModel()
    await makeCall({ model })
  })
  after(() => browser.close())

  const requests = async (page) => {
    const tile = page.locator('dl > div').filter({ has: page.getByText('Requests', { exact: true }) })
    return Number((await tile.locator('dd > span').first().getAttribute('title')).replaceAll(',', ''))
  }

  test('a call shows up by itself', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, '?range=15m')
      await page.getByRole('heading', { name: 'By model', exact: true }).waitFor()
      const before = await requests(page)
      assert.ok(before >= 1)
      await makeCall({ model })
      await assert.doesNotReject(
        page.waitForFunction(
          (shown) => {
            const label = [...document.querySelectorAll('dl > div')].find((tile) => tile.querySelector('dt')?.textContent === 'Requests')
            return Number(label?.querySelector('dd > span')?.getAttribute('title')?.replaceAll(',', '')) > shown
          },
          before,
          { timeout: 20_000 },
        ),
      )
    })
  })

  test('time range and model are kept in the address', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page)
      await page.getByText('7 d', { exact: true }).click()
      await page.waitForURL(/range=7d/)
      await page.getByRole('region', { name: 'Table of models' }).getByRole('button', { name: model, exact: true }).click()
      await page.waitForURL(new RegExp(`model=${encodeURIComponent(model)}`))
      await page.reload()
      await page.getByRole('button', { name: `Show all models, not only ${model}` }).click()
      await page.waitForURL((url) => !url.searchParams.has('model') && url.searchParams.get('range') === '7d')
    })
  })

  test('a custom range stands still', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page)
      await page.getByRole('button', { name: 'Custom time range' }).click()
      await page.getByLabel('From').fill('2026-01-01T00:00')
      await page.getByLabel('To', { exact: true }).fill('2025-12-31T00:00')
      await page.getByText('must be after the start').waitFor()
      await page.getByLabel('To', { exact: true }).fill('2026-01-02T00:00')
      await page.getByRole('button', { name: 'Show', exact: true }).click()
      await page.getByText('No calls in this time').waitFor()
      assert.ok(await page.getByRole('button', { name: 'Live', exact: true }).isDisabled())
    })
  })

  test('charts are drawn, and drawn anew in the colours of the other theme', async () => {
    await withPage(browser, { theme: 'light' }, async (page) => {
      await open(page, '?range=24h')
      const canvas = page.locator('canvas').first()
      await canvas.waitFor()
      const colours = () =>
        canvas.evaluate((element) => {
          const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height)
          let painted = 0
          let sum = 0
          for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] === 0) continue
            painted++
            sum += data[i] + data[i + 1] + data[i + 2]
          }
          return { painted, mean: Math.round(sum / Math.max(1, painted)) }
        })
      await page.waitForFunction(() => document.querySelector('canvas')?.width > 0)
      const light = await colours()
      assert.ok(light.painted > 100, 'the chart is empty')
      await page.getByRole('button', { name: /^Settings/ }).click()
      await page.getByRole('menuitemradio', { name: 'Dark' }).click()
      await page.keyboard.press('Escape')
      await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark')
      await page.locator('canvas').first().waitFor()
      assert.notEqual((await colours()).mean, light.mean)
    })
  })

  test('a failing server is an error with its code and request id, and can be tried again', async () => {
    await withPage(browser, {}, async (page) => {
      let failing = true
      await page.route('**/api/v1/analytics/usage*', (route) =>
        failing
          ? route.fulfill({ status: 503, headers: { 'X-Request-Id': 'req_broken' }, json: { success: false, error: { code: 'SERVICE_UNAVAILABLE', message: 'analytics are starting' } } })
          : route.continue(),
      )
      await open(page)
      await page.getByText('analytics are starting').waitFor()
      await page.getByText('SERVICE_UNAVAILABLE').waitFor()
      await page.getByText('req_broken').waitFor()
      failing = false
      await page.getByRole('button', { name: 'Retry' }).click()
      await page.getByRole('heading', { name: 'By model', exact: true }).waitFor()
    })
  })
})
