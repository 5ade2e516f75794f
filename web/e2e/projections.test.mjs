import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('projections', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('a rebuild runs beside the living rows and says how they compare', async () => {
    await api('POST', '/api/v1/apps', { name: uniqueName('Rebuilt'), type: 'chat' })
    await withPage(browser, {}, async (page) => {
      await open(page, 'projections')
      const table = page.getByRole('table', { name: 'Read models' })
      await table.getByRole('button', { name: 'resources' }).click()
      const drawer = page.getByRole('dialog', { name: 'resources' })
      await drawer.getByRole('button', { name: 'Rebuild', exact: true }).click()
      await drawer.getByText('The new rows equal the old ones').waitFor()
    })
    const { rebuild } = await api('GET', '/api/v1/admin/projections/resources')
    assert.equal(rebuild.state, 'done')
    assert.deepEqual(rebuild.differences, [])
  })

  test('a slow rebuild can be cancelled', async () => {
    for (let i = 0; i < 5; i++) await api('POST', '/v1/sessions', {})
    await withPage(browser, {}, async (page) => {
      await open(page, 'projections?name=sessions')
      const drawer = page.getByRole('dialog', { name: 'sessions' })
      await drawer.getByLabel('Events per second').fill('1')
      await drawer.getByRole('button', { name: 'Rebuild', exact: true }).click()
      await drawer.getByRole('button', { name: 'Cancel the rebuild' }).click()
      await drawer.getByText('Cancelled').waitFor()
    })
  })
})
