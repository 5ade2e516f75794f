import { after, before, describe, test } from 'node:test'
import { api, checkAxe, checkWidth, chatModel, launch, makeCall, open, shot, withPage } from './helpers.mjs'

const views = [
  { name: 'light', theme: 'light', width: 1360, height: 900 },
  { name: 'dark', theme: 'dark', width: 1360, height: 900 },
  { name: 'phone-light', theme: 'light', width: 380, height: 780 },
  { name: 'phone-dark', theme: 'dark', width: 380, height: 780 },
]

/** Every screen, and how it is known to be ready. */
const screens = [
  { name: 'overview', path: '?range=24h', ready: (page) => page.getByRole('heading', { name: 'By model', exact: true }).waitFor() },
  { name: 'logs', path: 'logs', ready: (page) => page.getByRole('table', { name: 'Calls' }).waitFor() },
  {
    name: 'call',
    path: 'logs',
    ready: async (page) => {
      await page.getByRole('row').filter({ visible: true }).last().click()
      await page.getByRole('heading', { name: 'Response', exact: true }).waitFor()
    },
  },
  { name: 'events', path: 'events', ready: (page) => page.getByText('Live', { exact: true }).first().waitFor() },
  {
    name: 'event',
    path: 'events',
    ready: async (page) => {
      await page.getByRole('list', { name: 'Events' }).getByRole('button').first().click()
      await page.getByRole('dialog').waitFor()
    },
  },
  { name: 'chat-empty', path: 'chat', ready: (page) => page.getByText('Start a conversation').waitFor() },
  {
    name: 'chat',
    path: 'chat',
    ready: async (page) => {
      await page.getByLabel('Message', { exact: true }).fill('The shop opens at nine. When does the shop open?')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.getByText(/tokens/).last().waitFor()
    },
  },
  { name: 'budgets', path: 'budgets', ready: (page) => page.getByRole('list', { name: 'Budgets' }).waitFor() },
  {
    name: 'budget',
    path: 'budgets',
    ready: async (page) => {
      await page.getByRole('list', { name: 'Budgets' }).getByRole('button').first().click()
      await page.getByLabel('Breakdown', { exact: true }).waitFor()
    },
  },
  {
    name: 'budget-form',
    path: 'budgets',
    ready: async (page) => {
      await page.getByRole('button', { name: 'New budget' }).click()
      await page.getByLabel('Name').waitFor()
    },
  },
  { name: 'resources', path: 'resources?kind=budgets', ready: (page) => page.getByRole('list', { name: 'Budgets' }).waitFor() },
  {
    name: 'resource',
    path: 'resources?kind=budgets',
    ready: async (page) => {
      await page.getByRole('list', { name: 'Budgets' }).getByRole('button').first().click()
      await page.getByRole('list', { name: 'Changes' }).waitFor()
    },
  },
  ...['Agents', 'Workflows', 'Trainings', 'Leaderboards', 'Knowledge', 'Memories'].map((title) => ({
    name: title.toLowerCase(),
    path: title.toLowerCase(),
    // Whatever the server has of it: rows, or a word about there being none.
    ready: async (page) => {
      await page.getByRole('heading', { name: title, level: 1 }).waitFor()
      await page.getByRole('status', { name: 'Loading' }).first().waitFor({ state: 'detached' })
    },
  })),
  { name: 'projections', path: 'projections', ready: (page) => page.getByRole('table', { name: 'Read models' }).waitFor() },
  {
    name: 'projection',
    path: 'projections?name=resources',
    ready: (page) => page.getByRole('dialog').getByRole('heading', { name: 'Rebuild' }).waitFor(),
  },
  {
    name: 'audit',
    path: 'audit',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Verify' }).click()
      await page.getByRole('status').getByText('entries').waitFor()
      await page.getByRole('list', { name: 'Audit log' }).waitFor()
    },
  },
  { name: 'privacy', path: 'privacy', ready: (page) => page.getByRole('list', { name: 'Erasures' }).or(page.getByText('Nobody was erased yet')).first().waitFor() },
  {
    name: 'erase-form',
    path: 'privacy',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Erase a person' }).click()
      await page.getByLabel('Subject').waitFor()
    },
  },
  { name: 'quickstart', path: 'quickstart', ready: (page) => page.getByRole('heading', { name: 'Limit it' }).waitFor() },
  { name: 'sign-in', path: '', signedIn: false, ready: (page) => page.getByLabel('API key', { exact: true }).waitFor() },
]

describe('every screen in both themes and on a phone', () => {
  let browser
  let budget
  before(async () => {
    browser = await launch()
    const model = await chatModel()
    await makeCall({ model })
    budget = await api('POST', '/api/v1/budgets', { name: 'Looks', scopeType: 'model', scopeId: model, limitUsd: 10, period: 'monthly' })
  })
  after(async () => {
    await api('DELETE', `/api/v1/budgets/${budget.id}`)
    await browser.close()
  })

  for (const view of views) {
    for (const screen of screens) {
      test(`${screen.name} (${view.name})`, async () => {
        await withPage(browser, { ...view, signedIn: screen.signedIn }, async (page) => {
          await open(page, screen.path)
          await screen.ready(page)
          await page.evaluate(() => document.fonts.ready)
          await shot(page, `${screen.name}-${view.name}`)
          await checkWidth(page, screen.name)
          await checkAxe(page, `${screen.name} (${view.name})`)
        })
      })
    }
  }
})
