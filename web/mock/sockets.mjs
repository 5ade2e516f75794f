import { answerTo, id, wants } from './data.mjs'

/** /api/v1/events/ws: what the log holds after a position, then what comes. */
export function eventSocket(world, socket, query) {
  const types = new Set((query.get('types') ?? '').split(',').filter(Boolean))
  const wanted = (event) => wants([...types], event.type)
  const send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame))
  const deliver = (event) => wanted(event) && send({ type: 'event', event })
  const after = query.get('after') === null ? world.position : Number(query.get('after'))
  for (const event of world.events) if (event.sequence > after) deliver(event)
  send({ type: 'caught_up', sequence: world.position })
  world.listeners.add(deliver)
  socket.on('close', () => world.listeners.delete(deliver))
  socket.on('message', (data) => {
    const frame = JSON.parse(data)
    if (frame.action === 'ping') send({ type: 'pong' })
    for (const type of frame.types ?? []) {
      if (frame.action === 'subscribe') types.add(type)
      else types.delete(type)
    }
  })
}

/** /api/v1/chat/stream: one message, an answer in pieces. */
export function chatSocket(world, socket) {
  let timer
  const send = (frame) => socket.readyState === 1 && socket.send(JSON.stringify(frame))
  socket.on('close', () => clearInterval(timer))
  socket.on('message', (data) => {
    const frame = JSON.parse(data)
    if (frame.type === 'message') timer = answer(world, send, frame)
    if (frame.type === 'cancel') {
      clearInterval(timer)
      send({ type: 'end', runId: 'run_cancelled', chatId: frame.chatId, tokenUsage: { prompt: 10, completion: 4, total: 14 } })
    }
  })
}

function answer(world, send, frame) {
  if (frame.model && !world.models.some((model) => model.id === frame.model)) {
    send({ type: 'error', error: { code: 'NOT_FOUND', message: `The model ${frame.model} does not exist.` } })
    return undefined
  }
  const now = new Date().toISOString()
  let chat = world.chats.find((item) => item.id === frame.chatId)
  if (!chat) {
    chat = { id: id('chat'), title: frame.message.slice(0, 60), messages: [], messageCount: 0, createdAt: now }
    world.chats.unshift(chat)
    world.emit('conversation.started.v1', chat.id, { title: chat.title })
  }
  const text = answerTo(frame.message)
  const runId = id('run')
  send({ type: 'start', runId, chatId: chat.id })
  const tokens = text.match(/\s*\S+/g) ?? []
  let at = 0
  const timer = setInterval(() => {
    if (at < tokens.length) {
      send({ type: 'token', content: tokens[at++] })
      return
    }
    clearInterval(timer)
    chat.messages.push({ id: id('msg'), role: 'user', content: frame.message, createdAt: now }, { id: id('msg'), role: 'assistant', content: text, createdAt: now })
    Object.assign(chat, { messageCount: chat.messages.length, updatedAt: new Date().toISOString() })
    const call = world.call(Date.now(), { model: frame.model ?? 'strata/extract-1', type: 'chat', status: 'success', http_status: 200 })
    send({ type: 'end', runId, chatId: chat.id, tokenUsage: { prompt: call.input_tokens, completion: call.output_tokens, total: call.total_tokens } })
  }, 25)
  return timer
}
