import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, checkAxe, checkWidth, isMock, launch, open, shot, uniqueName, withPage } from './helpers.mjs'

const late = (page, noun) => page.getByRole('region', { name: `Not saved: this ${noun} was changed while you were editing it` })
const theirs = (page) => page.getByRole('region', { name: 'Their changes' })

describe('two people who edit the same', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('agent: the second is told what the first has changed, takes it, goes back, and overwrites', async (t) => {
    if (await isMock()) return t.skip('the mock keeps no agents')
    const path = await api('POST', '/api/v1/agents', { name: uniqueName('shared'), instructions: 'Be kind.', status: 'active' }).then(({ id }) => `/api/v1/agents/${id}`)
    const { id, name } = await api('GET', path)
    await withPage(browser, { width: 390, height: 844, theme: 'dark' }, async (page) => {
      await open(page, `agents?id=${id}&edit=1`)
      const form = page.getByRole('form', { name: `Edit ${name}` })
      await form.getByLabel('Description').fill('Mine')
      await api('PATCH', path, { instructions: 'Be brief.' })
      await form.getByRole('button', { name: 'Save' }).click()

      await theirs(page).getByText('Be brief.').waitFor()
      assert.equal(await theirs(page).getByRole('listitem').count(), 1)
      assert.ok(await late(page, 'agent').evaluate((notice) => notice === document.activeElement), 'the notice has the focus')
      assert.equal(await form.getByLabel('Description').inputValue(), 'Mine')
      await checkAxe(page, 'a save that came late')
      await checkWidth(page, 'a save that came late')
      await shot(page, 'late-save-phone-dark')
      await page.waitForFunction(() => [...document.querySelectorAll('button')].some((button) => button.textContent === 'Load theirs' && button.getBoundingClientRect().bottom < innerHeight - 60))
      assert.deepEqual(await api('GET', path).then(({ description = '', instructions }) => [description, instructions]), ['', 'Be brief.'])

      await page.getByRole('button', { name: 'Load theirs' }).click()
      await page.getByRole('button', { name: 'Back to mine' }).waitFor()
      assert.deepEqual([await form.getByLabel('Description').inputValue(), await form.getByLabel('Instructions').inputValue()], ['', 'Be brief.'])
      await page.getByRole('button', { name: 'Back to mine' }).click()
      assert.deepEqual([await form.getByLabel('Description').inputValue(), await form.getByLabel('Instructions').inputValue()], ['Mine', 'Be kind.'])

      // Whoever saves in between is noticed as well.
      await api('PATCH', path, { status: 'inactive' })
      await form.getByRole('button', { name: 'Save' }).click()
      await theirs(page).getByText('inactive').waitFor()
      await page.getByRole('button', { name: 'Overwrite with mine' }).click()
      await page.getByRole('heading', { name, level: 1 }).waitFor()
    })
    assert.deepEqual(await api('GET', path).then((agent) => [agent.description, agent.instructions, agent.status]), ['Mine', 'Be kind.', 'active'])
  })

  test('workflow: what was saved first is taken, and changed further', async (t) => {
    if (await isMock()) return t.skip('the mock keeps no workflows')
    const made = await api('POST', '/api/v1/workflows', {
      name: uniqueName('shared'), status: 'active',
      nodes: [{ id: 'start', type: 'start' }, { id: 'end', type: 'end' }], edges: [{ source: 'start', target: 'end' }],
    })
    const path = `/api/v1/workflows/${made.id}`
    await withPage(browser, {}, async (page) => {
      await open(page, `workflows?id=${made.id}&edit=1`)
      const form = page.getByRole('form', { name: `Edit ${made.name}` })
      await form.getByLabel('Definition').fill((await form.getByLabel('Definition').inputValue()).replaceAll('start', 'begin').replace('type: begin', 'type: start'))
      await api('PATCH', path, { description: 'Theirs' })
      await form.getByRole('button', { name: 'Save' }).click()
      await theirs(page).getByText('Theirs').waitFor()
      await shot(page, 'late-save-light')
      await page.getByRole('button', { name: 'Load theirs' }).click()
      await form.getByText('What you had typed is kept').waitFor()
      assert.equal(await form.getByLabel('Description').inputValue(), 'Theirs')
      assert.match(await form.getByLabel('Definition').inputValue(), /id: start/)
      await form.getByLabel('Description').fill('Both')
      await form.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('heading', { name: made.name, level: 1 }).waitFor()
    })
    assert.deepEqual(await api('GET', path).then(({ description, nodes }) => [description, nodes[0].id]), ['Both', 'start'])
  })
})
