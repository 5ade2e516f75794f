/**
 * A made-up workspace in memory: thirty days of calls, a log of events, chats
 * and budgets. Deterministic but for the clock, so that pictures look alike.
 */

/** Mulberry32: a small seeded generator. */
function random(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const next = random(7)
const pick = (list) => list[Math.floor(next() * list.length)]

/** Model, share of calls, price per million tokens in and out, typical latency in ms. */
const models = [
  { id: 'strata/extract-1', weight: 14, input: 0, output: 0, latency: 6, type: 'chat' },
  { id: 'openai/gpt-4o-mini', weight: 40, input: 0.15, output: 0.6, latency: 620, type: 'chat' },
  { id: 'openai/gpt-4o', weight: 16, input: 2.5, output: 10, latency: 1150, type: 'chat' },
  { id: 'anthropic/claude-sonnet', weight: 14, input: 3, output: 15, latency: 1480, type: 'chat' },
  { id: 'local/llama-3.1-8b', weight: 9, input: 0.02, output: 0.02, latency: 390, type: 'chat' },
  { id: 'strata/embed-1', weight: 7, input: 0, output: 0, latency: 3, type: 'embedding' },
]

const users = ['ada', 'grace', 'linus', 'barbara', 'edsger', 'checkout-bot']
const questions = [
  'What are your business hours?',
  'Summarise this ticket in two sentences.',
  'Which plan includes audit export?',
  'Translate the release notes to German.',
  'Why was my card declined?',
]

function weighted() {
  let at = next() * models.reduce((sum, m) => sum + m.weight, 0)
  return models.find((m) => (at -= m.weight) < 0) ?? models[0]
}

let serial = 0
const id = (prefix) => `${prefix}_${(++serial).toString(36).padStart(8, '0')}${Math.floor(next() * 2 ** 40).toString(36).padStart(8, '0')}`

export function createWorld() {
  const world = { calls: [], events: [], budgets: [], chats: [], apps: [], models, position: 0, listeners: new Set() }

  world.emit = (type, subject, data, time = Date.now()) => {
    const event = { id: id('evt'), type, source: 'strata', subject, data, time: new Date(time).toISOString(), sequence: ++world.position }
    world.events.push(event)
    for (const listener of world.listeners) listener(event)
    return event
  }

  world.call = (time, given = {}) => {
    const call = { ...invent(time), ...given }
    world.calls.push(call)
    world.emit('inference.recorded.v1', call.id, { model: call.model, status: call.status, input_tokens: call.input_tokens, output_tokens: call.output_tokens, latency_ms: call.latency_ms }, time)
    for (const budget of world.budgets) {
      if (budget.scopeType === 'model' && budget.scopeId !== call.model) continue
      budget.spentUsd += call.cost_usd
    }
    return call
  }

  seed(world)
  return world
}

function invent(time) {
  const model = weighted()
  const failed = next() < 0.022
  const input = Math.floor(60 + next() ** 2 * 2400)
  const output = failed || model.type === 'embedding' ? 0 : Math.floor(20 + next() ** 2 * 700)
  const latency = Math.max(1, model.latency * (0.6 + next() ** 3 * 3.2) * (failed ? 2.5 : 1))
  const question = pick(questions)
  return {
    id: id('inf'),
    timestamp: new Date(time).toISOString(),
    user: pick(users),
    api_key_id: 'key_01jd8mock',
    type: model.type,
    model: model.id,
    requested_model: next() < 0.2 ? 'flotorch/smart' : model.id,
    provider: model.id.split('/')[0],
    stream: next() < 0.6,
    status: failed ? 'error' : 'success',
    http_status: failed ? 503 : 200,
    ...(failed && { error_code: 'AI_SERVICE_ERROR', error: 'The provider answered 529: overloaded, please try again later.' }),
    finish_reason: failed ? undefined : 'stop',
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    latency_ms: Number(latency.toFixed(3)),
    ttft_ms: Number((latency * 0.3).toFixed(3)),
    cost_usd: failed ? 0 : (input * model.input + output * model.output) / 1e6,
    attempts: failed ? 3 : 1,
    tags: next() < 0.3 ? [pick(['support', 'checkout', 'nightly'])] : [],
    correlation_id: `cor_${Math.floor(next() * 400).toString(36)}`,
    request_id: id('req'),
    request: { model: model.id, messages: [{ role: 'system', content: 'You answer customers of a shop.' }, { role: 'user', content: question }], temperature: 0.2 },
    ...(!failed && {
      response: {
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: 'We are open from 9 to 18 on working days.' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
      },
    }),
  }
}

function seed(world) {
  const now = Date.now()
  const day = 86_400_000
  const times = []
  for (let i = 0; i < 2600; i++) {
    const ago = next() < 0.55 ? next() * day : next() ** 1.5 * 30 * day
    const hour = new Date(now - ago).getUTCHours()
    const busy = 0.25 + 0.75 * Math.max(0, Math.sin(((hour - 5) / 24) * 2 * Math.PI))
    if (next() < busy || ago < day / 24) times.push(now - ago)
  }
  for (let i = 0; i < 90; i++) times.push(now - next() * 3_600_000)
  world.apps.push({ id: 'app_01support', name: 'Support assistant', type: 'chat', status: 'published' })
  for (const time of times.sort((a, b) => a - b)) world.call(time)
  if (process.env.MOCK_EMPTY) Object.assign(world, { calls: [], events: [], apps: [] })
  else seedRest(world, now)
}

function seedRest(world, now) {
  const budget = (name, scopeType, scopeId, limitUsd, spentUsd, period, more = {}) =>
    world.budgets.push({
      id: id('bud'), name, scopeType, ...(scopeId && { scopeId }), limitUsd, spentUsd, period, hardLimit: true, status: spentUsd >= limitUsd ? 'exceeded' : 'active',
      periodStart: new Date(now - 86_400_000 * 12).toISOString(), periodEnd: new Date(now + 86_400_000 * 18).toISOString(), createdAt: new Date(now).toISOString(), updatedAt: new Date(now).toISOString(), ...more,
    })
  budget('Everything', 'workspace', '', 50, 18.420113, 'monthly')
  budget('Claude for support', 'model', 'anthropic/claude-sonnet', 10, 8.73402, 'weekly')
  budget('Nightly jobs', 'api_key', 'key_01jd8mock', 2, 2.000114, 'daily')
  budget('Trial of the new assistant', 'app', 'app_01support', 5, 0.08131, 'total', { hardLimit: false, limitTokens: 2_000_000 })
  for (const [index, question] of questions.slice(0, 3).entries()) {
    const at = new Date(now - (index + 1) * 5_400_000).toISOString()
    world.chats.push({
      id: id('chat'), title: question, createdAt: at, updatedAt: at, messageCount: 2,
      messages: [
        { id: id('msg'), role: 'user', content: question, createdAt: at },
        { id: id('msg'), role: 'assistant', content: answerTo(question), createdAt: at },
      ],
    })
  }
  world.emit('budget.created.v1', world.budgets[0].id, { name: 'Everything', limit_micro_usd: 50_000_000, period: 'monthly' }, now - 9000)
  world.emit('session.turn_added.v1', 'ses_01mock', { role: 'user', turn: 4 }, now - 5000)
  world.emit('memory.stored.v1', 'mem_01mock', { provider: 'internal' }, now - 2000)
}

/** Whether a type is one of some words: exact, or a family such as session.*; no words want all. */
export function wants(words, type) {
  return words.length === 0 || words.some((word) => (word.endsWith('*') ? type.startsWith(word.slice(0, -1)) : type === word))
}

/** Something with every shape that the chat renders. */
export function answerTo(question) {
  return `You asked: *${question}*

Here is what the documents say:

- We are open **9:00 to 18:00** on working days
- Messages are answered within \`4 h\`

\`\`\`json
{ "open": "09:00", "close": "18:00" }
\`\`\`

Ask again if you need more.`
}

export { id }
