import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { chatModel, launch, open, uniqueName, withPage } from './helpers.mjs'

describe('chat', () => {
  let browser
  let model
  before(async () => {
    browser = await launch()
    model = await chatModel()
  })
  after(() => browser.close())

  const ask = async (page, question) => {
    await page.getByLabel('Model or app').selectOption(`model:${model}`)
    await page.getByLabel('Message', { exact: true }).fill(question)
    await page.keyboard.press('Enter')
  }
  const answered = (page) => page.getByText(/\d tokens/).last().waitFor()

  test('a conversation is held, rated, found again and deleted', async () => {
    await withPage(browser, {}, async (page) => {
      const name = uniqueName('shop').replaceAll(' ', '-')
      await open(page, 'chat')
      await ask(page, `${name}: The shop opens at nine. When does it open?`)
      await answered(page)
      await page.waitForURL(/chat=/)
      await ask(page, 'And when does it close?')
      await page.getByRole('button', { name: 'Send' }).waitFor()
      await answered(page)
      await page.getByRole('button', { name: 'Good answer' }).last().click()
      await page.getByText('Thank you.').waitFor()

      await page.getByRole('button', { name: 'New chat' }).click()
      await page.getByText('Start a conversation').waitFor()
      const history = page.getByRole('complementary', { name: 'History' })
      await history.getByText(name).first().click()
      await page.getByRole('log').getByText('You: And when does it close?').waitFor()
      await history.getByRole('button', { name: new RegExp(`Delete .*${name}`) }).click()
      await history.getByText(name).first().waitFor({ state: 'detached' })
      await page.getByText('Start a conversation').waitFor()
    })
  })

  test('an answer can be stopped', async () => {
    await withPage(browser, {}, async (page) => {
      // The socket is ours here: the real answer could be over before anybody stops it.
      await page.routeWebSocket(/\/api\/v1\/chat\/stream/, (socket) => {
        socket.onMessage((text) => {
          const frame = JSON.parse(text)
          if (frame.type === 'message') {
            socket.send(JSON.stringify({ type: 'start', runId: 'run_1', chatId: 'chat_1' }))
            socket.send(JSON.stringify({ type: 'token', content: 'It opens' }))
          }
          if (frame.type === 'cancel') socket.send(JSON.stringify({ type: 'error', error: { code: 'INVALID_REQUEST', message: 'cancelled' } }))
        })
      })
      await open(page, 'chat')
      await ask(page, 'When does it open?')
      await page.getByText('It opens').waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await page.getByText('Stopped.').waitFor()
      await page.getByText('It opens').waitFor()
    })
  })

  test('an answer that breaks off says why and keeps what was said', async () => {
    await withPage(browser, {}, async (page) => {
      await page.routeWebSocket(/\/api\/v1\/chat\/stream/, (socket) => {
        socket.onMessage(() => {
          socket.send(JSON.stringify({ type: 'token', content: 'It op' }))
          socket.send(JSON.stringify({ type: 'error', error: { code: 'QUOTA_EXCEEDED', message: 'the budget “Team” is used up' } }))
        })
      })
      await open(page, 'chat')
      await ask(page, 'When does it open?')
      await page.getByRole('alert').getByText('the budget “Team” is used up').waitFor()
      await page.getByText('It op', { exact: true }).waitFor()
      assert.equal(await page.getByRole('button', { name: 'Send' }).count(), 1)
    })
  })
})
