import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('resources', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('the slider shows a resource as it was, with what changed and who did it', async () => {
    const name = uniqueName('Desk')
    const app = await api('POST', '/api/v1/apps', { name, type: 'chat', config: { model: 'strata/extract-1' } })
    await api('PUT', `/api/v1/apps/${app.id}`, { description: 'first' })
    await api('PUT', `/api/v1/apps/${app.id}`, { name: `${name} two`, description: 'second' })

    await withPage(browser, {}, async (page) => {
      await open(page, `resources?kind=apps&search=${encodeURIComponent(name)}`)
      await page.getByRole('list', { name: 'Apps' }).getByRole('button').first().click()
      const drawer = page.getByRole('dialog')
      const slider = drawer.getByRole('slider')
      await slider.waitFor()
      assert.equal(await slider.inputValue(), '2')
      const changes = drawer.getByRole('list', { name: 'Changes' })
      await changes.getByText('second').waitFor()
      await changes.getByText(`${name} two`).waitFor()

      await slider.focus()
      await page.keyboard.press('ArrowLeft')
      await drawer.getByRole('region', { name: 'Revision 1' }).getByText('first').waitFor()
      assert.equal(await changes.getByText('second').count(), 0)

      await drawer.getByText('Changed since').click()
      await changes.getByText('second').waitFor()
      await drawer.getByText('As it was').click()
      await drawer.getByRole('region', { name: 'revision 1' }).getByText('"first"').waitFor()

      await page.keyboard.press('Escape')
      await drawer.waitFor({ state: 'detached' })
    })
    await api('DELETE', `/api/v1/apps/${app.id}`)
  })

  test('what was deleted can still be seen as it was', async () => {
    const app = await api('POST', '/api/v1/apps', { name: uniqueName('Gone'), type: 'chat' })
    await api('DELETE', `/api/v1/apps/${app.id}`)
    await withPage(browser, {}, async (page) => {
      await open(page, `resources?kind=apps&id=${app.id}`)
      const drawer = page.getByRole('dialog')
      await drawer.getByText('As it was').click()
      await drawer.getByText('It was deleted at this revision.').waitFor()
      await drawer.getByRole('button', { name: 'Earlier revision' }).click()
      await drawer.getByRole('region', { name: 'revision 0' }).getByText(`"${app.name}"`).waitFor()
    })
  })

  test('every kind can be listed', async () => {
    await withPage(browser, {}, async (page) => {
      await open(page, 'resources')
      await page.getByLabel('Kind').waitFor()
      const kinds = await page.getByLabel('Kind').locator('option').allTextContents()
      assert.ok(kinds.length >= 9)
      for (const kind of kinds) {
        await page.getByLabel('Kind').selectOption({ label: kind })
        const list = page.getByRole('list', { name: kind, exact: true })
        await list.or(page.getByText(`No ${kind.toLowerCase()} yet`)).first().waitFor()
        assert.equal(await page.getByRole('alert').count(), 0, kind)
      }
    })
  })
})
