import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, checkWidth, launch, makeBudget, open, uniqueName, withPage } from './helpers.mjs'

describe('budgets', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  const card = (page, name) => page.getByRole('list', { name: 'Budgets' }).getByRole('listitem').filter({ hasText: name })

  test('a long name is cut on a phone', async () => {
    const budget = await makeBudget({ name: uniqueName('Support team of the northern region, all applications') })
    await withPage(browser, { width: 390, height: 844 }, async (page) => {
      await open(page, 'budgets')
      await card(page, budget.name).waitFor()
      await checkWidth(page, 'budgets')
    })
    await api('DELETE', `/api/v1/budgets/${budget.id}`)
  })

  test('an edit leaves what somebody else has changed meanwhile', async () => {
    const budget = await makeBudget({ name: uniqueName('Shared'), limitUsd: 5 })
    const name = uniqueName('Other')
    await withPage(browser, {}, async (page) => {
      await open(page, 'budgets')
      await card(page, budget.name).getByRole('button', { name: `Actions for ${budget.name}` }).click()
      await page.getByRole('menuitem', { name: 'Edit' }).click()
      await page.getByRole('dialog').getByLabel('Name').fill(name)
      await api('PUT', `/api/v1/budgets/${budget.id}`, { limitUsd: 7 })
      await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
      await card(page, name).getByText('of $7.00').waitFor()
    })
    await api('DELETE', `/api/v1/budgets/${budget.id}`)
  })

  test('created, seen at once, edited, reset and deleted', async () => {
    const name = uniqueName('Team')
    await withPage(browser, {}, async (page) => {
      await open(page, 'budgets')
      await page.getByRole('button', { name: 'New budget' }).click()
      const form = page.getByRole('dialog')
      await form.getByLabel('Name').fill(name)
      await form.getByLabel('Limit in USD').fill('12.5')
      await form.getByLabel('Period').selectOption('weekly')
      await form.getByRole('button', { name: 'Create' }).click()
      await form.waitFor({ state: 'detached' })
      await card(page, name).getByText('of $12.50 a week').waitFor()

      await card(page, name).getByRole('button', { name: `Actions for ${name}` }).click()
      await page.getByRole('menuitem', { name: 'Edit' }).click()
      await form.getByLabel('Limit in USD').fill('20')
      await form.getByRole('button', { name: 'Save' }).click()
      await card(page, name).getByText('of $20.00 a week').waitFor()

      await card(page, name).getByRole('button', { name, exact: true }).click()
      await page.getByRole('dialog', { name }).getByText('of $20.00').waitFor()
      await page.getByText('By day').click()
      await page.keyboard.press('Escape')

      await card(page, name).getByRole('button', { name: `Actions for ${name}` }).click()
      await page.getByRole('menuitem', { name: 'Reset usage' }).click()
      await form.getByLabel('Reason').fill('a test')
      await form.getByRole('button', { name: 'Reset', exact: true }).click()
      await form.waitFor({ state: 'detached' })

      await card(page, name).getByRole('button', { name: `Actions for ${name}` }).click()
      await page.getByRole('menuitem', { name: 'Delete' }).click()
      await form.getByRole('button', { name: 'Delete', exact: true }).click()
      await form.waitFor({ state: 'detached' })
      await card(page, name).waitFor({ state: 'detached' })
    })
    const left = await api('GET', '/api/v1/budgets?limit=100')
    assert.equal(left.some((budget) => budget.name === name), false)
  })

  test('a fault stands beside its field', async () => {
    await withPage(browser, {}, async (page) => {
      // The form refuses what it can by itself, so the body is spoiled on its way to the server.
      await page.route('**/api/v1/budgets', (route) =>
        route.request().method() === 'POST' ? route.continue({ postData: { ...route.request().postDataJSON(), limitUsd: -1 } }) : route.fallback(),
      )
      await open(page, 'budgets')
      await page.getByRole('button', { name: 'New budget' }).click()
      const form = page.getByRole('dialog')
      await form.getByLabel('Name').fill(uniqueName('Nothing'))
      await form.getByLabel('Limit in USD').fill('1')
      await form.getByRole('button', { name: 'Create' }).click()
      await form.locator('[aria-invalid=true]').first().waitFor()
      assert.equal(await form.getByLabel('Limit in USD').getAttribute('aria-invalid'), 'true')
    })
  })

  test('the address opens one budget', async () => {
    const budget = await makeBudget()
    try {
      await withPage(browser, {}, async (page) => {
        await open(page, `budgets?budget=${budget.id}`)
        await page.getByRole('dialog', { name: budget.name }).waitFor()
      })
    } finally {
      await api('DELETE', `/api/v1/budgets/${budget.id}`)
    }
  })
})
