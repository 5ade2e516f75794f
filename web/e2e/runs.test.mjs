import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { api, checkAxe, checkWidth, isMock, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('workflows', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  const node = (page, name) => page.getByRole('list', { name: 'Nodes' }).getByRole('button').filter({ hasText: name })
  const inState = (page, name, state) => page.getByRole('list', { name: 'Nodes' }).locator(`button[data-state=${state}]`).filter({ hasText: name })

  async function review() {
    return api('POST', '/api/v1/workflows', {
      name: uniqueName('review'), status: 'active',
      inputSchema: { type: 'object', properties: { total: { type: 'number', default: 250 }, items: { type: 'array', default: [1, 2, 3] } } },
      nodes: [
        { id: 'start', type: 'start' },
        { id: 'each', type: 'loop', name: 'Double each', config: { items: 'inputs.items', do: { type: 'transform', config: { expression: 'item * 2' } } } },
        { id: 'approve', type: 'human', name: 'Approve', config: { prompt: 'Send {{inputs.total}}?', decisions: ['send', 'drop'] } },
        { id: 'end', type: 'end', config: { outputs: { doubled: '{{nodes.each}}' } } },
      ],
      edges: [{ source: 'start', target: 'each' }, { source: 'each', target: 'approve' }, { source: 'approve', target: 'end', sourceHandle: 'send' }],
    })
  }

  test('a run is started, waits for a person, is answered and completes, live', async (t) => {
    if (await isMock()) return t.skip('the mock runs nothing')
    const workflow = await review()
    await withPage(browser, {}, async (page) => {
      await open(page, 'workflows')
      await page.getByRole('table', { name: 'Workflows' }).getByRole('link', { name: workflow.name }).click()
      await node(page, 'Approve').waitFor()
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click()

      const question = page.getByRole('region', { name: 'Decide: Approve' })
      await question.getByText('Send 250?').waitFor()
      await inState(page, 'Approve', 'waiting').waitFor()
      await node(page, 'Double each').getByText('3 of 3').waitFor()
      await page.getByText('Live', { exact: true }).waitFor()
      await question.getByRole('button', { name: 'Send' }).click()
      await inState(page, 'end', 'completed').waitFor()
      await page.getByText('Completed', { exact: true }).first().waitFor()

      await node(page, 'Double each').click()
      await checkAxe(page, 'a run of a workflow')
      await page.getByRole('region', { name: 'output', exact: true }).getByText('6').waitFor()
    })
  })

  test('a run that failed shows where, and is retried; one that waits is cancelled', async (t) => {
    if (await isMock()) return t.skip('the mock runs nothing')
    const failing = await api('POST', '/api/v1/workflows', {
      name: uniqueName('failing'), status: 'active',
      nodes: [
        { id: 'start', type: 'start' },
        { id: 'check', type: 'validation', config: { rules: [{ expression: '1 == 2', message: 'one is not two' }] } },
        { id: 'end', type: 'end' },
      ],
      edges: [{ source: 'start', target: 'check' }, { source: 'check', target: 'end' }],
    })
    const failed = await api('POST', `/api/v1/workflows/${failing.id}/execute`, { inputs: {} })
    const waiting = await review()
    const paused = await api('POST', `/api/v1/workflows/${waiting.id}/execute`, { inputs: { total: 1, items: [] } })
    await withPage(browser, {}, async (page) => {
      await open(page, `workflows?id=${failing.id}&run=${failed.runId}`)
      await inState(page, 'check', 'failed').waitFor()
      await page.getByRole('alert').first().getByText(/one is not two/).waitFor()
      await page.getByRole('button', { name: 'Retry' }).last().click()
      await page.waitForURL((url) => !url.search.includes(failed.runId))
      await page.getByRole('link', { name: failed.runId }).waitFor()

      await open(page, `workflows?id=${waiting.id}&run=${paused.runId}`)
      await page.getByRole('region', { name: 'Decide: Approve' }).waitFor()
      await page.getByRole('button', { name: 'Cancel', exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel run' }).click()
      await inState(page, 'Approve', 'cancelled').waitFor()
      assert.equal(await page.getByRole('alert').count(), 0)
    })
    assert.equal((await api('GET', `/api/v1/workflows/${waiting.id}/executions/${paused.runId}`)).status, 'cancelled')
  })
})

describe('agents', () => {
  let browser
  before(async () => (browser = await launch()))
  after(() => browser.close())

  test('an agent is asked, its steps are seen, and one is forked', async (t) => {
    if (await isMock()) return t.skip('the mock runs nothing')
    const agent = await api('POST', '/api/v1/agents', {
      name: uniqueName('hours'), model: 'strata/extract-1', status: 'active', instructions: 'You help customers. The shop opens at nine and closes at six.',
    })
    await withPage(browser, {}, async (page) => {
      await open(page, 'agents')
      await page.getByRole('table', { name: 'Agents' }).getByRole('link', { name: agent.name }).click()
      await page.getByLabel('Message to the agent').fill('When does the shop open?')
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      const steps = page.getByRole('list', { name: 'Steps' })
      await steps.getByText('strata/extract-1').waitFor()
      await page.getByRole('region', { name: 'Answer' }).getByText(/nine/).waitFor()
      await checkAxe(page, 'a run of an agent')
      await checkWidth(page, 'a run of an agent')
      const before = page.url()
      await steps.getByRole('button', { name: 'Fork from step 1' }).click()
      await page.waitForURL((url) => url.href !== before)
      await page.getByRole('link', { name: 'step 1 of another run' }).waitFor()
      await page.getByRole('region', { name: 'Answer' }).getByText(/nine/).waitFor()
    })
    assert.equal((await api('GET', `/api/v1/runs?agentId=${agent.id}`)).length, 2)
  })
})
