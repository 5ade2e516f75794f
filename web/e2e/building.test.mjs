import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, checkAxe, isMock, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('memories', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('added, found by words, narrowed to a user, deleted', async (t) => {
    if (await isMock()) return t.skip('the mock keeps no memories')
    const user = `user-${Date.now().toString(36)}`
    await api('POST', '/v1/memory/internal/memories', { content: 'Ordered the blue kettle in May', type: 'episodic', user_id: user })
    await withPage(browser, {}, async (page) => {
      await open(page, `memories?user_id=${user}`)
      const list = page.getByRole('list', { name: 'Memories' })
      await list.getByText('Ordered the blue kettle in May').waitFor()
      await page.getByRole('button', { name: 'Add memory' }).click()
      const form = page.getByRole('dialog')
      assert.equal(await form.getByLabel('User').inputValue(), user)
      await form.getByLabel('Memory').fill('Prefers answers in German')
      await form.getByRole('button', { name: 'Add', exact: true }).click()
      await form.waitFor({ state: 'detached' })
      await list.getByText('Prefers answers in German').waitFor()

      await page.getByLabel('Search memories').fill('which kettle was ordered')
      await list.getByRole('progressbar', { name: /blue kettle/ }).waitFor()
      assert.match(await list.getByRole('listitem').first().innerText(), /blue kettle/)

      await page.getByLabel('Search memories').fill('')
      await list.getByRole('button', { name: /^Delete “Prefers/ }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
      await list.getByText('Prefers answers in German').waitFor({ state: 'detached' })
      await list.getByText('Ordered the blue kettle in May').waitFor()
    })
  })
})

describe('knowledge', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('a base is made, given documents, searched', async (t) => {
    if (await isMock()) return t.skip('the mock embeds nothing')
    const name = uniqueName('Handbook')
    await withPage(browser, {}, async (page) => {
      await open(page, 'knowledge')
      await page.getByRole('button', { name: 'New knowledge base' }).click()
      await page.getByRole('dialog').getByLabel('Name').fill(name)
      await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click()
      await page.getByRole('heading', { name, level: 1 }).waitFor()
      await page.getByLabel('Documents to upload').setInputFiles([
        { name: 'refunds.md', mimeType: 'text/markdown', buffer: Buffer.from('# Refunds\n\nA refund takes five working days.\n') },
        { name: 'hours.txt', mimeType: 'text/plain', buffer: Buffer.from('The shop opens at nine.\n') },
        { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4 and then nothing') },
      ])
      await page.getByRole('alert').getByText('broken.pdf').waitFor()
      const row = (file) => page.getByRole('table', { name: 'Documents' }).getByRole('row').filter({ hasText: file })
      await row('refunds.md').getByText('Completed').waitFor()
      await row('hours.txt').getByText('1 of 1').waitFor()

      await page.getByLabel('Search in the documents').fill('How long does a refund take?')
      const first = page.getByRole('list', { name: 'Results' }).getByRole('listitem').first()
      await first.getByText('refunds.md').waitFor()
      assert.ok((await first.locator('mark').allInnerTexts()).some((text) => /refund/i.test(text)))

      await checkAxe(page, 'a knowledge base')
      await row('hours.txt').getByRole('button', { name: 'Delete hours.txt' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
      await row('hours.txt').waitFor({ state: 'detached' })
    })
  })
})

describe('trainings and leaderboards', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  /** Data that can be learned from, where the server was started with some. */
  async function wish() {
    if (await isMock()) return undefined
    const { data } = await api('GET', '/v1/trainings')
    return data.find((training) => training.name === 'Straight')
  }

  test('checkpoints are ranked by any metric, on one benchmark or over all, and found by name', async (t) => {
    if (!(await wish())) return t.skip('nothing was trained here')
    await withPage(browser, {}, async (page) => {
      await open(page, 'leaderboards')
      const table = page.getByRole('table', { name: 'Leaderboard' })
      await table.getByText('2 benchmarks').first().waitFor()
      const head = (name) => table.getByRole('columnheader', { name })
      assert.equal(await head('Accuracy').getAttribute('aria-sort'), 'descending')
      await head('Log loss').getByRole('button').click()
      await table.locator('th[aria-sort=ascending]').getByText('Log loss').waitFor()
      const losses = await table.locator('tbody tr').evaluateAll((rows) => rows.map((row) => Number(row.children[7].textContent)))
      assert.ok(losses.length >= 2 && losses.every((loss, i) => i === 0 || loss >= losses[i - 1]), `${losses}`)

      await page.getByLabel('Benchmark').selectOption({ label: 'Latest' })
      await table.locator('tbody').getByText('Latest').first().waitFor()
      await page.getByLabel('Name of checkpoint').fill('boosted')
      await table.locator('tbody').getByText(/^Straight/).waitFor({ state: 'detached' })
      await table.locator('tbody').getByText(/^Boosted/).click()
      await page.getByRole('heading', { name: 'Boosted', level: 1 }).waitFor()
    })
  })

  test('a training is followed while it learns, and cancelled', async (t) => {
    const like = await wish()
    if (!like) return t.skip('nothing was trained here')
    const name = uniqueName('Endless')
    const training = await api('POST', '/v1/trainings', {
      name, architecture: 'gradient_boosted_trees', data_model_id: like.data_model_id, gpu_count: 0, configuration: { epochs: 2000 },
      benchmark_ids: [], connectors: like.connectors.map((connector) => ({ ...connector, files: ['large.csv'] })),
    })
    await withPage(browser, {}, async (page) => {
      await open(page, 'trainings')
      await page.getByRole('table', { name: 'Trainings' }).getByRole('link', { name }).click()
      await page.getByText('Live', { exact: true }).waitFor()
      await page.locator('[data-curve=train_loss][d*=L]').waitFor()
      const path = await page.locator('[data-curve=train_loss]').getAttribute('d')
      await page.waitForFunction((before) => document.querySelector('[data-curve=train_loss]')?.getAttribute('d') !== before, path)
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel training' }).click()
      await page.getByText('Cancelled', { exact: true }).waitFor()
    })
    assert.equal((await api('GET', `/v1/trainings/${training.id}`)).status, 'cancelled')
  })

  test('what a training has brought: curves and checkpoints', async (t) => {
    const done = await wish()
    if (!done) return t.skip('nothing was trained here')
    await withPage(browser, {}, async (page) => {
      await open(page, `trainings?id=${done.id}`)
      await page.getByRole('table', { name: 'Checkpoints' }).getByText('final').waitFor()
      await checkAxe(page, 'a training')
      const chart = page.getByRole('img', { name: 'Loss' })
      await chart.focus()
      await page.keyboard.press('ArrowLeft')
      await page.getByRole('status').getByText('epoch 40').waitFor()
      await page.keyboard.press('ArrowLeft')
      await page.getByRole('status').getByText('epoch 39').waitFor()
    })
  })
})
