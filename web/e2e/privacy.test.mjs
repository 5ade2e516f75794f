import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('privacy', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('a person is erased after being named twice, and the proof stays', async () => {
    const subject = uniqueName('user').replaceAll(' ', '-')
    const memory = await api('POST', '/v1/memory/internal/memories', { content: 'likes green tea', user_id: subject })
    await withPage(browser, {}, async (page) => {
      await open(page, 'privacy')
      await page.getByRole('button', { name: 'Erase a person' }).click()
      const form = page.getByRole('dialog')
      await form.getByLabel('Subject').fill(subject)
      await form.getByLabel('The same again').fill('somebody else')
      assert.ok(await form.getByRole('button', { name: 'Erase for ever' }).isDisabled())
      await form.getByLabel('The same again').fill(subject)
      await form.getByLabel('Reason').fill('asked by letter')
      await form.getByRole('button', { name: 'Erase for ever' }).click()
      await form.waitFor({ state: 'detached' })
      const item = page.getByRole('list', { name: 'Erasures' }).getByRole('listitem').filter({ hasText: subject })
      await item.getByText('completed').waitFor()
      await item.getByText('asked by letter').waitFor()
    })
    const left = await api('GET', `/v1/memory/internal/memories/${memory.id}`) // that it was there can be seen
    assert.equal(left.content, '')
    assert.ok(!JSON.stringify(left).includes(subject))
  })
})
