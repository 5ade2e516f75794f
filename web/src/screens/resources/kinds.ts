import type { ApiClient, Page } from '@/lib/api/client'
import { builtInModel } from '@/lib/snippets'

/** A resource as a list shows it. */
export interface Row {
  id: string
  name: string
  note: string
  at: string
}

export interface Kind {
  key: string
  label: string
  /** Address of one resource. */
  path: (id: string) => string
  page: (api: ApiClient, cursor: string, search: string, signal?: AbortSignal) => Promise<Page<Row>>
  searchable: boolean
  /** Where one is made, and an example of it. */
  make?: { path: string; body: unknown }
}

type Item = Record<string, unknown>

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The first of some fields that has a text, whichever mount spelled it. */
const first = (item: Item, ...names: string[]): string => names.map((name) => text(item[name])).find(Boolean) ?? ''

function row(item: Item): Row {
  const id = first(item, 'id', 'uid', 'name') // secrets go by their names
  return {
    id,
    name: first(item, 'name', 'title', 'content') || id,
    note: first(item, 'status', 'type', 'provider'),
    at: first(item, 'updatedAt', 'updated_at', 'lastActivityAt', 'createdAt', 'created_at'),
  }
}

/** A kind whose list is a plain GET, paged by cursor or, on the plain mount, by the last id seen. */
function listed(key: string, label: string, path: string, { searchable = true, example }: { searchable?: boolean; example?: unknown } = {}): Kind {
  const plain = path.startsWith('/v1/')
  return {
    ...(example !== undefined && { make: { path, body: example } }),
    key,
    label,
    searchable,
    path: (id) => `${path}/${encodeURIComponent(id)}`,
    page: async (api, cursor, search, signal) => {
      const page = await api.list<Item>(path, { limit: 50, [plain ? 'after' : 'cursor']: cursor, search: searchable ? search : '' }, signal)
      const items = page.items.map(row)
      return { items, hasMore: page.hasMore, nextCursor: page.nextCursor || (items.at(-1)?.id ?? '') }
    },
  }
}

const memories = '/v1/memory/internal/memories'

/** What can be looked at, and as it was at any time. */
export const kinds: Kind[] = [
  listed('apps', 'Apps', '/api/v1/apps', { example: { name: 'Support bot', type: 'chat', status: 'published', config: { model: builtInModel } } }),
  listed('prompts', 'Prompts', '/api/v1/prompts', { example: { name: 'greeting', template: 'Greet {{customer}} in one sentence.' } }),
  listed('providers', 'Providers', '/api/v1/providers', {
    example: { name: 'acme', type: 'openai_compatible', baseUrl: 'https://models.example.com/v1', apiKey: 'sk-…', models: ['small', 'large'] },
  }),
  listed('model-routes', 'Model routes', '/api/v1/model-routes', { example: { name: 'cheap', strategy: 'fallback', targets: [{ model: builtInModel }] } }),
  listed('agents', 'Agents', '/api/v1/agents'),
  listed('workflows', 'Workflows', '/api/v1/workflows'),
  listed('mcp-servers', 'MCP servers', '/api/v1/mcp/servers', { example: { name: 'search', transport: 'streamable_http', url: 'https://mcp.example.com/mcp' } }),
  listed('secrets', 'Secrets', '/api/v1/secrets', { example: { name: 'github-token', description: 'Reads issues', value: 'ghp_…' } }),
  listed('memory-providers', 'Memory providers', '/api/v1/memory-providers', { example: { name: 'longterm', type: 'mem0', apiKey: 'm0-…' } }),
  listed('knowledge', 'Knowledge bases', '/api/v1/datasets'),
  listed('connectors', 'Connectors', '/v1/connectors'),
  listed('data-models', 'Data models', '/api/v1/data-models', { example: { name: 'Churn', description: 'Clients, and whether they left' } }),
  listed('benchmarks', 'Benchmarks', '/api/v1/benchmarks'),
  listed('budgets', 'Budgets', '/api/v1/budgets'),
  listed('sessions', 'Sessions', '/v1/sessions', { searchable: false }),
  {
    key: 'memories',
    label: 'Memories',
    searchable: false,
    path: (id) => `${memories}/${encodeURIComponent(id)}`,
    page: async (api, cursor, _search, signal) => {
      // This list is asked for with a body, as its filters may be long.
      const body = await api.query<{ data?: Item[]; has_more?: boolean }>(`${memories}/list`, { limit: 50, ...(cursor && { after: cursor }) }, signal)
      const items = (body.data ?? []).map(row)
      return { items, hasMore: body.has_more === true, nextCursor: items.at(-1)?.id ?? '' }
    },
  },
  listed('chats', 'Chats', '/api/v1/chat/history'),
  listed('keys', 'API keys', '/api/v1/user/api-keys', { searchable: false }),
]
