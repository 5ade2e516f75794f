import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { api, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('audit', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('who did what, what it changed, and that nobody has touched it since', async () => {
    const app = await api('POST', '/api/v1/apps', { name: uniqueName('Audited'), type: 'chat' })
    await api('PUT', `/api/v1/apps/${app.id}`, { description: 'told' })
    await withPage(browser, {}, async (page) => {
      await open(page, `audit?resource=${app.id}`)
      const list = page.getByRole('list', { name: 'Audit log' })
      await list.getByText('app.created').waitFor()
      await list.getByRole('button').filter({ hasText: 'app.updated' }).click()
      const drawer = page.getByRole('dialog')
      await drawer.getByRole('list', { name: 'Changes' }).getByText('told').waitFor()
      await page.keyboard.press('Escape')

      await page.getByRole('button', { name: 'Verify' }).click()
      await page.getByRole('status').getByText('entries are as they were written').waitFor()
    })
  })

  test('an export is a file with a proof', async () => {
    const app = await api('POST', '/api/v1/apps', { name: uniqueName('Exported'), type: 'chat' })
    await withPage(browser, {}, async (page) => {
      await open(page, `audit?resource=${app.id}`)
      await page.getByRole('list', { name: 'Audit log' }).waitFor()
      for (const [item, name] of [['JSON lines', /\.jsonl$/], ['CSV', /\.csv$/]]) {
        await page.getByRole('button', { name: 'Export' }).click()
        const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: item }).click()])
        assert.match(download.suggestedFilename(), name)
        const text = readFileSync(await download.path(), 'utf8')
        assert.ok(text.includes(app.id), text)
        assert.match(text, /proof|signature/i)
      }
    })
  })
})
