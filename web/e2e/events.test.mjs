import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, eventsAfter, head, launch, makeBudget, open, withPage } from './helpers.mjs'
import { startProxy } from './proxy.mjs'

describe('live events', () => {
  let browser
  const budgets = []
  before(async () => {
    browser = await launch()
    budgets.push(await makeBudget())
  })
  after(async () => {
    for (const budget of budgets) await api('DELETE', `/api/v1/budgets/${budget.id}`)
    await browser.close()
  })

  const live = (page) => page.getByRole('status').getByText('Live', { exact: true }).waitFor()

  /** Makes something happen and answers the positions it was recorded at. */
  async function happen() {
    const before = await head()
    budgets.push(await makeBudget())
    const made = await eventsAfter(before)
    assert.ok(made.length > 0, 'creating a budget recorded no event')
    return made
  }

  const shows = (page, sequence) => page.getByRole('list', { name: 'Events' }).getByText(`#${sequence}`, { exact: true }).waitFor()

  test('what happens appears at once, with its data', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, 'events')
      await live(page)
      const [first] = await happen()
      await shows(page, first)
      await page.getByRole('list', { name: 'Events' }).getByRole('button').filter({ hasText: `#${first}` }).click()
      await page.getByRole('dialog').getByRole('region', { name: 'event data' }).waitFor()
      await page.getByText(`position ${first}`).waitFor()
    })
  })

  test('a pause misses nothing', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, 'events')
      await live(page)
      await page.getByRole('button', { name: 'Pause' }).click()
      await page.getByRole('status').getByText('Paused').waitFor()
      const made = await happen()
      await page.getByRole('button', { name: 'Resume' }).click()
      await live(page)
      for (const sequence of made) await shows(page, sequence)
    })
  })

  test('a cut connection misses nothing, under a sub-path behind a proxy', async () => {
    const proxy = await startProxy('/deep/strata')
    try {
      await withPage(browser, { origin: proxy.base }, async (page) => {
        await open(page, 'events', proxy.base)
        await live(page)
        proxy.cutSockets()
        const made = await happen()
        for (const sequence of made) await shows(page, sequence)
        const all = await page.getByRole('list', { name: 'Events' }).getByText(/^#\d+$/).allTextContents()
        assert.equal(new Set(all).size, all.length, 'an event is shown twice')
      })
    } finally {
      await proxy.stop()
    }
  })

  test('a type can be followed alone', async () => {
    await withPage(browser, {}, async (page) => {
      const [first] = await happen()
      await open(page, 'events')
      await shows(page, first)
      await page.getByRole('list', { name: 'Events' }).getByRole('button').filter({ hasText: `#${first}` }).click()
      const type = await page.getByRole('dialog').getByRole('heading').textContent()
      await page.getByRole('button', { name: 'Only this type' }).click()
      await page.waitForURL((url) => url.searchParams.get('types') === type)
      await live(page)
      const [next] = await happen()
      await shows(page, next)
      const types = await page.getByRole('list', { name: 'Events' }).getByRole('button').locator('span:nth-child(3)').allTextContents()
      assert.deepEqual([...new Set(types)], [type])
      await page.getByRole('button', { name: `Stop filtering by ${type}` }).click()
      await page.waitForURL((url) => !url.searchParams.has('types'))
    })
  })
})
