import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, checkAxe, checkWidth, isMock, launch, open, shot, uniqueName, withPage } from './helpers.mjs'

/** Where a form is looked at by eye, by axe, and for its width. */
const views = [
  { name: 'light', theme: 'light', width: 1280, height: 900 },
  { name: 'phone-dark', theme: 'dark', width: 390, height: 844 },
]

async function looks(browser, path, name, ready) {
  for (const view of views) {
    await withPage(browser, view, async (page) => {
      await open(page, path)
      await ready(page)
      await page.evaluate(() => document.fonts.ready)
      await shot(page, `${name}-${view.name}`)
      await checkWidth(page, name)
      await checkAxe(page, `${name} (${view.name})`)
    })
  }
}

describe('agents', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('one is made, refused first with the fault at its field, asked, changed', async (t) => {
    if (await isMock()) return t.skip('the mock runs nothing')
    const name = uniqueName('clerk')
    const base = await api('POST', '/api/v1/datasets', { name: uniqueName('Opening hours') })
    await looks(browser, 'agents?new=1', 'agent-form', (page) => page.getByRole('checkbox', { name: 'Calculator' }).waitFor())
    await withPage(browser, {}, async (page) => {
      await open(page, 'agents')
      await page.getByRole('button', { name: 'New agent' }).click()
      const form = page.getByRole('form', { name: 'New agent' })
      await form.getByLabel('Name').fill(name)
      await form.getByLabel('Instructions').fill('You help {{customer}}. The shop opens at nine and closes at six.')
      await form.getByLabel('Temperature').fill('7')
      await form.getByLabel('More tools').fill('telepathy')
      await form.getByLabel(base.name).check()
      await form.getByLabel(base.name).uncheck()
      await form.getByRole('button', { name: 'Create agent' }).click()
      await page.locator('input[aria-invalid=true]').waitFor()
      assert.match(await described(page, form.getByLabel('Temperature')), /2/)
      await form.getByLabel('Temperature').fill('0.2')
      await form.getByRole('button', { name: 'Create agent' }).click()
      await form.getByText(/telepathy/).filter({ hasText: 'mcp:' }).waitFor()
      await form.getByLabel('More tools').fill('')
      await form.getByRole('button', { name: 'Create agent' }).click()

      await page.getByRole('heading', { name, level: 1 }).waitFor()
      await page.getByLabel('customer').fill('Ada')
      await page.getByLabel('Message to the agent').fill('When does the shop open?')
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      await page.getByRole('region', { name: 'Answer' }).getByText(/nine/).waitFor()

      await page.getByRole('link', { name }).click()
      await page.getByRole('button', { name: 'Edit' }).click()
      const edit = page.getByRole('form', { name: `Edit ${name}` })
      await edit.getByLabel('Description').fill('Knows the hours')
      await edit.getByRole('button', { name: 'Save' }).click()
      await page.getByText('When does the shop open?').waitFor()
    })
    const [made] = await api('GET', `/api/v1/agents?search=${encodeURIComponent(name)}`)
    assert.deepEqual([made.description, made.temperature, made.tools, made.status], ['Knows the hours', 0.2, [], 'active'])
  })

  test('an agent with an input schema is asked with its fields', async (t) => {
    if (await isMock()) return t.skip('the mock runs nothing')
    const agent = await api('POST', '/api/v1/agents', {
      name: uniqueName('fields'), status: 'active', instructions: 'The shop opens at nine.',
      inputSchema: { type: 'object', required: ['question'], properties: { question: { type: 'string', minLength: 3 }, count: { type: 'integer' } } },
    })
    await withPage(browser, {}, async (page) => {
      await open(page, `agents?id=${agent.id}`)
      await page.getByLabel('question').fill('No')
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      await page.locator('textarea[aria-invalid=true]').waitFor()
      assert.match(await described(page, page.getByLabel('question')), /3/)
      await page.getByLabel('question').fill('When does the shop open?')
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      await page.getByRole('region', { name: 'Answer' }).waitFor()
    })
    const [run] = await api('GET', `/api/v1/runs?agentId=${agent.id}`)
    assert.deepEqual(run.input, { question: 'When does the shop open?' })
  })
})

describe('workflows', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  const nodes = (page) => page.getByRole('list', { name: 'Nodes' })

  test('one is written, its faults are shown at their paths, it is drawn as one types, made, run', async (t) => {
    if (await isMock()) return t.skip('the mock checks nothing')
    const name = uniqueName('reply')
    await looks(browser, 'workflows?new=1', 'workflow-editor', (page) => page.getByText('Nothing to mend').waitFor())
    await withPage(browser, {}, async (page) => {
      await open(page, 'workflows')
      await page.getByRole('button', { name: 'New workflow' }).click()
      const form = page.getByRole('form', { name: 'New workflow' })
      const text = form.getByLabel('Definition')
      await form.getByText('Nothing to mend').waitFor()
      const good = await text.inputValue()

      await text.fill(good.replace('prompt:', 'promt:').replace('target: end', 'target: exit'))
      const faults = form.getByRole('list', { name: 'Faults' })
      await faults.getByText('nodes[1].config', { exact: true }).waitFor()
      await nodes(page).getByRole('button', { name: /1 to mend/ }).waitFor()
      await faults.getByRole('button').filter({ hasText: 'edges[1].target' }).click()
      assert.equal(await lineOfCaret(text), 1 + good.slice(0, good.indexOf('target: end')).split('\n').length - 1)
      await checkAxe(page, 'a definition with faults')
      await shot(page, 'workflow-editor-faults')

      await text.fill('nodes:\n  - id: [')
      await faults.getByRole('button').filter({ hasText: /^Line [23]/ }).first().waitFor()
      await text.fill(good.replace('Write the answer', 'Say it'))
      await nodes(page).getByRole('button', { name: 'Say it' }).waitFor()
      await form.getByRole('radio', { name: 'JSON' }).check({ force: true })
      assert.equal(JSON.parse(await text.inputValue()).nodes[1].name, 'Say it')

      await form.getByLabel('Name').fill(name)
      await form.getByRole('button', { name: 'Create workflow' }).click()
      await page.getByRole('heading', { name, level: 1 }).waitFor()
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      const dialog = page.getByRole('dialog')
      assert.equal(await dialog.getByLabel('Question').inputValue(), 'When does the shop open?')
      await dialog.getByRole('button', { name: 'Run', exact: true }).click()
      await nodes(page).locator('button[data-state=completed]').filter({ hasText: 'end' }).waitFor()

      await page.getByRole('link', { name }).click()
      await page.getByRole('button', { name: 'Edit' }).click()
      const edit = page.getByRole('form', { name: `Edit ${name}` })
      await edit.getByLabel('Definition').fill(good)
      await edit.getByRole('button', { name: 'Save' }).click()
      await nodes(page).getByRole('button', { name: 'Write the answer' }).waitFor()
    })
    const [made] = await api('GET', `/api/v1/workflows?search=${encodeURIComponent(name)}`)
    assert.equal(made.version, 2)
  })

  test('every example runs as it is', async (t) => {
    if (await isMock()) return t.skip('the mock checks nothing')
    await withPage(browser, {}, async (page) => {
      for (const example of ['Ask a person', 'Each item of a list']) {
        const name = uniqueName('example')
        await open(page, 'workflows?new=1')
        await page.getByLabel('Example').selectOption({ label: example })
        await page.getByText('Nothing to mend').waitFor()
        await page.getByLabel('Name').fill(name)
        await page.getByRole('button', { name: 'Create workflow' }).click()
        await page.getByRole('heading', { name, level: 1 }).waitFor()
        await page.getByRole('button', { name: 'Run', exact: true }).click()
        await page.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click()
        if (example === 'Ask a person') {
          await page.getByRole('region', { name: 'Decide: Approve' }).getByRole('button', { name: 'Pay' }).click()
        }
        await page.getByText('Completed', { exact: true }).first().waitFor()
      }
    })
  })
})

describe('knowledge bases', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('one is made with its own chunks, refused first at the field, and documents are dropped on it', async (t) => {
    if (await isMock()) return t.skip('the mock embeds nothing')
    const name = uniqueName('Dropped')
    await withPage(browser, {}, async (page) => {
      await open(page, 'knowledge')
      await page.getByRole('button', { name: 'New knowledge base' }).click()
      const form = page.getByRole('dialog')
      await form.getByLabel('Name').fill(name)
      await form.getByText('How it is embedded').click()
      await form.getByLabel('Chunk size').fill('3')
      await checkAxe(page, 'the form of a knowledge base')
      await form.getByRole('button', { name: 'Create' }).click()
      await form.locator('input[aria-invalid=true]').waitFor()
      assert.match(await described(page, form.getByLabel('Chunk size')), /16/)
      await form.getByLabel('Chunk size').fill('200')
      await form.getByLabel('Overlap').fill('20')
      await form.getByRole('button', { name: 'Create' }).click()
      await page.getByText(/200 tokens a chunk, 20 shared/).waitFor()

      await page.getByRole('region', { name: 'upload example' }).waitFor()
      const dropped = await page.evaluateHandle(() => {
        const data = new DataTransfer()
        data.items.add(new File(['# Refunds\n\nA refund takes five working days.\n'], 'refunds.md', { type: 'text/markdown' }))
        data.items.add(new File(['The shop opens at nine.\n'], 'hours.txt', { type: 'text/plain' }))
        return data
      })
      await page.getByText('or drop them here').dispatchEvent('drop', { dataTransfer: dropped })
      const table = page.getByRole('table', { name: 'Documents' })
      for (const file of ['refunds.md', 'hours.txt']) await table.getByRole('row').filter({ hasText: file }).getByText('Completed').waitFor()
    })
  })
})

describe('trainings and benchmarks', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  /** A connector with tables to learn from, where the server was started with one. */
  const source = async () => ((await isMock()) ? undefined : (await api('GET', '/v1/connectors')).data.find(({ name }) => name === 'churn data'))

  test('a benchmark is made, a training is begun with what the form offers, its checkpoint is evaluated', async (t) => {
    if (!(await source())) return t.skip('there is nothing to learn from here')
    const [benchmark, model, training] = ['Hold-out', 'Leavers', 'Leaver trees'].map(uniqueName)
    await looks(browser, 'trainings?new=1', 'training-form', (page) => page.getByLabel('Connector', { exact: true }).getByText('churn data', { exact: true }).first().waitFor({ state: 'attached' }))
    await looks(browser, 'leaderboards?new=1', 'benchmark-form', (page) => page.getByLabel('Connector', { exact: true }).getByText('churn data', { exact: true }).first().waitFor({ state: 'attached' }))
    await withPage(browser, {}, async (page) => {
      await open(page, 'leaderboards')
      await page.getByRole('button', { name: 'New benchmark' }).click()
      const board = page.getByRole('form', { name: 'New benchmark' })
      await board.getByLabel('Name').fill(benchmark)
      await board.getByLabel('Description').fill('of another quarter')
      await board.getByLabel('Connector', { exact: true }).selectOption({ label: 'churn data' })
      await board.getByLabel('later.csv').check()
      await board.getByLabel('Target').fill('churned')
      await board.getByRole('button', { name: 'Create benchmark' }).click()
      await page.getByText(`Checkpoints as measured on ${benchmark}.`).waitFor()

      await open(page, 'trainings')
      await page.getByRole('button', { name: 'New training' }).click()
      const form = page.getByRole('form', { name: 'New training' })
      await form.getByLabel('Name', { exact: true }).fill(training)
      await form.getByLabel('Connector', { exact: true }).selectOption({ label: 'churn data' })
      // With data models there is a choice of them; without, one is made in any case.
      await form.getByLabel('Data model', { exact: true }).or(form.getByLabel('Name of the data model')).first().waitFor()
      if (await form.getByLabel('Data model', { exact: true }).count()) await form.getByLabel('Data model', { exact: true }).selectOption({ label: 'Another…' })
      await form.getByLabel('Name of the data model').fill(model)
      await form.getByLabel('churn.csv', { exact: false }).first().check()
      await form.getByLabel('Epochs', { exact: true }).fill('-3')
      await form.getByRole('button', { name: 'Start training' }).click()
      await page.locator('input[aria-invalid=true]').first().waitFor()
      assert.match(await described(page, form.getByLabel('Epochs', { exact: true })), /between 1 and/)
      assert.match(await described(page, form.getByLabel('Target')), /name the column/)
      await form.getByLabel('Epochs', { exact: true }).fill('12')
      await form.getByLabel('Target').fill('churned')
      await form.getByRole('button', { name: 'Start training' }).click()

      await page.getByRole('heading', { name: training, level: 1 }).waitFor()
      await page.getByText('Succeeded', { exact: true }).waitFor()
      await page.getByRole('table', { name: 'Checkpoints' }).getByRole('button', { name: /^Evaluate/ }).first().click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Benchmark').selectOption({ label: benchmark })
      await dialog.getByRole('button', { name: 'Evaluate', exact: true }).click()
      await dialog.getByText('Accuracy').or(dialog.getByText('It goes on')).waitFor()
      await checkAxe(page, 'an evaluation')
      await dialog.getByRole('link', { name: 'See the leaderboard' }).click()
      await page.getByRole('table', { name: 'Leaderboard' }).getByText(training).first().waitFor()
    })
    // The refused attempt made the data model; the second took it.
    const models = await api('GET', `/api/v1/data-models?search=${encodeURIComponent(model)}`)
    assert.equal(models.length, 1)
  })
})

/** What a field's note says. */
async function described(page, field) {
  const id = await field.getAttribute('aria-describedby')
  return page.locator(`[id="${id}"]`).innerText()
}

const lineOfCaret = (field) => field.evaluate((area) => area.value.slice(0, area.selectionStart).split('\n').length)
