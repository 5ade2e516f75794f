import { analytics, budgetUsage } from './analytics.mjs'
import { answerTo, id, wants } from './data.mjs'

/** An error that becomes an answer. */
export class Refusal extends Error {
  constructor(status, code, message, details) {
    super(message)
    Object.assign(this, { status, code, details })
  }
}

const notFound = (kind) => new Refusal(404, 'NOT_FOUND', `${kind} was not found`)

function page(list, query) {
  const limit = Math.min(100, Number(query.get('limit')) || 25)
  const start = Number(query.get('cursor')) || 0
  const hasMore = start + limit < list.length
  return { list: list.slice(start, start + limit), pagination: { hasMore, nextCursor: hasMore ? String(start + limit) : '', limit } }
}

function validBudget(body, creating) {
  const faults = []
  const bad = (field, message) => faults.push({ field, message })
  if (creating && !body.name) bad('name', 'is required')
  if (creating && !body.scopeType) bad('scopeType', 'is required')
  if (body.limitUsd !== undefined && !(body.limitUsd > 0)) bad('limitUsd', 'must be greater than 0')
  if (faults.length) throw new Refusal(400, 'VALIDATION_ERROR', 'invalid input data', faults)
}

function find(list, key, kind) {
  const found = list.find((item) => item.id === key)
  if (!found) throw notFound(kind)
  return found
}

function refresh(budget) {
  if (budget.status !== 'disabled') budget.status = budget.spentUsd >= budget.limitUsd ? 'exceeded' : 'active'
  return { ...budget, remainingUsd: Math.max(0, budget.limitUsd - budget.spentUsd) }
}

const budgets = {
  'GET /api/v1/budgets': ({ world, query }) => page(world.budgets.map(refresh), query),
  'POST /api/v1/budgets': ({ world, body }) => {
    validBudget(body, true)
    const now = new Date()
    const budget = { id: id('bud'), hardLimit: true, status: 'active', spentUsd: 0, periodStart: now.toISOString(), periodEnd: new Date(now.getTime() + 30 * 86_400_000).toISOString(), ...body }
    world.budgets.unshift(budget)
    world.emit('budget.created.v1', budget.id, { name: budget.name })
    return { data: refresh(budget), status: 201 }
  },
  'GET /api/v1/budgets/:id': ({ world, params }) => ({ data: refresh(find(world.budgets, params[0], 'budget')) }),
  'PUT /api/v1/budgets/:id': ({ world, params, body }) => {
    validBudget(body, false)
    const budget = Object.assign(find(world.budgets, params[0], 'budget'), body)
    world.emit('budget.limit_raised.v1', budget.id, body)
    return { data: refresh(budget) }
  },
  'DELETE /api/v1/budgets/:id': ({ world, params }) => {
    find(world.budgets, params[0], 'budget')
    world.budgets = world.budgets.filter((budget) => budget.id !== params[0])
    world.emit('budget.deleted.v1', params[0], {})
    return { data: { id: params[0], deleted: true } }
  },
  'GET /api/v1/budgets/:id/usage': ({ world, params, query }) => ({ data: budgetUsage(world, find(world.budgets, params[0], 'budget'), query.get('groupBy')) }),
  'POST /api/v1/budgets/:id/reset': ({ world, params, body }) => {
    const budget = find(world.budgets, params[0], 'budget')
    budget.spentUsd = 0
    world.emit('budget.reset.v1', budget.id, body)
    return { data: refresh(budget) }
  },
}

const chat = {
  'GET /api/v1/chat/history': ({ world, query }) => page(world.chats, query),
  'DELETE /api/v1/chat/history/:id': ({ world, params }) => {
    find(world.chats, params[0], 'chat')
    world.chats = world.chats.filter((item) => item.id !== params[0])
    world.emit('conversation.deleted.v1', params[0], {})
    return { data: { id: params[0], deleted: true } }
  },
  'POST /api/v1/chat/feedback': ({ world, body }) => {
    find(world.chats, body.chatId, 'chat')
    world.emit('conversation.feedback_given.v1', body.chatId, { rating: body.rating })
    return { data: { id: id('fb'), ...body }, status: 201 }
  },
}

const logs = {
  'GET /v1/inference-logs': ({ world, query }) => {
    const start = Date.parse(query.get('start_date') ?? '') || 0
    const end = Date.parse(query.get('end_date') ?? '') || Date.now()
    const same = ['user', 'model', 'status', 'type', 'correlation_id'].filter((key) => query.get(key))
    const matching = world.calls.filter((call) => {
      const time = Date.parse(call.timestamp)
      return time >= start && time < end && same.every((key) => call[key] === query.get(key)) && (!query.get('tag') || call.tags.includes(query.get('tag')))
    })
    const size = Math.min(100, Number(query.get('page_size')) || 20)
    const from = ((Number(query.get('page')) || 1) - 1) * size
    const data = matching.toReversed().slice(from, from + size).map(({ request: _request, response: _response, ...row }) => row)
    return { plain: { count: data.length, data, has_more: from + size < matching.length } }
  },
  'GET /v1/inference-logs/:id': ({ world, params }) => ({ plain: find(world.calls, params[0], 'inference log') }),
}

const rest = {
  'GET /api/v1/auth/whoami': () => ({
    data: { user: { id: 'user_01mock', name: 'Ada Lovelace', email: 'ada@example.com' }, organization: { id: 'org_01mock', name: 'Analytical Engines' }, workspaceId: 'ws_01jd8mockworkspace', authType: 'api_key', permissions: ['*'] },
  }),
  'GET /api/v1/apps': ({ world, query }) => page(world.apps, query),
  'GET /openai/v1/models': ({ world }) => ({ plain: { object: 'list', data: world.models.map((m) => ({ id: m.id, object: 'model', created: 1760000000, owned_by: m.id.split('/')[0], type: m.type })) } }),
  'GET /api/v1/events': ({ world, query }) => {
    const types = query.get('type')?.split(',').filter(Boolean) ?? []
    return page(world.events.filter((event) => wants(types, event.type)).toReversed(), query)
  },
  'GET /api/v1/events/types': ({ world }) => ({ data: { types: [...new Set(world.events.map((event) => event.type))].sort().map((type) => ({ type, source: type.split('.')[0] })) } }),
  'POST /openai/v1/chat/completions': ({ world, body }) => {
    if (!world.models.some((m) => m.id === body.model)) {
      throw new Refusal(404, 'model_not_found', `The model ${body.model} does not exist.`)
    }
    const content = answerTo(body.messages?.at(-1)?.content ?? '')
    const call = world.call(Date.now(), {
      model: body.model, requested_model: body.model, provider: body.model.split('/')[0], type: 'chat', status: 'success', http_status: 200, error: undefined, error_code: undefined, request: body,
      ...(body.user && { user: body.user }),
    })
    return { plain: { id: call.id, object: 'chat.completion', model: body.model, choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }], usage: { prompt_tokens: call.input_tokens, completion_tokens: call.output_tokens, total_tokens: call.total_tokens } } }
  },
  ...Object.fromEntries(
    ['usage', 'performance', 'costs'].map((report) => [`GET /api/v1/analytics/${report}`, ({ world, query }) => ({ data: analytics(world, report, query) })]),
  ),
}

/** Every resource was created and has never changed since. */
const history = Object.fromEntries(
  ['/api/v1/apps', '/api/v1/budgets', '/api/v1/chat/history'].flatMap((path) => {
    const of = (world) => ({ apps: world.apps, budgets: world.budgets, history: world.chats })[path.split('/').at(-1)]
    const recordedAt = new Date().toISOString()
    return [
      [`GET ${path}/:id`, ({ world, params }) => ({ data: find(of(world), params[0], 'resource') })],
      [
        `GET ${path}/:id/history`,
        ({ world, params, query }) => {
          const changes = Object.entries(find(of(world), params[0], 'resource')).map(([key, after]) => ({ path: `/${key}`, op: 'add', after }))
          return page([{ revision: 0, position: 1, eventId: 'evt_01mock', type: 'resource.created.v1', actor: 'key_01mock', occurredAt: recordedAt, recordedAt, changes }], query)
        },
      ],
      [`GET ${path}/:id/diff`, () => ({ data: { from: { revision: 0, recordedAt, exists: true }, to: { revision: 0, recordedAt, exists: true }, changes: [] } })],
    ]
  }),
)

const models = ['budgets', 'conversations', 'events', 'identity', 'memories', 'resources', 'sessions']
const rebuilds = new Map()

function projection(world, name) {
  const kind = models.includes(name) ? 'model' : 'reactor'
  const at = { position: world.position, head: world.position, lag: 0, parked: 0 }
  return { name, kind, ...(kind === 'model' && { version: 1 }), status: 'running', state: 'live', ready: true, ...at, ...(rebuilds.has(name) && { rebuild: rebuilds.get(name) }) }
}

const projections = {
  'GET /api/v1/admin/projections': ({ world, query }) => page([...models, 'budget-healer', 'inferences'].sort().map((name) => projection(world, name)), query),
  'GET /api/v1/admin/projections/:id': ({ world, params }) => ({ data: projection(world, params[0]) }),
  'POST /api/v1/admin/projections/:id/rebuild': ({ world, params, body }) => {
    const now = new Date().toISOString()
    rebuilds.set(params[0], { state: 'done', position: world.position, target: world.position, eventsPerSecond: body.eventsPerSecond ?? 0, startedAt: now, finishedAt: now, comparedAt: world.position, differences: [], parked: 0, leftOut: 0 })
    return { data: projection(world, params[0]), status: 202 }
  },
}

const shown = (event, index, all) => ({
  id: event.id, timestamp: event.time, actorId: 'key_01mock', actorType: 'api_key', action: event.type.replace(/\.v\d+$/, ''), type: event.type,
  resourceType: event.type.split('.')[0], resourceId: event.subject, revision: 0, position: event.sequence, outcome: 'success', hash: `hash-of-${event.id}`, prevHash: all[index - 1] ? `hash-of-${all[index - 1].id}` : '',
})

const audit = {
  'GET /api/v1/audit/logs': ({ world, query }) => page(world.events.map(shown).filter((e) => !query.get('resourceId') || e.resourceId === query.get('resourceId')).toReversed(), query),
  'GET /api/v1/audit/logs/:id': ({ world, params }) => ({ data: find(world.events.map(shown), params[0], 'audit log') }),
  'GET /api/v1/audit/verify': ({ world }) => ({ data: { valid: true, chain: 'ws_01mock', checked: world.events.length, head: `hash-of-${world.events.at(-1)?.id}`, position: world.position, removed: 0, publicKey: 'mock' } }),
}

const erasures = []
const privacy = {
  'GET /api/v1/privacy/erasures': ({ query }) => page(erasures, query),
  'POST /api/v1/privacy/erasures': ({ body }) => {
    if (!body.subject) throw new Refusal(400, 'VALIDATION_ERROR', 'invalid input data', [{ field: 'subject', message: 'is required' }])
    const now = new Date().toISOString()
    const places = ['subject key', 'read models', 'analytics'].map((name) => ({ name, erasedAt: now }))
    erasures.unshift({ id: id('era'), scope: 'workspace', status: 'completed', ...body, places, events: 3, unsealedEvents: 0, requestedBy: 'key_01mock', createdAt: now, completedAt: now })
    return { data: erasures[0], status: 202 }
  },
}

/** Kinds that the made-up workspace has none of. */
const none = Object.fromEntries(
  ['/api/v1/prompts', '/api/v1/providers', '/api/v1/model-routes', '/api/v1/user/api-keys', '/api/v1/agents', '/api/v1/workflows', '/api/v1/trainings', '/api/v1/benchmarks', '/api/v1/datasets'].map((path) => [`GET ${path}`, ({ query }) => page([], query)]),
)
const nothing = { plain: { count: 0, data: [], has_more: false } }

const table = Object.entries({
  ...history,
  ...projections,
  ...audit,
  ...privacy,
  ...none,
  'GET /v1/sessions': () => nothing,
  'GET /v1/leaderboards': () => nothing,
  'POST /v1/memory/internal/memories/list': () => nothing,
  ...budgets,
  ...chat,
  ...logs,
  ...rest,
}).map(([key, handler]) => {
  const [method, path] = key.split(' ')
  return { method, pattern: new RegExp(`^${path.replace(/:id/g, '([^/]+)')}$`), handler }
})

/** Finds who answers a request. */
export function route(method, path) {
  for (const entry of table) {
    const match = entry.pattern.exec(path)
    if (match && entry.method === method) return { handler: entry.handler, params: match.slice(1).map(decodeURIComponent) }
  }
  throw new Refusal(404, 'NOT_FOUND', `${method} ${path} is not a route`)
}
