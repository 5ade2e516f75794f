import { beforeEach, describe, expect, test } from 'vitest'
import type { ChatSocket } from './chat-stream'
import { sendMessage } from './chat-stream'

class FakeSocket implements ChatSocket {
  onopen: (() => void) | null = null
  onmessage: ((message: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  isOpen = false
  sent: unknown[] = []

  send(data: string) {
    if (!this.isOpen) throw new DOMException('still connecting', 'InvalidStateError')
    this.sent.push(JSON.parse(data))
  }

  open() {
    this.isOpen = true
    this.onopen?.()
  }

  receive(...frames: unknown[]) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) })
  }

  close() {
    this.isOpen = false
    this.onclose?.()
  }
}

let socket: FakeSocket
let log: string[]

const start = () =>
  sendMessage(
    socket,
    { message: 'hi', model: 'strata/echo' },
    {
      onStart: (id) => log.push(`start ${id}`),
      onToken: (content) => log.push(`token ${content}`),
      onEnd: ({ messageId, usage, cancelled }) => log.push(`end ${messageId} ${usage?.total} ${cancelled}`),
      onError: ({ code, message }) => log.push(`error ${code} ${message}`),
    },
  )

beforeEach(() => {
  socket = new FakeSocket()
  log = []
})

test('an answer in pieces', () => {
  start()
  socket.open()
  expect(socket.sent).toEqual([{ type: 'message', message: 'hi', model: 'strata/echo' }])
  socket.receive(
    { type: 'start', runId: 'run_1', chatId: 'chat_1' },
    { type: 'token', content: 'h' },
    { type: 'token', content: 'i' },
    { type: 'end', runId: 'run_1', messageId: 'msg_1', tokenUsage: { total: 3 } },
  )
  expect(log).toEqual(['start chat_1', 'token h', 'token i', 'end msg_1 3 false'])
})

test('nothing is reported after the end', () => {
  start()
  socket.open()
  socket.receive({ type: 'end' }, { type: 'token', content: 'late' }, { type: 'error', error: { code: 'X', message: 'y' } })
  expect(log).toEqual(['end undefined undefined false'])
})

test('an error frame', () => {
  start()
  socket.open()
  socket.receive({ type: 'error', error: { code: 'QUOTA_EXCEEDED', message: 'spent' } })
  expect(log).toEqual(['error QUOTA_EXCEEDED spent'])
})

test('a connection that ends before the answer does is an error', () => {
  start()
  socket.open()
  socket.receive({ type: 'token', content: 'h' })
  socket.close()
  expect(log).toEqual(['token h', 'error CONNECTION_LOST The connection ended before the answer did.'])
})

describe('cancelling', () => {
  test('asks the server and takes any of its answers as the end', () => {
    const run = start()
    socket.open()
    run.cancel()
    run.cancel()
    expect(socket.sent.slice(1)).toEqual([{ type: 'cancel' }])
    socket.receive({ type: 'error', error: { code: 'INVALID_REQUEST', message: 'cancelled' } })
    expect(log).toEqual(['end undefined undefined true'])
  })

  test('before the socket is open', () => {
    start().cancel()
    expect(log).toEqual(['end undefined undefined true'])
  })
})
